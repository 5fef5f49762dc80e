"""Letting users in, and those who wait for the failures of others."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from lib.accounts import audit, known_networks, passwords, throttle
from lib.accounts.beginning import NewSession, begin_session, sweep_sessions
from lib.accounts.granting import Granted
from lib.accounts.names import NAME, read_name
from lib.accounts.passwords import PASSWORD
from lib.accounts.refresh_tokens import RefreshToken
from lib.accounts.usernames import USERNAME, fold_username
from lib.database.account_tables import login_networks, users
from lib.errors import InvalidCredentials, InvalidRequest, NotFound
from lib.web.inputs import Input, Inputs
from lib.web.networks import UNKNOWN, Network, network_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lib.accounts.tokens import Signer
    from lib.database.transactions import TransactionalDatabase

log = logging.getLogger(__name__)

MEMBERS: Final = Inputs(
    {
        "username": Input(rule=USERNAME, about="In any case.", required=True, example="admin"),
        "password": Input(rule=PASSWORD, about="As it was chosen.", required=True),
        "session_name": Input(
            rule=NAME,
            about="What the session is called in the list of one's sessions, such as a device.",
            example="phone",
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class _User:
    id: int
    role: str
    password_hash: str
    password_set_at: datetime | None
    is_at_known_network: bool
    forgive: bool  # what failed here, once the password turns out to be right


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """Whoever asks to be let in, and what time it is, where a test says so."""

    username: str
    session_name: str | None
    address: str
    now: datetime | None

    @cached_property
    def network(self) -> Network:
        return network_of(self.address)


def login(
    database: "TransactionalDatabase",
    signer: "Signer",
    *,
    username: object,
    password: object,
    address: str,
    session_name: object = None,
    now: datetime | None = None,
) -> Granted:
    """Begin a session for the user whose password this is.

    Who does not exist, is invited or disabled and who has another password are answered alike, in
    words, code and time. Failures count for the user and for the network they came from, before
    anything is done that costs more than reading the request.

    Args:
        session_name: What its user will know the session by, if they say so.
        now: What time it is, for tests; else the database's clock says so.

    Raises:
        InvalidRequest: Username, password or the session's name break their form.
        TooManyAttempts: The user or the network has failed too often.
        InvalidCredentials: There is no such user, or the password is another.
    """
    name, secret = fold_username(username), passwords.normalise_password(password)
    visit = _Visit(
        username=name,
        session_name=None if session_name is None else read_name(session_name, "session_name"),
        address=address,
        now=now,
    )
    with database.begin() as connection:
        user, attempt = _begin_attempt(connection, visit)
    # No transaction is open from here on, as argon2 takes its time.
    user = _verify(database, visit, user, secret)
    rehashed = _rehash(user, secret)
    return _let_in(database, signer, visit, user, attempt=attempt, rehashed=rehashed)


def clear_failures(
    database: "TransactionalDatabase", *, username: object, address: str | None = None
) -> int:
    """Forget a user's failed logins; return how many counters that was. Networks' own stay.

    Args:
        address: Where the user is let in from now on as if they had logged in there before, which
            nobody elsewhere can make them wait for.

    Raises:
        InvalidRequest: The address is none.
        NotFound: There is no such user.
    """
    name, network = fold_username(username), None if address is None else network_of(address)
    if network is not None and network.name == UNKNOWN:
        raise InvalidRequest(
            "The address is not accepted: expected an IP address.",
            fields={"address": "expected an IP address"},
        )
    with database.begin() as connection:
        found = (
            select(users.c.id)
            .where(users.c.username == name)
            .with_for_update(read=True, key_share=True)
        )
        user_id = connection.execute(found).scalar_one_or_none()
        if user_id is None:
            raise NotFound("There is no user of this name.")
        cleared = throttle.clear_user(connection, name)  # first, as a login that succeeds does
        if network is not None:
            known_networks.remember(connection, user_id, network, forgiven=True)
    return cleared


def _begin_attempt(
    connection: "Connection", visit: _Visit
) -> tuple[_User | None, throttle.Attempt]:
    user = _find(connection, visit)
    attempt = throttle.count_attempt(
        connection,
        username=visit.username,
        network=visit.network,
        known=user is not None and user.is_at_known_network,
        now=visit.now,
    )
    return user, attempt


def _find(connection: "Connection", visit: _Visit) -> _User | None:
    is_here = known_networks.is_of_user(visit.network, visit.now)
    found = connection.execute(
        select(
            users.c.id,
            users.c.role,
            users.c.password_hash,
            users.c.password_set_at,
            login_networks.c.network.is_not(None).label("is_at_known_network"),
            known_networks.may_forgive(visit.now).label("forgive"),
        )
        .outerjoin_from(users, login_networks, is_here)
        .where(users.c.username == visit.username, users.c.disabled_at.is_(None))
        .where(users.c.password_hash.is_not(None))  # who is invited has none yet
    ).one_or_none()
    return None if found is None else _User(**found._mapping)  # noqa: SLF001  its public name


def _verify(
    database: "TransactionalDatabase", visit: _Visit, user: _User | None, secret: str
) -> _User:
    """Return the user whose password this is; who cannot be let in takes as long."""
    try:
        if user is None:
            passwords.verify_nobody(secret)
        passwords.verify_password(user.password_hash, secret)
    except passwords.PasswordMismatch:
        digest, address = throttle.user_digest(visit.username)[:12], visit.address
        log.warning("login refused", extra={"fields": {"user": digest, "address": address}})
        with database.begin() as connection:
            audit.write(connection, "login.refused", actor_id=None, subject=digest, address=address)
        raise _wrong_credentials() from None
    return user


def _rehash(user: _User, secret: str) -> str | None:
    return passwords.hash_password(secret) if passwords.needs_rehash(user.password_hash) else None


def _let_in(
    database: "TransactionalDatabase",
    signer: "Signer",
    visit: _Visit,
    user: _User,
    *,
    attempt: throttle.Attempt,
    rehashed: str | None,
) -> Granted:
    now = visit.now
    issued = signer.issue(user.id, user.role, now=now or datetime.now(UTC))
    session = NewSession(
        user_id=user.id,
        username=visit.username,
        role=user.role,
        password_set_at=user.password_set_at,
        refresh_token=RefreshToken.draw(issued.session_id),
        name=visit.session_name,
        address=visit.address,
    )
    with database.begin() as connection:
        throttle.take_back(connection, attempt, forgive=user.forgive)
        _replace_hash(connection, user, rehashed)
        if not begin_session(connection, session, now=now):
            raise _wrong_credentials()
        known_networks.remember(connection, user.id, visit.network, forgiven=user.forgive, now=now)
        sweep_sessions(connection, now)
    return session.grant(issued.token)


def _replace_hash(connection: "Connection", user: _User, rehashed: str | None) -> None:
    if rehashed is None:
        return
    # Not when it changed meanwhile: that hash may be of another password.
    connection.execute(
        update(users)
        .where(users.c.id == user.id, users.c.password_hash == user.password_hash)
        .values(password_hash=rehashed)
    )
    log.info("password rehashed", extra={"fields": {"user_id": user.id}})


def _wrong_credentials() -> InvalidCredentials:
    # Every 401 carries a challenge (RFC 9110, section 11.6.1).
    return InvalidCredentials(
        "The username or the password is wrong.", headers={"WWW-Authenticate": "Bearer"}
    )
