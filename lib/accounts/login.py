"""Letting users in, and those who wait for the failures of others."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, delete, func, insert, literal, select, update

from lib.accounts import audit, known_networks, lifetimes, passwords, throttle
from lib.accounts.granting import Granted
from lib.accounts.names import read_name
from lib.accounts.refresh_tokens import RefreshToken
from lib.accounts.usernames import fold_username
from lib.database.account_tables import login_networks, sessions, users
from lib.errors import InvalidCredentials, InvalidRequest, NotFound
from lib.web.networks import UNKNOWN, Network, network_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from lib.accounts.tokens import Signer
    from lib.database.transactions import TransactionalDatabase

log = logging.getLogger(__name__)

_EXPIRED_AT_ONCE: Final = 100
# Longer than the leeway that a token has.
_GRACE: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class _User:
    id: int
    role: str
    password_hash: str
    password_set_at: datetime | None
    is_at_known_network: bool
    forgive: bool  # what failed here, once the password turns out to be right


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
    called = None if session_name is None else read_name(session_name, member="session_name")
    network = network_of(address)
    with database.begin() as connection:
        user, attempt = _begin_attempt(connection, name, network, now)
    # No transaction is open from here on, as argon2 takes its time.
    try:
        user = _verify(user, secret)
    except passwords.PasswordMismatch:
        _tell_of_refusal(database, name, address)
        raise _wrong_credentials() from None
    needs_rehash = passwords.needs_rehash(user.password_hash)
    rehashed = passwords.hash_password(secret) if needs_rehash else None
    issued = signer.issue(user.id, user.role, now=now or datetime.now(UTC))
    refresh_token = RefreshToken.draw(issued.session_id)
    with database.begin() as connection:
        throttle.take_back(connection, attempt, forgive=user.forgive)
        _replace_hash(connection, user, rehashed)
        _begin_session(connection, user, refresh_token, name=called, address=address, now=now)
        known_networks.remember(connection, user.id, network, forgiven=user.forgive, now=now)
        _end_idlest_sessions(connection, user)
        _sweep_sessions(connection, now)
    return Granted(
        token=issued.token,
        session_id=issued.session_id,
        refresh_token=refresh_token.text,
        refresh_expires_in=int(lifetimes.idle_of(user.role).total_seconds()),
        username=name,
        role=user.role,
    )


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
    connection: "Connection", name: str, network: Network, now: datetime | None
) -> tuple[_User | None, throttle.Attempt]:
    user = _find(connection, name, network, now)
    known = user is not None and user.is_at_known_network
    attempt = throttle.count_attempt(
        connection, username=name, network=network, known=known, now=now
    )
    return user, attempt


def _find(
    connection: "Connection", name: str, network: Network, now: datetime | None
) -> _User | None:
    found = connection.execute(
        select(
            users.c.id,
            users.c.role,
            users.c.password_hash,
            users.c.password_set_at,
            login_networks.c.network.is_not(None).label("is_at_known_network"),
            known_networks.may_forgive(now).label("forgive"),
        )
        .outerjoin_from(users, login_networks, known_networks.is_of_user(network, now))
        # Whoever is disabled, or has not chosen a password yet, is nobody here, and takes as long.
        .where(users.c.username == name, users.c.disabled_at.is_(None), ~users.c.invited)
    ).one_or_none()
    return None if found is None else _User(**found._mapping)  # noqa: SLF001  its public name


def _verify(user: _User | None, secret: str) -> _User:
    """Return the user whose password this is; who cannot be let in takes as long."""
    if user is None:
        passwords.verify_nobody(secret)
    passwords.verify_password(user.password_hash, secret)
    return user


def _tell_of_refusal(database: "TransactionalDatabase", name: str, address: str) -> None:
    user = throttle.user_digest(name)[:12]
    log.warning("login refused", extra={"fields": {"user": user, "address": address}})
    with database.begin() as connection:
        audit.write(connection, "login.refused", actor_id=None, subject=user, address=address)


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


def _begin_session(
    connection: "Connection",
    user: _User,
    refresh_token: RefreshToken,
    *,
    name: str | None,
    address: str,
    now: datetime | None,
) -> None:
    # Selected from the users, as this one may have gone, or been disabled, or have chosen another
    # password, since theirs was verified, and locked, as that may be happening just now.
    row = (
        select(
            literal(refresh_token.session_id, Text),
            users.c.id,
            throttle.clock(now) + lifetimes.idle_of(user.role),
            literal(name, Text),
            literal(refresh_token.digest, Text),
            throttle.clock(now),
            literal(address or None, Text),
        )
        .where(users.c.id == user.id, users.c.disabled_at.is_(None))
        .where(users.c.password_set_at.is_not_distinct_from(user.password_set_at))
        .with_for_update(read=True)
    )
    columns = ["jti", "user_id", "expires_at", "name", "digest", "last_used_at", "address"]
    begun = insert(sessions).from_select(columns, row).returning(sessions.c.jti)
    session_id = connection.execute(begun).scalar_one_or_none()
    if session_id is None:
        raise _wrong_credentials()
    audit.write(connection, "login", actor_id=user.id, subject=session_id, address=address)


def _end_idlest_sessions(connection: "Connection", user: _User) -> None:
    last_used = func.coalesce(sessions.c.last_used_at, sessions.c.created_at)
    too_many = (
        select(sessions.c.jti)
        .where(sessions.c.user_id == user.id)
        .order_by(last_used.desc(), sessions.c.jti)
        .offset(lifetimes.MOST_SESSIONS)
    )
    _delete_unlocked(connection, select(sessions.c.jti).where(sessions.c.jti.in_(too_many)))


def _sweep_sessions(connection: "Connection", now: datetime | None) -> None:
    expired = (
        select(sessions.c.jti)
        .where(sessions.c.expires_at < throttle.clock(now) - _GRACE)
        .order_by(sessions.c.expires_at)
        .limit(_EXPIRED_AT_ONCE)
    )
    _delete_unlocked(connection, expired)


def _delete_unlocked(connection: "Connection", going: "Select[tuple[str]]") -> None:
    free = going.with_for_update(skip_locked=True)  # locked: another login's or refresh's matter
    connection.execute(delete(sessions).where(sessions.c.jti.in_(free)))


def _wrong_credentials() -> InvalidCredentials:
    # Every 401 carries a challenge (RFC 9110, section 11.6.1).
    return InvalidCredentials(
        "The username or the password is wrong.", headers={"WWW-Authenticate": "Bearer"}
    )
