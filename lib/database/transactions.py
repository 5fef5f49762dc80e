"""A database with transactions as well, through SQLAlchemy.

In a module of its own, as only functions with transactions should load SQLAlchemy. Here that is a
toolkit for statements and transactions; the connections are those of our pool.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pg8000.dbapi
from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import NullPool

from lib.database import pool
from lib.database.database import Database
from lib.database.faults import is_connection_lost, translate_fault

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExceptionContext


class TransactionalDatabase(Database):
    """A database whose connections also take transactions, in threads."""

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction: committed at the end, rolled back when anything is raised.

        Raises:
            DatabaseUnavailable: The database cannot serve just now.
            InvalidRequest: A value is none that the schema takes.
        """
        with self._connected() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def without_transaction(self) -> Iterator[Connection]:
        """Open a connection each of whose statements is committed by itself.

        For what cannot be in a transaction, as making an index concurrently. Raises as `begin`.
        """
        with self._connected() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            self._await_warming()
            with self._engine.connect() as connection:
                yield connection
        except (exc.SQLAlchemyError, pg8000.dbapi.Error, OSError, UnicodeError) as error:
            raise translate_fault(error) from error

    @cached_property
    def _engine(self) -> Engine:
        loans = _Loans(lambda: self._open_pool().take())
        engine = create_engine(
            "postgresql+pg8000://",
            creator=loans.lend,
            poolclass=NullPool,
            pool_reset_on_return=None,
        )
        engine.dialect.do_close = loans.take_back  # type: ignore[method-assign]
        engine.dialect.do_terminate = loans.write_off  # type: ignore[method-assign]
        event.listen(engine, "handle_error", _on_engine_error)
        return engine

    def _warm_up(self) -> None:
        # Of its first connection SQLAlchemy asks what it speaks to.
        self._engine.raw_connection().close()


class _Loans:
    """The connections of our pool that SQLAlchemy has, each for one transaction.

    What it opens it takes from there; what it closes goes back; what it gives up is lost.
    """

    def __init__(self, take: Callable[[], pool.Connection]) -> None:
        self._take = take
        self._lent: dict[Any, pool.Connection] = {}

    def lend(self) -> Any:
        connection = self._take()
        connection.driver.autocommit = False
        self._lent[connection.driver] = connection
        return connection.driver

    def take_back(self, dbapi_connection: Any) -> None:
        connection = self._lent.pop(dbapi_connection)
        connection.driver.autocommit = True
        connection.note_use()
        connection.close()

    def write_off(self, dbapi_connection: Any) -> None:
        connection = self._lent.pop(dbapi_connection)
        connection.lose()
        connection.close()


def _on_engine_error(context: "ExceptionContext") -> None:
    # An exception that is none of the driver's left the wire one answer behind: the pool would
    # hand out a connection that answers the question before.
    original = context.original_exception
    if not isinstance(original, pg8000.dbapi.DatabaseError) or is_connection_lost(original):
        context.is_disconnect = True
    context.invalidate_pool_on_disconnect = False  # there is nothing in SQLAlchemy's
