"""The database's faults in our own terms.

pg8000 raises one class for nearly everything, so the SQLSTATE decides and never the class.
"""

import logging
import ssl
from functools import cache
from typing import Final

import pg8000.dbapi

from lib.errors import DatabaseUnavailable, InternalError, InvalidRequest, ServiceError

log = logging.getLogger(__name__)

# SQLSTATE classes and codes (PostgreSQL, appendix A) of a database that cannot serve just now:
# connection, resources, operator intervention (shutdown, time-out, not yet started), read-only
# after a failover, serialization and deadlock, lock not available, login, schema not yet there,
# rights not yet there: a new function serves before the migration that gives it its role.
_UNAVAILABLE: Final = (
    "08", "53", "57", "58", "25006", "40001", "40P01", "55P03", "28", "3D000", "42P01", "42703",
    "42501",
)  # fmt: skip
# What only a pooler answers that gives each transaction to another of its connections.
_POOLER: Final = ("26000", "42P05")
POOLER: Final = (
    "a pooler before the database keeps neither prepared statements nor our settings from one "
    "transaction to the next: connect to Postgres itself, or let the pooler pool sessions"
)
_REFUSED: Final = ("22", "23", "54000")  # values that the schema does not take
_CONNECTION_LOST: Final = ("08", "57P", "25006")
_ROLLED_BACK: Final = ("40001", "40P01")  # as others were in the way: serialization, deadlock


class PasswordMissing(pg8000.dbapi.InterfaceError):  # type: ignore[misc]  # it has no types
    """The server asks for a password, and we were given none."""

    def __init__(self) -> None:
        super().__init__("the server asks for a password, and DATABASE_URL holds none")


class PassingFault(Exception):
    """What a second try of a statement may not meet again.

    Attributes:
        fault: What to tell after the last try.
        undone: Whether the first try is known to have done nothing.
    """

    def __init__(self, fault: ServiceError, *, undone: bool) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.undone = undone


def sqlstate(error: BaseException) -> str | None:
    """Return the five letters that say what Postgres refused; None when it was not Postgres."""
    original = getattr(error, "orig", None) or error
    details = original.args[0] if original.args else None
    code = details.get("C") if isinstance(details, dict) else None
    return code if isinstance(code, str) else None


def translate_fault(error: BaseException) -> ServiceError:
    """Say in our own terms what a fault of the driver, the pool or the socket means."""
    if isinstance(error, ServiceError):
        return error
    state = sqlstate(error)
    if state is None:
        return _translate_without_state(error)
    pooled = is_of_pooler(error)
    if pooled:
        _tell_of_pooler()
    if pooled or _is_one_of(state, _UNAVAILABLE):
        log.error("database unavailable", extra={"fields": {"sqlstate": state}})
        return DatabaseUnavailable(
            "The database cannot serve just now. Try again in a moment.", retry_after_seconds=5
        )
    if _is_one_of(state, _REFUSED):
        log.warning("value refused by the database", extra={"fields": {"sqlstate": state}})
        return InvalidRequest("A value is out of the range that the catalogue can keep.")
    log.error("database fault", extra={"fields": {"sqlstate": state}})
    return InternalError("The catalogue failed to answer this; the fault is in our log.")


def _translate_without_state(error: BaseException) -> ServiceError:
    original = getattr(error, "orig", None) or error
    if isinstance(original, UnicodeError):
        return InvalidRequest("A text holds characters that cannot be stored.")
    # The last is SQLAlchemy's, which not every function loads.
    if isinstance(original, (OSError, pg8000.dbapi.Error, EOFError)) or getattr(
        error, "connection_invalidated", False
    ):
        fields = {"error_class": type(original).__name__}
        if isinstance(original, ssl.SSLError):
            fields["reason"] = getattr(original, "verify_message", original.reason) or ""
        elif isinstance(original, PasswordMissing):
            fields["reason"] = str(original)
        log.error("database unreachable", extra={"fields": fields})
        return DatabaseUnavailable(
            "The database cannot be reached. Try again in a moment.", retry_after_seconds=5
        )
    log.error("database fault", extra={"fields": {"error_class": type(original).__name__}})
    return InternalError("The catalogue failed to answer this; the fault is in our log.")


def is_of_pooler(error: BaseException) -> bool:
    """Tell whether a pooler before the database, and not the database, refuses what we do."""
    original = getattr(error, "orig", None) or error
    said = original.args[0].get("M", "") if sqlstate(error) == "08P01" else ""
    return _is_one_of(sqlstate(error), _POOLER) or "startup parameter" in said


@cache
def _tell_of_pooler() -> None:
    """Say it once: each request would say the same."""
    log.critical("a transaction pooler cannot be used: %s", POOLER)


def is_connection_lost(error: BaseException) -> bool:
    """Tell whether Postgres said that this connection has come to its end."""
    return _is_one_of(sqlstate(error), _CONNECTION_LOST)


def is_rolled_back(error: BaseException) -> bool:
    """Tell whether Postgres undid the transaction for the sake of others."""
    return _is_one_of(sqlstate(error), _ROLLED_BACK)


def _is_one_of(state: str | None, prefixes: tuple[str, ...]) -> bool:
    return state is not None and state.startswith(prefixes)
