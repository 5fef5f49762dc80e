"""The first administrator; what administrators then do about others, `administration` has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.dialects import postgresql

from lib.accounts import audit, passwords
from lib.accounts.administration import IS_ACTIVE_ADMIN
from lib.accounts.new_passwords import check_new_password
from lib.accounts.roles import check_role
from lib.accounts.usernames import fold_username
from lib.database.account_tables import users
from lib.errors import InvalidRequest, NotFound
from lib.settings import Secret, read_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lib.database.transactions import TransactionalDatabase

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


def create_user(
    database: "TransactionalDatabase", *, username: object, password: object, role: str
) -> int:
    """Make a user; return their id.

    Raises:
        InvalidRequest: Something breaks its rule, or the username is taken.
    """
    name = fold_username(username)
    secret = check_new_password(password, username=name, member="password")
    check_role(role)
    password_hash = passwords.hash_password(secret)
    with database.begin() as connection:
        user_id = _insert(connection, name, password_hash, role)
    if user_id is None:
        raise InvalidRequest("The username is taken.", fields={"username": "is taken"})
    return user_id


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
    if _insert(connection, name, passwords.hash_password(secret), "admin") is None:
        # Whoever disabled this user, or lowered their role, wanted that.
        taken = "the user of this name is no active administrator, and is left as they are"
        return _refuse_admin("ADMIN_USERNAME", taken)
    made = {"role": "admin", "by": "migration"}
    audit.write(connection, "user.created", actor_id=None, subject=name, address=None, details=made)
    return FirstAdmin(created=True)


def set_role(database: "TransactionalDatabase", *, username: object, role: str) -> None:
    """Give a user another role, which counts from their next request on.

    Raises:
        InvalidRequest: There is no such role.
        NotFound: There is no such user.
    """
    name = fold_username(username)
    check_role(role)
    changed = update(users).where(users.c.username == name).values(role=role).returning(users.c.id)
    with database.begin() as connection:
        if connection.execute(changed).scalar_one_or_none() is None:
            raise NotFound("There is no user of this name.")


def _insert(connection: "Connection", name: str, password_hash: str, role: str) -> int | None:
    """Make a user and return their id; None where the name is taken."""
    user_id: int | None = connection.execute(
        postgresql.insert(users)
        .values(username=name, password_hash=password_hash, role=role, password_set_at=func.now())
        .on_conflict_do_nothing()
        .returning(users.c.id)
    ).scalar_one_or_none()
    return user_id


def _refuse_admin(variable: str, reason: str) -> FirstAdmin:
    refused = f"{variable} cannot be used: {reason}"
    log.warning("no administrator was made", extra={"fields": {"reason": refused}})
    return FirstAdmin(refused=refused)
