"""Setting a password: by whoever has the present one, or a one-time code. Nobody else ever can.

Both are throttled by the counters of logins, as a stolen token must not guess a password, and
neither waits for argon2 in a transaction.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select, update

from lib.accounts import audit, codes, known_networks, passwords, throttle
from lib.accounts.new_passwords import NEW_PASSWORD, check_new_password
from lib.accounts.passwords import PASSWORD
from lib.database.account_tables import login_networks, sessions, users
from lib.errors import InvalidCredentials
from lib.web.inputs import Input, Inputs
from lib.web.networks import Network, network_of
from lib.web.rules import Text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from lib.database.transactions import TransactionalDatabase

log = logging.getLogger(__name__)

_NEW: Final = Input(rule=NEW_PASSWORD, about="What the user has chosen.", required=True)
CHANGING: Final = Inputs(
    {
        "current_password": Input(rule=PASSWORD, about="The present one.", required=True),
        "new_password": _NEW,
    }
)
SETTING: Final = Inputs(
    {
        "code": Input(
            rule=Text(longest=codes.LONGEST),
            about="The one-time code that an administrator handed over.",
            required=True,
        ),
        "new_password": _NEW,
    }
)


@dataclass(frozen=True, kw_only=True)
class _User:
    id: int
    username: str
    new_password: str = field(repr=False)
    password_hash: str | None = field(default=None, repr=False)


def change_password(
    database: "TransactionalDatabase",
    *,
    user_id: int,
    session_id: str,
    current_password: object,
    new_password: object,
    address: str,
    now: datetime | None = None,
) -> None:
    """Give the user of a token another password; their other sessions end, and an open code.

    Args:
        session_id: The token's own, which goes on.
        now: What time it is, for tests; else the database's clock says so.

    Raises:
        InvalidRequest: A password breaks its form, or the new one the rule for new ones.
        TooManyAttempts: The user or the network has failed too often.
        InvalidCredentials: The present password is another, or its user was disabled or deleted
            since the token was admitted.
    """
    current = passwords.normalise_password(current_password, member="current_password")
    with database.begin() as connection:
        user, attempt = _begin_change(connection, user_id, new_password, network_of(address), now)
    # No transaction is open from here on, as argon2 takes its time.
    try:
        passwords.verify_password(user.password_hash, current)
    except passwords.PasswordMismatch:
        _tell_of_refusal(database, user, address)
        raise _wrong_password() from None
    hashed = passwords.hash_password(user.new_password)
    with database.begin() as connection:
        throttle.take_back(connection, attempt, forgive=False)
        # Not when it changed meanwhile: whoever did that may not know this one.
        if not _store(connection, user, hashed, users.c.password_hash == user.password_hash):
            raise _wrong_password()
        _end_sessions(connection, user, but=session_id)
        codes.forget_codes(connection, user.id)
        _note(connection, "password.changed", user, address)


def set_password(
    database: "TransactionalDatabase",
    *,
    code: object,
    new_password: object,
    address: str,
    now: datetime | None = None,
) -> None:
    """Give the owner of a one-time code another password; the code is spent, all sessions end.

    Args:
        now: What time it is for the throttle, for tests; else the database's clock says so.

    Raises:
        InvalidRequest: The code breaks its form, or the password the rule for new ones. The code
            can still be used then.
        TooManyAttempts: Too many codes from the caller's network were wrong.
        InvalidCode: There is no such code, or it is spent, replaced, expired or a disabled user's.
    """
    digest = codes.read_code(code)
    check_new_password(new_password, username="")  # before anything that costs more
    with database.begin() as connection:
        owner, attempt = _begin_setting(connection, digest, new_password, address, now)
    if owner is None:
        log.warning("code refused", extra={"fields": {"address": address}})
        raise codes.invalid_code()
    hashed = passwords.hash_password(owner.new_password)
    with database.begin() as connection:
        throttle.take_back(connection, attempt, forgive=False)
        # The user first, as whoever resets or disables them locks that before the code.
        if not _store(connection, owner, hashed):
            raise codes.invalid_code()
        codes.spend_code(connection, digest)
        _end_sessions(connection, owner)
        _note(connection, "password.set", owner, address)


def _begin_change(
    connection: "Connection",
    user_id: int,
    new_password: object,
    network: Network,
    now: datetime | None,
) -> tuple[_User, throttle.Attempt]:
    found = connection.execute(
        select(
            users.c.id,
            users.c.username,
            users.c.password_hash,
            login_networks.c.network.is_not(None).label("is_at_known_network"),
        )
        .outerjoin_from(users, login_networks, known_networks.is_of_user(network, now))
        .where(users.c.id == user_id, users.c.disabled_at.is_(None))
    ).one_or_none()
    if found is None:
        raise _wrong_password()
    attempt = throttle.count_attempt(
        connection,
        username=found.username,
        network=network,
        known=found.is_at_known_network,
        now=now,
    )
    user = _User(
        id=found.id,
        username=found.username,
        password_hash=found.password_hash,
        # Where this is refused, the transaction is rolled back, and nothing is counted.
        new_password=check_new_password(new_password, username=found.username),
    )
    return user, attempt


def _begin_setting(
    connection: "Connection", digest: str, new_password: object, address: str, now: datetime | None
) -> tuple[_User | None, throttle.Attempt]:
    network = network_of(address)
    attempt = throttle.count_attempt(connection, username=None, network=network, now=now)
    owner = codes.find_owner(connection, digest)
    if owner is None:
        _note(connection, "password.refused", None, address)
        return None, attempt
    # As above: a code whose password is refused can be used again.
    new = check_new_password(new_password, username=owner.username)
    return _User(id=owner.id, username=owner.username, new_password=new), attempt


def _store(
    connection: "Connection", user: _User, hashed: str, *conditions: "ColumnElement[bool]"
) -> bool:
    """Store a password, and tell whether its user is still there and may have it."""
    stored = (
        update(users)
        .where(users.c.id == user.id, users.c.disabled_at.is_(None), *conditions)
        .values(password_hash=hashed, password_set_at=func.now(), changed_at=func.now())
        .returning(users.c.id)
    )
    return connection.execute(stored).scalar_one_or_none() is not None


def _end_sessions(connection: "Connection", user: _User, *, but: str | None = None) -> None:
    ending = delete(sessions).where(sessions.c.user_id == user.id)
    if but is not None:
        ending = ending.where(sessions.c.jti != but)
    connection.execute(ending)


def _tell_of_refusal(database: "TransactionalDatabase", user: _User, address: str) -> None:
    fields = {"user": throttle.user_digest(user.username)[:12], "address": address}
    log.warning("password refused", extra={"fields": fields})
    with database.begin() as connection:
        _note(connection, "password.refused", user, address)


def _note(connection: "Connection", action: audit.Action, user: _User | None, address: str) -> None:
    audit.write(
        connection,
        action,
        actor_id=user.id if user else None,
        subject=user.username if user else None,
        address=address,
    )


def _wrong_password() -> InvalidCredentials:
    # Every 401 carries a challenge (RFC 9110, section 11.6.1).
    return InvalidCredentials(
        "The current password is wrong.", headers={"WWW-Authenticate": "Bearer"}
    )
