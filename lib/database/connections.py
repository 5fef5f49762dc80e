"""The connections to Postgres of one function's instance: opened, prepared, warmed, in one pool."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pg8000.dbapi

from lib import limits
from lib.database.driver import keep_alive, let_go, wire_of
from lib.database.faults import PasswordMissing, sqlstate
from lib.database.pool import Connection, Pool, PreparedStatements
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.errors import ServiceError

log = logging.getLogger(__name__)

# A statement's plan depends on our indexes, not on the values: plan once a connection. JIT would
# cost more than any of these statements.
SERVER_SETTINGS: Final = {
    "statement_timeout": str(int(limits.STATEMENT_TIMEOUT * 1000)),
    "lock_timeout": str(int(limits.LOCK_TIMEOUT * 1000)),
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    # What is appended comes in its order, and to start a process takes longer than most statements.
    "max_parallel_workers_per_gather": "0",
}
_PAUSE: Final = 1.0  # between two tries to open the first connection


class Connections:
    """What a database is to its threads and to its event loop alike: a pool, and how to fill it.

    Nothing connects before the server has forked its worker, as what is opened at import would be
    shared with the parent process; but for a first connection that is waited for, which the parent
    leaves to the worker.

    Args:
        settings: Where the database is.
        statements: What will be asked soon, prepared when a connection opens; any other is prepared
            when a connection is first asked for it.
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
        self._statements = tuple(statements)
        self._connector_options = dict(connector_options or {})
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._connector: Any = None
        self._warming: threading.Thread | None = None
        self._is_left_to_child = False

    def warm_after_fork(self) -> None:
        """Open the first connection while the forked worker starts, or now, where it may wait.

        functions-framework loads the function, then opens its port, then forks: who waits here is
        not asked anything meanwhile. The hooks stay for the life of the process; a failure shows
        itself to the first request.
        """
        if self._settings.wait_seconds > 0:
            self._is_left_to_child = _await_first(self._warm_up, self._settings.wait_seconds)
            self._close_connector()  # its thread would not live on in the worker
        os.register_at_fork(
            after_in_parent=self._leave_to_child, after_in_child=self._begin_in_child
        )

    def warm(self) -> None:
        """Open a connection and let it rest; a failure shows itself to the first request."""
        try:
            self._warm_up()
        except ServiceError:
            pass  # already in the log; the first request tells its caller
        except Exception as error:  # noqa: BLE001
            log.warning("no database yet", extra={"fields": {"error_class": type(error).__name__}})

    def close(self) -> None:
        """Close every idle connection; the next use opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.dispose()
        self._close_connector()

    def _take(self) -> Connection:
        self._await_warming()
        return self._open_pool().take()

    def _await_warming(self) -> None:
        """Wait for the connection that is on its way: one of our own would come later than that."""
        warming = self._warming
        if warming is not None:
            warming.join(limits.POOL_TIMEOUT)
            self._warming = None

    def _open_pool(self) -> Pool:
        pool = self._pool
        if pool is None:
            with self._lock:
                pool = self._pool = self._pool or Pool(
                    self._open, size=self._settings.connections, timeout=limits.POOL_TIMEOUT
                )
        return pool

    def _open(self) -> tuple[pg8000.dbapi.Connection, PreparedStatements]:
        connection = self._connect()
        try:
            connection.autocommit = True
            prepared = PreparedStatements(connection)
            for statement in self._statements:
                prepared.prepare(statement)
        except BaseException:
            let_go(connection)
            raise
        return connection, prepared

    def _connect(self) -> pg8000.dbapi.Connection:
        if self._settings.instance is not None:
            return self._connect_through_cloud_sql(self._settings.instance)
        return connect_directly(self._settings)

    def _connect_through_cloud_sql(self, instance: str) -> pg8000.dbapi.Connection:
        # Imported here: it costs more than all the rest, and only the cloud uses it.
        from lib.database.cloud_sql import CloudSql  # noqa: PLC0415

        with self._lock:
            if self._connector is None:
                self._connector = CloudSql(
                    self._settings, instance, SERVER_SETTINGS, **self._connector_options
                )
            connector = self._connector
        return connector.connect()

    def _close_connector(self) -> None:
        with self._lock:
            connector, self._connector = self._connector, None
        if connector is not None:
            connector.close()

    def _leave_to_child(self) -> None:
        if self._is_left_to_child and self._pool is not None:
            self._pool.abandon()
            self._pool, self._is_left_to_child = None, False

    def _begin_in_child(self) -> None:
        if self._is_left_to_child:
            self._lock, self._is_left_to_child = threading.Lock(), False
        else:
            self._warm_in_background()

    def _warm_in_background(self) -> None:
        # What was open before the fork is the parent's, whose answers would come to us.
        self._lock, self._pool, self._connector = threading.Lock(), None, None
        self._warming = threading.Thread(target=self.warm, name="database-warm-up", daemon=True)
        self._warming.start()

    def _warm_up(self) -> None:
        self._open_pool().take().close()


def _await_first(open_first: Callable[[], None], seconds: float) -> bool:
    """Try until a connection is open, and tell whether one is.

    No try begins after so many seconds, and none after Postgres itself has answered: it is the way
    there that is waited for, and a refusal shows that it is open.
    """
    end = time.monotonic() + seconds
    # What these tries meet is no news. Logging is not set up yet, either, and the worker tries and
    # tells again what is left of it.
    logging.disable()
    try:
        while True:
            try:
                open_first()
            except Exception as error:  # noqa: BLE001
                if sqlstate(error) is not None or time.monotonic() + _PAUSE > end:
                    return False
                time.sleep(_PAUSE)
            else:
                return True
    finally:
        logging.disable(logging.NOTSET)


def connect_directly(settings: DatabaseSettings) -> pg8000.dbapi.Connection:
    """Open a connection whose every wait ends.

    pg8000 takes no time-out for a socket that it is given, so the socket comes with its own.
    """
    wire = socket.create_connection((settings.host, settings.port), limits.CONNECT_TIMEOUT)
    try:
        keep_alive(wire)
        connection = pg8000.dbapi.connect(
            settings.user,
            host=settings.host,
            sock=wire,
            database=settings.name,
            password=settings.password.reveal() if settings.password else None,
            application_name="simple-movie-database",
            startup_params=dict(SERVER_SETTINGS),
            ssl_context=_tls(settings),
        )
    except BaseException as error:
        wire.close()
        # One of the driver's ways to log in uses a password without a look at whether there is one.
        if settings.password is None and (
            isinstance(error, AttributeError) or "no password was provided" in str(error)
        ):
            raise PasswordMissing from error
        raise
    wire_of(connection).settimeout(limits.SOCKET_TIMEOUT)  # with TLS it is not `wire`
    return connection


def _tls(settings: DatabaseSettings) -> Any:
    if settings.ssl_mode == "disable":
        return False
    from lib.database.tls import driver_option  # noqa: PLC0415  the cloud does without

    return driver_option(settings.ssl_mode, settings.ssl_root_cert)
