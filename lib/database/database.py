"""The database: one pool an instance, prepared statements, faults as our own exceptions.

Single statements are prepared when a connection opens, then sent and answered in one round trip, in
autocommit: from a thread through `Database.run`, from the event loop through `Database.ask`. What
needs a transaction uses a `lib.db_transactions.TransactionalDatabase`. Nothing connects before the
server has forked its worker: what is opened at import would be shared with the parent process.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pg8000.dbapi
from pg8000.native import PreparedStatement

from lib import limits
from lib.database.connections import SERVER_SETTINGS, Losses, connect_directly
from lib.database.driver import word_of
from lib.database.exchange import exchange
from lib.database.faults import PassingFault, is_connection_lost, is_rolled_back, translated
from lib.database.pool import AnyPool, Info, Pool, Pooled
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import ServiceError
from lib.web import callers

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

log = logging.getLogger(__name__)

T = TypeVar("T")


_SLOW_SECONDS: Final = 0.5
# Waiting in line for so long, a caller may have left; sooner than that to see costs more than it
# spares, as a read is cheap.
_LONG_WAIT_SECONDS: Final = 1.0


class Database:
    """The pool of one function's instance, for its threads and its event loop.

    Args:
        settings: Where the database is.
        statements: What `run` will be asked for, prepared when a connection opens.
        connector_options: Further arguments for the Cloud SQL connector, for tests.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        statements: Sequence[Statement] = (),
        connector_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._connector_options = dict(connector_options or {})
        self._statements = tuple(statements)
        self._losses = Losses()
        self._lock = threading.Lock()
        self._pool: AnyPool | None = None
        self._connector: Any = None
        self._warming: threading.Thread | None = None
        # The event loop must not block in the pool: here it waits for its turn there.
        self._seats = asyncio.Semaphore(settings.connections)

    def warm_after_fork(self) -> None:
        """Open the first connection while the forked worker starts.

        The hook stays for the life of the process; a failure shows itself to the first request.
        """
        os.register_at_fork(after_in_child=self._warm_in_background)

    def warm(self) -> None:
        """Open a connection and let it rest; a failure shows itself to the first request."""
        try:
            self._open_pool().connect().close()
        except ServiceError:
            pass  # already in the log; the first request tells its caller
        except Exception as error:  # noqa: BLE001
            log.warning("no database yet", extra={"fields": {"error_class": type(error).__name__}})

    def run(self, statement: Statement, **values: str | int | None) -> Rows:
        """Run one prepared statement from a thread, and give its rows.

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
        try:
            rows = await self._attempt_on_loop(query)
        except PassingFault as first:
            _demand_another_try(query.statement, first)
            try:
                rows = await self._attempt_on_loop(query)
            except PassingFault as last:
                raise last.fault from last.__cause__
        return query.read(rows)

    def close(self) -> None:
        """Close every idle connection; the next use opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
            connector, self._connector = self._connector, None
        if pool is not None:
            pool.dispose()
        if connector is not None:
            connector.close()

    def _attempt(self, statement: Statement, values: Values) -> Rows:
        with _translating():
            connection = self._check_out()
        try:
            with _watched(connection):
                prepared: PreparedStatement = connection.info[statement]
                rows: Rows = prepared.run(**values)
        finally:
            connection.close()
        return rows

    async def _attempt_on_loop(self, query: Query[Any]) -> Rows:
        asked = time.monotonic()
        try:
            async with asyncio.timeout(limits.POOL_TIMEOUT):
                await self._seats.acquire()
        except TimeoutError as error:
            raise translated(error) from error
        try:
            if time.monotonic() - asked > _LONG_WAIT_SECONDS:
                await callers.drop_if_all_have_left([callers.current.get()])
            connection = await self._check_out_on_loop()
            try:
                with _watched(connection):
                    driver = connection.dbapi_connection
                    rows = await exchange(driver, connection.info[query.statement], query.values)
            finally:
                connection.close()
        finally:
            self._seats.release()
        return rows

    async def _check_out_on_loop(self) -> Pooled:
        pool = self._open_pool()
        recent = pool.take_recent() if isinstance(pool, Pool) else None
        if recent is not None:
            return recent
        taken = asyncio.get_running_loop().run_in_executor(None, self._check_out)
        try:
            with _translating():
                return await asyncio.shield(taken)
        except asyncio.CancelledError:
            taken.add_done_callback(_give_back)  # nobody waits for it any more
            raise

    def _check_out(self) -> Pooled:
        self._await_warming()
        return self._open_pool().connect()

    def _await_warming(self) -> None:
        """Wait for the connection that is on its way: one of our own would come later than that."""
        warming = self._warming
        if warming is not None:
            warming.join(limits.POOL_TIMEOUT)
            self._warming = None

    def _open_pool(self) -> AnyPool:
        pool = self._pool
        if pool is None:
            with self._lock:
                pool = self._pool = self._pool or self._make_pool()
        return pool

    def _make_pool(self) -> AnyPool:
        return Pool(
            self._connect,
            self._prepare,
            size=self._settings.connections,
            timeout=limits.POOL_TIMEOUT,
        )

    def _prepare(self, connection: "DBAPIConnection", info: Info) -> None:
        connection.autocommit = True
        info["used_at"] = time.monotonic()
        info["losses"] = self._losses
        info["word"] = word_of(connection)
        for statement in self._statements:
            info[statement] = PreparedStatement(connection, statement.sql)

    def _connect(self) -> "DBAPIConnection":
        if self._settings.instance is not None:
            return self._connect_through_cloud_sql(self._settings.instance)
        return connect_directly(self._settings)

    def _connect_through_cloud_sql(self, instance: str) -> "DBAPIConnection":
        # Imported here: it costs more than all the rest, and only the cloud uses it.
        from lib.database.cloud_sql import CloudSql  # noqa: PLC0415

        with self._lock:
            if self._connector is None:
                self._connector = CloudSql(
                    self._settings, instance, SERVER_SETTINGS, **self._connector_options
                )
            connector = self._connector
        connection: DBAPIConnection = connector.connect()
        return connection

    def _warm_in_background(self) -> None:
        # What was open before the fork is the parent's, whose answers would come to us.
        self._lock, self._pool, self._connector = threading.Lock(), None, None
        self._seats = asyncio.Semaphore(self._settings.connections)
        self._warming = threading.Thread(target=self.warm, name="database-warm-up", daemon=True)
        self._warming.start()


