"""Connections to Postgres: how they are opened, tried after a rest, and given up."""

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pg8000.dbapi

from lib import settings as limits
from lib.db_faults import PasswordMissing
from lib.settings import DatabaseSettings

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

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


class Losses:
    """When a pool last lost a connection, as what took that one has most likely taken others."""

    def __init__(self) -> None:
        self.last_at = 0.0


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
    driver: Any = connection
    driver._usock.settimeout(limits.SOCKET_TIMEOUT)  # noqa: SLF001  with TLS it is not `wire`
    return connection


def _tls(settings: DatabaseSettings) -> Any:
    if settings.ssl_mode == "disable":
        return False
    from lib.db_tls import driver_option  # noqa: PLC0415  the cloud does without

    return driver_option(settings.ssl_mode, settings.ssl_root_cert)


@contextlib.contextmanager
def unhurried(connection: Any) -> Iterator[None]:
    """Wait for each answer as long as it takes, but no longer for a peer that has vanished.

    `keep_alive` notices that within a minute. What Postgres itself ends is not changed by this.
    """
    wire = connection._usock  # noqa: SLF001  pg8000 gives no other way to its socket
    wire.settimeout(None)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it may be closed by now
            wire.settimeout(limits.SOCKET_TIMEOUT)


def let_go(connection: Any) -> None:
    """Close a connection, whatever state it is in.

    Its socket closes with the file object that pg8000 reads it through and not before, and the
    traceback of a fault may hold that for as long as somebody looks at the fault.
    """
    file = connection._sock  # noqa: SLF001  pg8000 gives no other way to it
    for part in (connection, file):
        with contextlib.suppress(Exception):
            part.close()


def keep_alive(wire: socket.socket) -> None:
    """Notice a peer that vanished without a word, even on a connection that rests in the pool."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # not on macOS
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def still_answers(connection: Any, info: dict[Any, Any]) -> bool:
    """Tell whether a connection from the pool is alive; without a doubt it is taken to be."""
    if not is_in_doubt(info):
        return True
    try:
        connection.execute_simple("select 1")
    except Exception:  # noqa: BLE001  whatever it is, another connection is better
        return False
    return True


def is_in_doubt(info: dict[Any, Any]) -> bool:
    """Tell whether a connection may be cut: unused for long, or since another was lost, or it has
    something to say that nobody asked for, which is most likely that it ends.
    """  # noqa: D205
    used_at: float = info["used_at"]
    return (
        time.monotonic() - used_at > _IDLE_SECONDS
        or used_at <= info["losses"].last_at
        or bool(info["word"].poll(0))
    )


def word_of(connection: Any) -> select.poll:
    """Watch for what a connection says: `poll(0)` gives nothing while it is silent and open.

    It takes a microsecond, with TLS as well, and any number of open files.
    """
    word = select.poll()
    word.register(connection._usock, select.POLLIN)  # noqa: SLF001
    return word
