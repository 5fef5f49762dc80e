"""Users: making them, and giving them roles.

A username is compared in one folded form: `Admin`, ` admin ` and the same in full-width letters are
one user; look-alikes from other alphabets are others.
"""

import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy import exists, select, text, update
from sqlalchemy.dialects import postgresql

from lib.accounts import passwords
from lib.accounts.passwords import PASSWORD_LENGTH
from lib.accounts.roles import ROLES
from lib.database.account_tables import users
from lib.errors import InvalidRequest, NotFound
from lib.settings import Secret, SettingsError, read_text
from lib.texts import MOST_MARKS, has_long_run_of_marks
from lib.web.rules import Rule, Schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lib.database.transactions import TransactionalDatabase

log = logging.getLogger(__name__)

_MAX_NAME: Final = 100


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The first administrator, made by the migration when there is no user yet."""

    username: str
    password: Secret | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Make no administrator when there is no password."""
        password = env.get("ADMIN_PASSWORD")
        if password and len(password) < PASSWORD_LENGTH:
            raise SettingsError(
                f"ADMIN_PASSWORD is too short: expected at least {PASSWORD_LENGTH} characters"
            )
        return cls(
            username=read_text(env, "ADMIN_USERNAME", "admin"),
            password=Secret(password) if password else None,
        )


def fold_username(username: object) -> str:
    """Return the form that a username is stored and found in.

    Raises:
        InvalidRequest: It is no text of 1 to 100 visible characters, or one of marks on marks.
    """
    if not isinstance(username, str):
        raise _invalid("username", "expected a string")
    if len(username) > 4 * _MAX_NAME:  # before the work of folding it
        raise _invalid("username", f"too long: expected 1 to {_MAX_NAME} characters")
    if has_long_run_of_marks(username):
        raise _invalid("username", f"holds more than {MOST_MARKS} combining marks in a row")
    folded = unicodedata.normalize("NFKC", username)
    # Control, format, surrogate, private, unassigned; separators of lines and paragraphs.
    if any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in folded):
        raise _invalid("username", "holds a control, an invisible or an unassigned character")
    folded = unicodedata.normalize("NFKC", folded.casefold()).strip()
    if not 1 <= len(folded) <= _MAX_NAME:
        raise _invalid("username", f"expected 1 to {_MAX_NAME} characters")
    return folded


class _NameRule(Rule[str]):
    """A username, which stays as it was sent."""

    rule = f"must be a text of 1 to {_MAX_NAME} visible characters"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:  # noqa: ARG002  it is told by its own
        """Read a member; raise `InvalidRequest` for what cannot be folded."""
        fold_username(value)
        return str(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _MAX_NAME}


USERNAME: Final = _NameRule()


def create_user(
    database: "TransactionalDatabase", *, username: object, password: object, role: str
) -> int:
    """Make a user; return their id.

    Raises:
        InvalidRequest: Something breaks its rule, or the username is taken.
    """
    name, secret = fold_username(username), passwords.check_new_password(password)
    _check_role(role)
    password_hash = passwords.hash_password(secret)
    with database.begin() as connection:
        return _insert(connection, name, password_hash, role)


def ensure_first_admin(connection: "Connection", settings: AdminSettings) -> bool:
    """Make the first administrator if there is no user at all, and tell whether that was done.

    Raises:
        SettingsError: `ADMIN_USERNAME` or `ADMIN_PASSWORD` breaks the rule for new users.
    """
    # Readers pass, writers and a second one like this wait until the transaction ends.
    connection.execute(text("lock table users in share row exclusive mode"))
    if connection.execute(select(exists().select_from(users))).scalar_one():
        return False
    if settings.password is None:
        log.warning("no administrator was made: ADMIN_PASSWORD is not set")
        return False
    try:
        name = fold_username(settings.username)
        secret = passwords.check_new_password(settings.password.reveal())
    except InvalidRequest as error:
        variable = "ADMIN_USERNAME" if "username" in error.fields else "ADMIN_PASSWORD"
        raise SettingsError(f"{variable} cannot be used. {error.message}") from None
    _insert(connection, name, passwords.hash_password(secret), "admin")
    return True


def set_role(database: "TransactionalDatabase", *, username: object, role: str) -> None:
    """Give a user another role, which counts from their next request on.

    Raises:
        InvalidRequest: There is no such role.
        NotFound: There is no such user.
    """
    name = fold_username(username)
    _check_role(role)
    changed = update(users).where(users.c.username == name).values(role=role).returning(users.c.id)
    with database.begin() as connection:
        if connection.execute(changed).scalar_one_or_none() is None:
            raise NotFound("There is no user of this name.")


def _insert(connection: "Connection", name: str, password_hash: str, role: str) -> int:
    user_id: int | None = connection.execute(
        postgresql.insert(users)
        .values(username=name, password_hash=password_hash, role=role)
        .on_conflict_do_nothing()
        .returning(users.c.id)
    ).scalar_one_or_none()
    if user_id is None:
        raise _invalid("username", "is taken")
    return user_id


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise _invalid("role", f"expected one of {', '.join(ROLES)}")


def _invalid(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The {field} is not accepted: {what}.", fields={field: what})