def _demand_another_try(statement: Statement, fault: PassingFault) -> None:
    if not (statement.repeatable or fault.undone):
        raise fault.fault from fault.__cause__


def _give_back(taken: "asyncio.Future[Pooled]") -> None:
    if not taken.cancelled() and taken.exception() is None:
        taken.result().close()


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        raise translated(error) from error


@contextmanager
def _watched(connection: Pooled) -> Iterator[None]:
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
            _lose(connection)
            raise PassingFault(translated(error), undone=False) from error
        if is_rolled_back(error):
            raise PassingFault(translated(error), undone=True) from error
        raise translated(error) from error
    except Exception as error:
        # pg8000 stopped between a request and its answer: what comes next on this wire would be
        # taken for the answer to something else.
        _lose(connection)
        raise PassingFault(translated(error), undone=False) from error
    except BaseException:
        connection.invalidate()
        raise
    connection.info["used_at"] = time.monotonic()
    seconds = connection.info["used_at"] - started
    if seconds > _SLOW_SECONDS:
        log.warning("slow query", extra={"fields": {"seconds": round(seconds, 3)}})


def _lose(connection: Pooled) -> None:
    """Drop a connection that died, and have those that rested meanwhile tried before their use."""
    connection.info["losses"].last_at = time.monotonic()
    connection.invalidate()
