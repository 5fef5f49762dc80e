"""Users: making them, and letting them in.

A username is compared in one folded form: `Admin`, ` admin ` and the same in full-width letters are
one user; look-alikes from other alphabets are others.
"""

import logging
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import DateTime, Text, delete, exists, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql

from lib.accounts import known_networks, passwords, throttle
from lib.accounts.roles import ROLES
from lib.database.tables import login_networks, sessions, users
from lib.errors import InvalidCredentials, InvalidRequest, NotFound
from lib.settings import AdminSettings, SettingsError
from lib.texts import MOST_MARKS, has_long_run_of_marks
from lib.web.networks import UNKNOWN, Network, network_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lib.accounts.tokens import IssuedToken, Signer
    from lib.database.transactions import TransactionalDatabase

log = logging.getLogger(__name__)

_MAX_NAME: Final = 100
_EXPIRED_AT_ONCE: Final = 100
# Longer than the leeway that a token has.
_GRACE: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class _User:
    id: int
    role: str
    password_hash: str
    is_at_known_network: bool
    forgive: bool  # what failed here, once the password turns out to be right


def fold_username(username: object) -> str:
    """Give the form that a username is stored and found in.

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


def login(
    database: "TransactionalDatabase",
    signer: "Signer",
    *,
    username: object,
    password: object,
    address: str,
    now: datetime | None = None,
) -> "IssuedToken":
    """Begin a session for the user whose password this is.

    Who does not exist and who has another password are answered alike, in words, code and time.
    Failures count for the user and for the network they came from, before anything is done that
    costs more than reading the request.

    Args:
        now: What time it is, for tests; else the database's clock says so.

    Raises:
        InvalidRequest: Username or password break their form.
        TooManyAttempts: The user or the network has failed too often.
        InvalidCredentials: There is no such user, or the password is another.
    """
    name, secret = fold_username(username), passwords.normalise_password(password)
    network = network_of(address)
    with database.begin() as connection:
        user = _find(connection, name, network, now)
        attempt = throttle.count_attempt(
            connection,
            username=name,
            network=network,
            known=user is not None and user.is_at_known_network,
            now=now,
        )
    # No transaction is open from here on, as argon2 takes its time.
    try:
        if user is None:
            passwords.verify_nobody(secret)
        passwords.verify_password(user.password_hash, secret)
    except passwords.PasswordMismatch:
        fields = {"user": throttle.user_digest(name)[:12], "address": address}
        log.warning("login refused", extra={"fields": fields})
        raise _wrong_credentials() from None
    rehashed = _rehash_if_needed(user, secret)
    issued = signer.issue(user.id, user.role, now=now or datetime.now(UTC))
    with database.begin() as connection:
        throttle.take_back(connection, attempt, forgive=user.forgive)
        if rehashed is not None:
            _replace_hash(connection, user, rehashed)
        _begin_session(connection, user, issued)
        known_networks.remember(connection, user.id, network, forgiven=user.forgive, now=now)
        _sweep_sessions(connection, now)
    return issued


def create_user(
    database: "TransactionalDatabase", *, username: object, password: object, role: str
) -> int:
    """Make a user and give its id.

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


def clear_failures(
    database: "TransactionalDatabase", *, username: object, address: str | None = None
) -> int:
    """Forget what failed for a user, and give how many counters that was; networks' own stay.

    Args:
        address: Where the user is let in from now on as if they had logged in there before, which
            nobody elsewhere can make them wait for.

    Raises:
        InvalidRequest: The address is none.
        NotFound: There is no such user.
    """
    name, network = fold_username(username), None if address is None else network_of(address)
    if network is not None and network.name == UNKNOWN:
        raise _invalid("address", "expected an IP address")
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


def _find(
    connection: "Connection", name: str, network: Network, now: datetime | None
) -> _User | None:
    found = connection.execute(
        select(
            users.c.id,
            users.c.role,
            users.c.password_hash,
            login_networks.c.network.is_not(None).label("is_at_known_network"),
            known_networks.may_forgive(now).label("forgive"),
        )
        .outerjoin_from(users, login_networks, known_networks.is_of_user(network, now))
        .where(users.c.username == name)
    ).one_or_none()
    return None if found is None else _User(**found._mapping)  # noqa: SLF001  its public name


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


def _rehash_if_needed(user: _User, secret: str) -> str | None:
    if passwords.needs_rehash(user.password_hash):
        return passwords.hash_password(secret)
    return None


def _replace_hash(connection: "Connection", user: _User, rehashed: str) -> None:
    # Not when it changed meanwhile: that hash may be of another password.
    connection.execute(
        update(users)
        .where(users.c.id == user.id, users.c.password_hash == user.password_hash)
        .values(password_hash=rehashed)
    )
    log.info("password rehashed", extra={"fields": {"user_id": user.id}})


def _begin_session(connection: "Connection", user: _User, issued: "IssuedToken") -> None:
    # Selected from the users, as this one may be gone since its password was verified, and locked,
    # as it may be going just now.
    row = (
        select(
            literal(issued.jti, Text),
            users.c.id,
            literal(issued.expires_at, DateTime(timezone=True)),
        )
        .where(users.c.id == user.id)
        .with_for_update(read=True, key_share=True)
    )
    begun = insert(sessions).from_select(["jti", "user_id", "expires_at"], row)
    if connection.execute(begun.returning(sessions.c.jti)).scalar_one_or_none() is None:
        raise _wrong_credentials()


def _sweep_sessions(connection: "Connection", now: datetime | None) -> None:
    expired = (
        select(sessions.c.jti)
        .where(sessions.c.expires_at < throttle.clock(now) - _GRACE)
        .order_by(sessions.c.expires_at)
        .limit(_EXPIRED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(sessions).where(sessions.c.jti.in_(expired)))


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise _invalid("role", f"expected one of {', '.join(ROLES)}")


def _wrong_credentials() -> InvalidCredentials:
    # Every 401 carries a challenge (RFC 9110, section 11.6.1).
    return InvalidCredentials(
        "The username or the password is wrong.", headers={"WWW-Authenticate": "Bearer"}
    )


def _invalid(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"The {field} is not accepted: {what}.", fields={field: what})
