"""Connections to Postgres: how they are opened, tried after a rest, and given up."""

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import pg8000.dbapi
from sqlalchemy import event, exc
from sqlalchemy.pool import QueuePool

from lib import settings as limits
from lib.db_faults import is_connection_lost
from lib.settings import DatabaseSettings

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

_IDLE_SECONDS: Final = 1.0  # a connection that rested longer is tried before it is used

# A statement's plan depends on our indexes, not on the values: plan once a connection. JIT would
# cost more than any of these statements.
SERVER_SETTINGS: Final = {
    "statement_timeout": str(int(limits.STATEMENT_TIMEOUT * 1000)),
    "lock_timeout": str(int(limits.LOCK_TIMEOUT * 1000)),
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}


def connect_directly(settings: DatabaseSettings) -> "DBAPIConnection":
    """Open a connection whose every wait ends.

    pg8000 takes no time-out for a socket that it is given, so the socket comes with its own.
    """
    wire = socket.create_connection((settings.host, settings.port), limits.CONNECT_TIMEOUT)
    try:
        keep_alive(wire)
        connection: DBAPIConnection = pg8000.dbapi.connect(
            settings.user,
            host=settings.host,
            sock=wire,
            database=settings.name,
            password=settings.password.reveal() if settings.password else None,
            application_name="simple-movie-database",
            startup_params=dict(SERVER_SETTINGS),
        )
    except BaseException:
        wire.close()
        raise
    wire.settimeout(limits.SOCKET_TIMEOUT)
    return connection


def let_go(connection: "DBAPIConnection", _: object, __: object) -> None:
    """Close what pg8000 reads a lost connection through; a hook of the pool's.

    Its socket closes with that and not before, and the traceback of the fault may hold it for as
    long as somebody looks at the fault. What is left to send fails here, and not in a finalizer.
    """
    with contextlib.suppress(Exception):
        connection._sock.close()  # noqa: SLF001  pg8000 gives no other way to it


def keep_alive(wire: socket.socket) -> None:
    """Notice a peer that vanished without a word, even on a connection that rests in the pool."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # not on macOS
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def make_engine(pool: QueuePool) -> "Engine":
    """Put SQLAlchemy's dialect above a pool that has not connected yet."""
    from sqlalchemy import create_engine  # noqa: PLC0415

    engine = create_engine("postgresql+pg8000://", pool=pool)
    event.listen(engine, "handle_error", _on_engine_error)
    return engine


def _on_engine_error(context: "ExceptionContext") -> None:
    # An exception that is none of the driver's left the wire one answer behind: the pool would
    # hand out a connection that answers the question before.
    original = context.original_exception
    if not isinstance(original, pg8000.dbapi.DatabaseError) or is_connection_lost(original):
        context.is_disconnect = True


def try_rested(
    connection: "DBAPIConnection", entry: "ConnectionPoolEntry", _: "PoolProxiedConnection"
) -> None:
    """Try a connection that the pool gives out after a rest; a hook of the pool's.

    Raises:
        InvalidatePoolError: It is dead: the pool drops all that are as old, and opens a new one.
    """
    if not has_rested(entry.info):
        return
    try:
        connection.execute_simple("select 1")
    except Exception as error:
        raise exc.InvalidatePoolError from error


def has_rested(info: dict[Any, Any]) -> bool:
    """Tell whether a connection was unused for so long that it may have been cut meanwhile."""
    rested: float = time.monotonic() - info["used_at"]
    return rested > _IDLE_SECONDS
