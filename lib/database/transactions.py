"""A database with transactions as well, through SQLAlchemy.

In a module of its own, as only functions with transactions should load SQLAlchemy.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pg8000.dbapi
from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import QueuePool

from lib import limits
from lib.database.connections import still_answers
from lib.database.database import Database
from lib.database.driver import let_go
from lib.database.faults import is_connection_lost, translated
from lib.database.pool import Pooled, PoolExhausted

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection


class TransactionalDatabase(Database):
    """A database whose connections also take transactions, in threads."""

    _engine: Engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction: committed at the end, rolled back when anything is raised.

        Raises:
            DatabaseUnavailable: The database cannot serve just now.
            InvalidRequest: A value is none that the schema takes.
        """
        try:
            self._await_warming()
            self._open_pool()
            with self._engine.connect() as connection:
                driver: Any = connection.connection.dbapi_connection
                info = connection.info
                driver.autocommit = False
                try:
                    with connection.begin():
                        yield connection
                finally:
                    driver.autocommit = True
                    info["used_at"] = time.monotonic()
        except exc.TimeoutError as error:
            raise translated(PoolExhausted(str(error))) from error
        except (exc.SQLAlchemyError, pg8000.dbapi.Error, OSError, UnicodeError) as error:
            raise translated(error) from error

    def _check_out(self) -> Pooled:
        try:
            return super()._check_out()
        except exc.TimeoutError as error:
            raise PoolExhausted(str(error)) from error

    def _make_pool(self) -> QueuePool:
        pool = QueuePool(
            self._connect,
            pool_size=self._settings.connections,
            max_overflow=0,
            timeout=limits.POOL_TIMEOUT,
            reset_on_return=None,
            use_lifo=True,
        )
        # Before the first connection, as the dialect learns what it speaks to from that one.
        self._engine = create_engine("postgresql+pg8000://", pool=pool)
        self._engine.dialect.do_close = let_go  # type: ignore[assignment]
        self._engine.dialect.do_terminate = let_go  # type: ignore[assignment]
        event.listen(self._engine, "handle_error", _on_engine_error)
        event.listen(pool, "connect", self._prepare_new)
        event.listen(pool, "checkout", _try_rested)
        return pool

    def _prepare_new(self, connection: "DBAPIConnection", entry: "ConnectionPoolEntry") -> None:
        self._prepare(connection, entry.info)


def _try_rested(
    connection: "DBAPIConnection", entry: "ConnectionPoolEntry", _: "PoolProxiedConnection"
) -> None:
    if not still_answers(connection, entry.info):
        # The pool drops all that are as old, and opens a new one.
        raise exc.InvalidatePoolError


def _on_engine_error(context: "ExceptionContext") -> None:
    # An exception that is none of the driver's left the wire one answer behind: the pool would
    # hand out a connection that answers the question before.
    original = context.original_exception
    if not isinstance(original, pg8000.dbapi.DatabaseError) or is_connection_lost(original):
        context.is_disconnect = True
