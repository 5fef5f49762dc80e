"""Beginning a session, and ending those that are over or too many."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, delete, func, insert, literal, select

from lib.accounts import audit, lifetimes
from lib.accounts.granting import Granted
from lib.accounts.refresh_tokens import RefreshToken
from lib.accounts.throttle import clock
from lib.database.account_tables import sessions, users

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

_EXPIRED_AT_ONCE: Final = 100
# Longer than the leeway that a token has.
_GRACE: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session that is to begin.

    Attributes:
        password_set_at: When its user set the password that was verified, where that is known.
        name: What its user calls it.
        address: Where they are.
    """

    user_id: int
    username: str
    role: str
    password_set_at: datetime | None
    refresh_token: RefreshToken
    name: str | None
    address: str

    def grant(self, token: str) -> Granted:
        """Return what its user is given, with its first token."""
        return Granted(
            token=token,
            session_id=self.refresh_token.session_id,
            refresh_token=self.refresh_token.text,
            refresh_expires_in=int(lifetimes.idle_of(self.role).total_seconds()),
            username=self.username,
            role=self.role,
        )


def begin_session(connection: "Connection", new: NewSession, *, now: datetime | None) -> bool:
    """Begin a session, end its user's idlest beyond twenty, and tell whether it may be.

    It may not where the user has gone, was disabled, or has set another password since theirs was
    verified. They are locked, as that may be happening just now.
    """
    row = (
        select(
            literal(new.refresh_token.session_id, Text),
            users.c.id,
            clock(now) + lifetimes.idle_of(new.role),
            literal(new.name, Text),
            literal(new.refresh_token.digest, Text),
            clock(now),
            literal(new.address or None, Text),
        )
        .where(users.c.id == new.user_id, users.c.disabled_at.is_(None))
        .where(users.c.password_set_at.is_not_distinct_from(new.password_set_at))
        .with_for_update(read=True)
    )
    columns = ["jti", "user_id", "expires_at", "name", "digest", "last_used_at", "address"]
    begun = insert(sessions).from_select(columns, row).returning(sessions.c.jti)
    session_id = connection.execute(begun).scalar_one_or_none()
    if session_id is None:
        return False
    audit.write(connection, "login", actor_id=new.user_id, subject=session_id, address=new.address)
    _end_idlest(connection, new.user_id)
    return True


def sweep_sessions(connection: "Connection", now: datetime | None) -> None:
    """Forget some of the sessions that are over, whosever they are."""
    expired = (
        select(sessions.c.jti)
        .where(sessions.c.expires_at < clock(now) - _GRACE)
        .order_by(sessions.c.expires_at)
        .limit(_EXPIRED_AT_ONCE)
    )
    _delete(connection, expired)


def _end_idlest(connection: "Connection", user_id: int) -> None:
    last_used = func.coalesce(sessions.c.last_used_at, sessions.c.created_at)
    too_many = (
        select(sessions.c.jti)
        .where(sessions.c.user_id == user_id)
        .order_by(last_used.desc(), sessions.c.jti)
        .offset(lifetimes.MOST_SESSIONS)
    )
    _delete(connection, select(sessions.c.jti).where(sessions.c.jti.in_(too_many)))


def _delete(connection: "Connection", going: "Select[tuple[str]]") -> None:
    free = going.with_for_update(skip_locked=True)  # locked: another login's or refresh's matter
    connection.execute(delete(sessions).where(sessions.c.jti.in_(free)))
