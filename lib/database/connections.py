"""Connections to Postgres: how they are opened, tried after a rest, and given up."""

import socket
import time
from typing import TYPE_CHECKING, Any, Final

import pg8000.dbapi

from lib import limits
from lib.database.driver import answers, keep_alive, wire_of
from lib.database.settings import DatabaseSettings

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
    except BaseException:
        wire.close()
        raise
    wire_of(connection).settimeout(limits.SOCKET_TIMEOUT)  # with TLS it is not `wire`
    return connection


def _tls(settings: DatabaseSettings) -> Any:
    if settings.ssl_mode == "disable":
        return False
    from lib.database.tls import driver_option  # noqa: PLC0415  the cloud does without

    return driver_option(settings.ssl_mode, settings.ssl_root_cert)


def still_answers(connection: Any, info: dict[Any, Any]) -> bool:
    """Tell whether a connection from the pool is alive; without a doubt it is taken to be."""
    return not is_in_doubt(info) or answers(connection)


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
