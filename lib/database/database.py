"""The database: prepared statements and their answers, faults as our own exceptions.

Single statements are prepared when a connection opens, or is first asked for them, then sent and
answered in one round trip, in autocommit: from a thread through `Database.run`, from the event loop
through `Database.ask`. What needs a transaction uses a
`lib.database.transactions.TransactionalDatabase`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, TypeVar

import pg8000.dbapi

from lib.database.connections import Connections
from lib.database.exchange import exchange
from lib.database.faults import PassingFault, is_connection_lost, is_rolled_back, translate_fault
from lib.database.pool import Connection, Pool
from lib.database.sharing import Run, Sharing
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import ServiceError
from lib.web import callers
from lib.web.callers import Caller

log = logging.getLogger(__name__)

T = TypeVar("T")


_SLOW_SECONDS: Final = 0.5
# Waiting in line for so long, a caller may have left; sooner than that to see costs more than it
# spares, as a read is cheap.
_LONG_WAIT_SECONDS: Final = 1.0


class Database(Connections):
    """The database of one function's instance: `run` and `answer` in threads, `ask` on the loop."""

    def run(self, statement: Statement, **values: str | int | None) -> Rows:
        """Run one prepared statement from a thread and return its rows.

        Raises:
            DatabaseUnavailable: The database cannot serve just now.
            InvalidRequest: A value is none that the schema takes.
        """
        try:
            return self._attempt(statement, values)
        except PassingFault as first:
            _demand_another_try(statement, first)
        try:
            return self._attempt(statement, values)
        except PassingFault as last:
            raise last.fault from last.__cause__

    def answer(self, query: Query[T]) -> T:
        """Ask from a thread; raises as `run` does, and what reading the rows raises."""
        return query.read(self.run(query.statement, **query.values))

    async def ask(self, query: Query[T]) -> T:
        """Ask from the event loop; raises as `run` does, and what reading the rows raises.

        No thread is involved: the statement is sent, the loop goes on with other requests until
        the answer begins to arrive, and then reads it. That is worth nearly half of the time of a
        read, most of which would go into waking threads that contend for the interpreter's lock.

        Raises:
            ClientDisconnect: It had to wait for its turn for long, and its caller has left.
        """
        return await self._ask(query, [callers.current.get()])

    def ask_together(self, query: Query[T]) -> Coroutine[Any, Any, T]:
        """Ask from the event loop, once for all who ask for the same; raises as `ask` does.

        Nobody gets what was read before they asked; see `lib.database.sharing`. All who asked
        together get the same object, and the same fault.

        Raises:
            ClientDisconnect: It had to wait for its turn for long, and all who asked have left.
        """

        def put(run: Run) -> Awaitable[T]:
            return self._ask(query, run.asking, run.note_sent)

        return self._sharing.ask(query.key, put)

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing()

    async def _ask(
        self,
        query: Query[T],
        asking: Sequence[Caller | None],
        note_sent: Callable[[], None] = lambda: None,
    ) -> T:
        try:
            rows = await self._attempt_on_loop(query, asking, note_sent)
        except PassingFault as first:
            _demand_another_try(query.statement, first)
            try:
                rows = await self._attempt_on_loop(query, asking, note_sent)
            except PassingFault as last:
                raise last.fault from last.__cause__
        return query.read(rows)

    def _attempt(self, statement: Statement, values: Values) -> Rows:
        with _translating():
            connection = self._take()
        try:
            with _watched(connection):
                rows: Rows = connection.prepared[statement].run(**values)
        finally:
            connection.close()
        return rows

    async def _attempt_on_loop(
        self, query: Query[Any], asking: Sequence[Caller | None], note_sent: Callable[[], None]
    ) -> Rows:
        pool, asked = self._open_pool(), time.monotonic()
        try:
            await pool.sit_down()
        except TimeoutError as error:
            raise translate_fault(error) from error
        try:
            if time.monotonic() - asked > _LONG_WAIT_SECONDS:
                await callers.drop_if_all_have_left(asking)
            connection = await self._take_on_loop(pool, query.statement)
            try:
                with _watched(connection):
                    note_sent()
                    rows = await exchange(connection, query.statement, query.values)
            finally:
                connection.close()
        finally:
            pool.seats.release()
        return rows

    async def _take_on_loop(self, pool: Pool, statement: Statement) -> Connection:
        recent = pool.take_recent()
        if recent is not None and statement in recent.prepared:
            return recent
        # A thread waits for what opens a connection, or prepares a statement on it.
        taken = asyncio.get_running_loop().run_in_executor(
            None, self._take_prepared, statement, recent
        )
        try:
            with _translating():
                return await asyncio.shield(taken)
        except asyncio.CancelledError:
            taken.add_done_callback(_give_back)  # nobody waits for it any more
            raise

    def _take_prepared(self, statement: Statement, recent: Connection | None) -> Connection:
        """Return a connection on which a statement is prepared: this one, or any."""
        connection = recent or self._take()
        try:
            if statement not in connection.prepared:
                with _watched(connection):
                    connection.prepared.prepare(statement)
        except BaseException:
            connection.close()
            raise
        connection.is_read_ahead = True  # pg8000 has read from it
        return connection


def _demand_another_try(statement: Statement, fault: PassingFault) -> None:
    if not (statement.repeatable or fault.undone):
        raise fault.fault from fault.__cause__


def _give_back(taken: "asyncio.Future[Connection]") -> None:
    if not taken.cancelled() and taken.exception() is None:
        taken.result().close()


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (ServiceError, PassingFault):
        raise
    except Exception as error:
        raise translate_fault(error) from error


@contextmanager
def _watched(connection: Connection) -> Iterator[None]:
    """Translate what goes wrong in a statement, and drop a connection that may be out of step.

    Raises:
        PassingFault: The connection died, or its wire may be an answer behind, or the statement was
            rolled back for the sake of others.
    """
    started = time.monotonic()
    try:
        yield
    except pg8000.dbapi.DatabaseError as error:
        if is_connection_lost(error):
            connection.lose()
            raise PassingFault(translate_fault(error), undone=False) from error
        if is_rolled_back(error):
            raise PassingFault(translate_fault(error), undone=True) from error
        raise translate_fault(error) from error
    except Exception as error:
        # pg8000 stopped between a request and its answer: what comes next on this wire would be
        # taken for the answer to something else.
        connection.lose()
        raise PassingFault(translate_fault(error), undone=False) from error
    except BaseException:
        connection.invalidate()
        raise
    connection.note_use()
    seconds = time.monotonic() - started
    if seconds > _SLOW_SECONDS:
        log.warning("slow query", extra={"fields": {"seconds": round(seconds, 3)}})
