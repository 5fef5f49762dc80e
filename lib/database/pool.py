"""A pool of connections for functions that send single statements only.

SQLAlchemy's pool does as much, but cannot be loaded without the rest of SQLAlchemy, which takes a
third of such a function's start. What needs transactions needs the rest, too, and has that pool.
"""

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from lib.database.connections import is_in_doubt, still_answers
from lib.database.driver import let_go

Info = dict[Any, Any]


class Pooled(Protocol):
    """A connection that is taken out of either pool."""

    @property
    def dbapi_connection(self) -> Any:
        """The driver's own connection."""

    @property
    def info(self) -> Info:
        """What belongs to that connection for as long as it lives."""

    def close(self) -> None:
        """Give it back; a second time does nothing."""

    def invalidate(self) -> None:
        """Close it for good; once it is given back this does nothing."""


class AnyPool(Protocol):
    """Either pool."""

    def connect(self) -> Pooled:
        """Take a connection out of the pool, or open one, or wait until one comes back."""

    def dispose(self) -> None:
        """Close the connections that rest."""


class PoolExhausted(TimeoutError):
    """No connection came back in time."""


class Pool:
    """At most so many connections; the one that was used last is used next.

    Args:
        connect: Opens a connection.
        prepare: Makes a new connection ready, and may keep in `info` what belongs to it.
        timeout: How many seconds to wait for a connection.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        prepare: Callable[[Any, Info], None],
        *,
        size: int,
        timeout: float,
    ) -> None:
        self._connect, self._prepare, self._timeout = connect, prepare, timeout
        # Tokens, as a semaphore is slower: it is written in Python.
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._places.put(None)
        self._resting: list[tuple[Any, Info]] = []
        self._disposed = False

    def connect(self) -> "_Connection":
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
            return _Connection(self, *(self._rested() or self._opened()))
        except BaseException:
            self._places.put(None)
            raise

    def take_recent(self) -> "_Connection | None":
        """Take a connection that was in use a moment ago and is there, without any wait."""
        try:
            self._places.get_nowait()
        except Empty:
            return None
        try:
            connection, info = self._resting.pop()
        except IndexError:
            self._places.put(None)
            return None
        if is_in_doubt(info):
            self.give_back(connection, info)
            return None
        return _Connection(self, connection, info)

    def dispose(self) -> None:
        """Close the connections that rest, and the others when they come back."""
        self._disposed = True
        self._close_resting()

    def give_back(self, connection: Any, info: Info) -> None:
        """Take a connection back."""
        self._resting.append((connection, info))
        self._places.put(None)
        if self._disposed:
            self._close_resting()

    def drop(self, connection: Any) -> None:
        """Close a connection that is lost."""
        let_go(connection)
        self._places.put(None)

    def _rested(self) -> tuple[Any, Info] | None:
        try:
            connection, info = self._resting.pop()
        except IndexError:
            return None
        if still_answers(connection, info):
            return connection, info
        let_go(connection)
        self._close_resting()  # what took this one has taken the others that rested as long
        return None

    def _opened(self) -> tuple[Any, Info]:
        connection, info = self._connect(), Info()
        try:
            self._prepare(connection, info)
        except BaseException:
            let_go(connection)
            raise
        return connection, info

    def _close_resting(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                let_go(self._resting.pop()[0])


class _Connection:
    """A connection while it is taken out, once; the next to take it gets another of these."""

    def __init__(self, pool: Pool, dbapi_connection: Any, info: Info) -> None:
        self.dbapi_connection: Final = dbapi_connection
        self.info: Final = info
        self._pool = pool
        self._taken = True

    def close(self) -> None:
        if self._taken:
            self._taken = False
            self._pool.give_back(self.dbapi_connection, self.info)

    def invalidate(self) -> None:
        if self._taken:
            self._taken = False
            self._pool.drop(self.dbapi_connection)
