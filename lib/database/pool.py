"""The pool of connections, which knows nothing of how they are opened.

SQLAlchemy has one as well, but that cannot be loaded without the rest of SQLAlchemy, which takes a
third of the start of a function that sends single statements only.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import pg8000.dbapi

from lib.database.driver import Prepared, abandon, answers, let_go, word_of
from lib.database.statement import Statement

if TYPE_CHECKING:
    from lib.database.ear import Ear

_IDLE_SECONDS: Final = 1.0  # a connection that rested longer is tried before it is used


class PreparedStatements(dict[Statement, Prepared]):
    """The statements that are prepared on a connection; a further one is, when it is looked up."""

    def __init__(self, driver: pg8000.dbapi.Connection) -> None:
        super().__init__()
        self._driver = driver

    def __missing__(self, statement: Statement) -> Prepared:
        return self.prepare(statement)

    def prepare(self, statement: Statement) -> Prepared:
        """Prepare a statement, which waits for the server."""
        prepared = self[statement] = Prepared(self._driver, statement.sql)
        return prepared


class PoolExhausted(TimeoutError):
    """No connection came back in time."""


class Connection:
    """A connection of a pool; whoever takes it out closes it once, whatever became of it.

    Attributes:
        driver: pg8000's own.
        prepared: The statements that are prepared on it.
        usable: Whether it may be used again.
        ear: What an event loop listens with, once one has used it.
        is_read_ahead: Whether pg8000 itself may have read more from it than it needed.
    """

    def __init__(
        self, pool: "Pool", driver: pg8000.dbapi.Connection, prepared: PreparedStatements
    ) -> None:
        self.driver: Final = driver
        self.prepared: Final = prepared
        self.usable = self.is_read_ahead = True
        self.ear: Ear | None = None
        self._pool = pool
        self._word = word_of(driver)
        self._used_at = time.monotonic()

    def close(self) -> None:
        """Give it back to the pool it is of."""
        self._pool.give_back(self)

    def end(self) -> None:
        """Close it for good."""
        let_go(self.driver)
        if self.ear is not None:
            self.ear.end()

    def invalidate(self) -> None:
        """Have it closed for good when it is given back, as it may be out of step."""
        self.usable = False

    def lose(self) -> None:
        """Have it closed for good, as it died, and those tried that rested meanwhile."""
        self.usable = False
        self._pool.lost_at = time.monotonic()

    def note_use(self) -> None:
        """Note that it was in use just now."""
        self._used_at = time.monotonic()

    def still_answers(self) -> bool:
        """Tell whether it is alive; without a doubt it is taken to be."""
        return not self.is_in_doubt() or answers(self.driver)

    def is_in_doubt(self) -> bool:
        """Tell whether it may be cut: unused for long, or since another was lost, or it has
        something to say that nobody asked for, which is most likely that it ends.
        """  # noqa: D205
        return (
            time.monotonic() - self._used_at > _IDLE_SECONDS
            or self._used_at <= self._pool.lost_at
            or bool(self._word.poll(0))
        )


class Pool:
    """At most so many connections; the one that was used last is used next.

    Args:
        open_connection: Opens one, with its statements prepared.
        timeout: How many seconds to wait for a connection.

    Attributes:
        seats: The event loop must not block in `take`: there it waits for its turn here.
        lost_at: When it last lost a connection, as what took that has most likely taken others.
    """

    def __init__(
        self,
        open_connection: Callable[[], tuple[pg8000.dbapi.Connection, PreparedStatements]],
        *,
        size: int,
        timeout: float,
    ) -> None:
        self.seats: Final = asyncio.Semaphore(size)
        self.lost_at = 0.0
        self._open, self._timeout = open_connection, timeout
        # Tokens, as a semaphore is slower: it is written in Python.
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._places.put(None)
        self._resting: list[Connection] = []
        self._disposed = False

    async def sit_down(self) -> None:
        """Wait for a turn on the event loop, which is one of `seats`.

        Raises:
            TimeoutError: It did not come in time.
        """
        if self.seats.locked():
            async with asyncio.timeout(self._timeout):
                await self.seats.acquire()
        else:
            await self.seats.acquire()  # at once, and without what a time-out costs

    def take(self) -> Connection:
        """Take a connection out of the pool, open one, or wait until one comes back.

        Raises:
            PoolExhausted: None came back in time.
        """
        try:
            self._places.get(timeout=self._timeout)
        except Empty:
            raise PoolExhausted(
                f"all connections were in use for {self._timeout} seconds"
            ) from None
        try:
            connection = self._rested() or Connection(self, *self._open())
        except BaseException:
            self._places.put(None)
            raise
        connection.is_read_ahead = True
        return connection

    def take_recent(self) -> Connection | None:
        """Take a connection that was in use a moment ago and is there, without any wait."""
        try:
            self._places.get_nowait()
        except Empty:
            return None
        try:
            connection = self._resting.pop()
        except IndexError:
            self._places.put(None)
            return None
        if connection.is_in_doubt():
            self.give_back(connection)
            return None
        return connection

    def give_back(self, connection: Connection) -> None:
        """Take a connection back, to rest or to be closed."""
        if connection.usable:
            self._resting.append(connection)
        else:
            connection.end()
        self._places.put(None)
        if self._disposed:
            self._close_resting()

    def dispose(self) -> None:
        """Close the connections that rest, and the others when they come back."""
        self._disposed = True
        self._close_resting()

    def abandon(self) -> None:
        """Forget the connections that rest: another process has them."""
        for connection in self._resting:
            abandon(connection.driver)
        self._resting.clear()

    def _rested(self) -> Connection | None:
        try:
            connection = self._resting.pop()
        except IndexError:
            return None
        if connection.still_answers():
            return connection
        connection.end()
        self._close_resting()  # what took this one has taken the others that rested as long
        return None

    def _close_resting(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._resting.pop().end()
