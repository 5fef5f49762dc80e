"""`lib.accounts.access`: the token, then its session, then the role that its user has now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import text

from lib.accounts.access import AUTHORIZING, check_permission
from lib.accounts.ending import ENDING, end_session
from lib.accounts.granting import Granted
from lib.accounts.keys import SigningSettings, VerifyingSettings
from lib.accounts.login import login
from lib.accounts.tokens import Claims, Signer, Verifier
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, Forbidden, Unauthorized
from lib.settings import Secret
from tests.support import create_user, set_role

PASSWORD = "correct horse battery staple"
WRITERS = ("editor", "admin")
KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SIGNER = Signer(SigningSettings(private_key=Secret(PRIVATE)))
VERIFIER = Verifier(VerifyingSettings(public_keys=(PUBLIC,)))


class UnreachableDatabase(Database):
    """Is down."""

    def __init__(self) -> None:
        super().__init__(DatabaseSettings())

    def run(self, statement: Statement, **values: str | int | None) -> NoReturn:  # noqa: ARG002
        """Fail as a database does that is down."""
        raise DatabaseUnavailable("down", retry_after_seconds=5)


def authorize(database: Database, authorization: str | None) -> Claims:
    """Ask to write, as a function does."""
    claims = VERIFIER.verify_header(authorization)
    return database.answer(check_permission(claims, roles=WRITERS))


@dataclass(frozen=True)
class World:
    """A database with the users ann, who edits, and vic, who only looks."""

    database: TransactionalDatabase

    def login(self, username: str) -> Granted:
        """Log in with the password that all have."""
        return login(
            self.database, SIGNER, username=username, password=PASSWORD, address="192.0.2.1"
        )

    def authorize(self, token: str) -> str:
        """Ask to write, and give the role that allows it."""
        return authorize(self.database, f"Bearer {token}").role

    def execute(self, sql: str, **values: object) -> None:
        """Run any SQL."""
        with self.database.begin() as connection:
            connection.execute(text(sql), values)


@pytest.fixture
def world(database: TransactionalDatabase) -> Iterator[World]:
    """Return a world of two users."""
    own = TransactionalDatabase(database._settings, statements=(*AUTHORIZING, *ENDING))
    world = World(own)
    world.execute("truncate users, sessions, login_failures, login_networks cascade")
    create_user(own, username="ann", password=PASSWORD, role="editor")
    create_user(own, username="vic", password=PASSWORD, role="viewer")
    yield world
    own.close()


def assert_token_refused(world: World, token: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        world.authorize(token)

    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def test_an_editor_who_has_logged_in_may_write(world: World) -> None:
    issued = world.login("ann")

    said = authorize(world.database, f"bearer {issued.token}")

    assert (said.role, said.session_id) == ("editor", issued.session_id)


def test_a_viewer_may_not_write_and_is_told_who_may(world: World) -> None:
    issued = world.login("vic")

    with pytest.raises(Forbidden, match="the role editor or admin; yours is viewer") as caught:
        world.authorize(issued.token)

    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


def test_a_role_that_was_lowered_counts_at_once(world: World) -> None:
    issued = world.login("ann")

    set_role(world.database, username="ann", role="viewer")

    with pytest.raises(Forbidden):
        world.authorize(issued.token)


def test_a_role_that_was_raised_counts_at_once(world: World) -> None:
    issued = world.login("vic")

    set_role(world.database, username="vic", role="admin")

    assert world.authorize(issued.token) == "admin"


def test_after_logout_the_token_is_refused(world: World) -> None:
    issued, other = world.login("ann"), world.login("ann")

    claims = VERIFIER.verify(issued.token)
    for _ in range(2):
        world.database.answer(end_session(claims, address="192.0.2.1"))

    assert_token_refused(world, issued.token)
    assert world.authorize(other.token) == "editor"


def test_a_token_of_a_deleted_user_is_refused(world: World) -> None:
    issued = world.login("ann")

    world.execute("delete from users where username = 'ann'")

    assert_token_refused(world, issued.token)


def test_a_token_of_a_disabled_user_is_refused_and_again_good_once_they_are_not(
    world: World,
) -> None:
    issued = world.login("ann")

    world.execute("update users set disabled_at = now() where username = 'ann'")
    assert_token_refused(world, issued.token)

    world.execute("update users set disabled_at = null")
    assert world.authorize(issued.token) == "editor"


def test_a_token_that_no_login_gave_is_refused_even_when_signed(world: World) -> None:
    assert_token_refused(world, SIGNER.issue(1, "admin", now=datetime.now(UTC)).token)


def test_a_session_of_another_user_does_not_count(world: World) -> None:
    issued = world.login("ann")

    world.execute(
        "update sessions set user_id = (select id from users where username = 'vic') "
        "where jti = :jti",
        jti=issued.session_id,
    )

    assert_token_refused(world, issued.token)


def test_a_session_that_was_ended_early_does_not_count(world: World) -> None:
    issued = world.login("ann")

    world.execute("update sessions set expires_at = now() - interval '31 seconds'")

    assert_token_refused(world, issued.token)


def test_a_session_outlives_its_end_by_the_leeway_like_its_token(world: World) -> None:
    issued = world.login("ann")

    world.execute("update sessions set expires_at = now() - interval '20 seconds'")

    assert world.authorize(issued.token) == "editor"


@pytest.mark.parametrize(
    "authorization", [None, "", "Basic dTpw", "Bearer", "Bearer a.b.c", "Bearer " + "a" * 100_000]
)
def test_without_a_valid_token_the_database_is_not_asked(authorization: str | None) -> None:
    with pytest.raises(Unauthorized):
        authorize(UnreachableDatabase(), authorization)


def test_when_the_database_is_down_nobody_passes() -> None:
    token = SIGNER.issue(1, "admin", now=datetime.now(UTC)).token

    with pytest.raises(DatabaseUnavailable):
        authorize(UnreachableDatabase(), f"Bearer {token}")
