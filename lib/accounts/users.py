"""The first administrator; what administrators then do about others, `administration` has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sqlalchemy import exists, func, select, text
from sqlalchemy.dialects import postgresql

from lib.accounts import audit, passwords
from lib.accounts.administration import IS_ACTIVE_ADMIN
from lib.accounts.new_passwords import check_new_password
from lib.accounts.usernames import fold_username
from lib.database.account_tables import users
from lib.errors import InvalidRequest
from lib.settings import Secret, read_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The first administrator, made by the migration when there is none that is active."""

    username: str
    password: Secret | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Make no administrator when there is no password.

        Whether it keeps the rule for new ones is looked at when it is to be used: an environment
        that has its administrator may name one that was right when they were made.
        """
        password = env.get("ADMIN_PASSWORD")
        return cls(
            username=read_text(env, "ADMIN_USERNAME", "admin"),
            password=Secret(password) if password else None,
        )


@dataclass(frozen=True, kw_only=True)
class FirstAdmin:
    """What came of making the first administrator.

    Attributes:
        refused: Why there is no active one still, although there was a password for one.
    """

    created: bool = False
    refused: str | None = None


def ensure_first_admin(connection: "Connection", settings: AdminSettings) -> FirstAdmin:
    """Make the first administrator if there is no active one; what is in the way fails nothing."""
    # Readers pass, writers and a second one like this wait until the transaction ends.
    connection.execute(text("lock table users in share row exclusive mode"))
    if connection.execute(select(exists().where(IS_ACTIVE_ADMIN))).scalar_one():
        return FirstAdmin()
    if settings.password is None:
        log.warning("no administrator was made: ADMIN_PASSWORD is not set")
        return FirstAdmin()
    try:
        name = fold_username(settings.username, member="ADMIN_USERNAME")
        secret = check_new_password(
            settings.password.reveal(), username=name, member="ADMIN_PASSWORD"
        )
    except InvalidRequest as error:
        [(variable, reason)] = error.fields.items()
        return _refuse_admin(variable, reason)
    if not _insert(connection, name, passwords.hash_password(secret)):
        # Whoever disabled this user, or lowered their role, wanted that.
        taken = "the user of this name is no active administrator, and is left as they are"
        return _refuse_admin("ADMIN_USERNAME", taken)
    made = {"role": "admin", "by": "migration"}
    audit.write(connection, "user.created", actor_id=None, subject=name, address=None, details=made)
    return FirstAdmin(created=True)


def _insert(connection: "Connection", name: str, password_hash: str) -> bool:
    """Make an administrator, and tell whether the name was free."""
    made = (
        postgresql.insert(users)
        .values(
            username=name, password_hash=password_hash, role="admin", password_set_at=func.now()
        )
        .on_conflict_do_nothing()
        .returning(users.c.id)
    )
    return connection.execute(made).scalar_one_or_none() is not None


def _refuse_admin(variable: str, reason: str) -> FirstAdmin:
    refused = f"{variable} cannot be used: {reason}"
    log.warning("no administrator was made", extra={"fields": {"reason": refused}})
    return FirstAdmin(refused=refused)
