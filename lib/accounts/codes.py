"""One-time codes: with one its owner chooses a password, which nobody else ever knows.

256 random bits, of which a digest is kept. A user has one at most: a new one replaces it. Whoever
made it sees it once and hands it over, as there is no mail.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import delete, func, insert, select

from lib.database.account_tables import password_codes, users
from lib.errors import InvalidCode, InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import Connection

Purpose = Literal["invite", "reset"]

# A reset opens an account that is in use, so its code has to be fetched at once.
_LIFETIME: Final = {"invite": timedelta(hours=72), "reset": timedelta(hours=1)}
LONGEST: Final = 200  # far more than any of ours, and little to digest


@dataclass(frozen=True, kw_only=True)
class IssuedCode:
    """A code as whoever made it sees it once; its text is kept out of `repr`, and so of logs."""

    code: str = field(repr=False)
    expires_at: datetime

    def as_answer(self) -> dict[str, Any]:
        """Return what an administrator is told, this once."""
        until = self.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"code": self.code, "code_expires_at": until}


@dataclass(frozen=True, kw_only=True)
class CodeOwner:
    """Whose password a code sets."""

    id: int
    username: str


def read_code(code: object) -> str:
    """Return the digest of a code that a caller sent; any text may be one.

    Raises:
        InvalidRequest: It is no text, or longer than any code.
    """
    if not isinstance(code, str) or not 1 <= len(code) <= LONGEST:
        raise InvalidRequest(
            f"The code is not accepted: expected a text of 1 to {LONGEST} characters.",
            fields={"code": f"expected a text of 1 to {LONGEST} characters"},
        )
    return _digest(code)


def issue_code(
    connection: "Connection", user_id: int, purpose: Purpose, *, created_by: int | None
) -> IssuedCode:
    """Make a user's code in the place of the one that there may be.

    The user's row must be locked, or new.

    Args:
        created_by: Whose doing it is; None from a terminal.
    """
    code = f"smc_{secrets.token_urlsafe(32)}"  # a beginning that scanners for secrets find it by
    forget_codes(connection, user_id)
    expires_at: datetime = connection.execute(
        insert(password_codes)
        .values(
            digest=_digest(code),
            user_id=user_id,
            purpose=purpose,
            created_by=created_by,
            expires_at=func.now() + _LIFETIME[purpose],
        )
        .returning(password_codes.c.expires_at)
    ).scalar_one()
    return IssuedCode(code=code, expires_at=expires_at)


def find_owner(connection: "Connection", digest: str) -> CodeOwner | None:
    """Return whose password a code may set just now; nobody's if they are disabled."""
    found = connection.execute(
        select(users.c.id, users.c.username)
        .join_from(password_codes, users)
        .where(
            password_codes.c.digest == digest,
            password_codes.c.expires_at > func.now(),
            users.c.disabled_at.is_(None),
        )
    ).one_or_none()
    return None if found is None else CodeOwner(id=found.id, username=found.username)


def spend_code(connection: "Connection", digest: str) -> None:
    """Take a code out, once for all who try at the same time.

    Raises:
        InvalidCode: It was spent, replaced or has expired since it was found.
    """
    spent = (
        delete(password_codes)
        .where(password_codes.c.digest == digest, password_codes.c.expires_at > func.now())
        .returning(password_codes.c.user_id)
    )
    if connection.execute(spent).scalar_one_or_none() is None:
        raise invalid_code()


def forget_codes(connection: "Connection", user_id: int) -> None:
    """Take a user's code out, if there is one."""
    connection.execute(delete(password_codes).where(password_codes.c.user_id == user_id))


def invalid_code() -> InvalidCode:
    """Make the one refusal that all wrong codes get: it does not say what was wrong."""
    return InvalidCode(
        "The code is not valid, or no longer: ask an administrator for a new one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
