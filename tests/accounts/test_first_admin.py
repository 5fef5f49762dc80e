"""`ensure_first_admin`: somebody can always administer, and no migration fails for it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from lib.accounts.passwords import verify_password
from lib.accounts.users import AdminSettings, FirstAdmin, ensure_first_admin
from lib.database.transactions import TransactionalDatabase
from lib.settings import Secret
from tests.support import create_user

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class World:
    """A database, and the migration's last step."""

    database: TransactionalDatabase

    def ensure(self, username: str = "admin", password: str | None = PASSWORD) -> FirstAdmin:
        """Make the first administrator if there is none."""
        secret = None if password is None else Secret(password)
        with self.database.begin() as connection:
            return ensure_first_admin(connection, AdminSettings(username=username, password=secret))

    def rows(self, sql: str) -> list[Any]:
        """Run any SQL and give what it answers."""
        with self.database.begin() as connection:
            result = connection.execute(text(sql))
            return [tuple(row) for row in result] if result.returns_rows else []


@pytest.fixture
def world(database: TransactionalDatabase) -> Iterator[World]:
    """Return a database without users."""
    own = TransactionalDatabase(database._settings)
    yield World(own)
    own.close()


def test_the_first_administrator_comes_from_the_environment(world: World) -> None:
    assert world.ensure("Root") == FirstAdmin(created=True)

    [(username, role, stored)] = world.rows("select username, role, password_hash from users")
    assert (username, role) == ("root", "admin")
    verify_password(stored, PASSWORD)
    assert world.rows("select action, subject, actor from audit_log") == [
        ("user.created", "root", None)
    ]


def test_where_there_is_one_who_is_active_nobody_is_made(world: World) -> None:
    create_user(world.database, username="ann", password=PASSWORD, role="admin")

    assert world.ensure() == FirstAdmin()
    assert world.ensure(password="short, but not looked at") == FirstAdmin()
    assert world.ensure(password="short") == FirstAdmin()
    assert world.rows("select username from users") == [("ann",)]


@pytest.mark.parametrize(
    "making",
    [
        "update users set role = 'editor'",
        "update users set disabled_at = now()",
        "update users set password_hash = null",
    ],
)
def test_without_an_active_administrator_one_is_made(world: World, making: str) -> None:
    create_user(world.database, username="ann", password=PASSWORD, role="admin")
    world.rows(making)

    assert world.ensure("root") == FirstAdmin(created=True)
    assert world.rows("select username from users order by id") == [("ann",), ("root",)]


@pytest.mark.parametrize(
    "making", ["update users set role = 'viewer'", "update users set disabled_at = now()"]
)
def test_a_user_of_that_name_is_left_as_they_are(
    world: World, making: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_user(world.database, username="ann", password="some other password", role="admin")
    world.rows(making)
    before = world.rows("select * from users")

    made = world.ensure("Ann")

    assert not made.created
    assert made.refused == (
        "ADMIN_USERNAME cannot be used: the user of this name is no active administrator, and is "
        "left as they are"
    )
    assert world.rows("select * from users") == before
    assert [record.message for record in caplog.records] == ["no administrator was made"]


def test_without_a_password_no_administrator_is_made(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert world.ensure(password=None) == FirstAdmin()

    assert world.rows("select * from users") == []
    assert "ADMIN_PASSWORD" in caplog.text


@pytest.mark.parametrize(
    ("username", "password", "variable"),
    [
        ("admin", "fourteen chars", "ADMIN_PASSWORD"),
        ("admin", "x" * 1025, "ADMIN_PASSWORD"),
        ("admin", "passwordpassword", "ADMIN_PASSWORD"),
        ("administrator", "Administrator2026", "ADMIN_PASSWORD"),
        ("admin", "not utf-8 in the environment \udcff", "ADMIN_PASSWORD"),
        ("x" * 101, PASSWORD, "ADMIN_USERNAME"),
        ("ad\0min", PASSWORD, "ADMIN_USERNAME"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_breaks_a_rule_is_told_in_a_line_and_fails_nothing(
    world: World, username: str, password: str, variable: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = world.ensure(username, password)

    assert not made.created
    assert made.refused is not None
    assert made.refused.startswith(f"{variable} cannot be used: ")
    assert "\n" not in made.refused
    assert password not in str([record.__dict__ for record in caplog.records]) + made.refused
    assert world.rows("select * from users") == []


def test_migrations_at_once_make_one_administrator(world: World) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda turn: world.ensure(f"admin {turn}"), range(6)))

    assert sorted(one.created for one in made) == [False] * 5 + [True]
    assert world.rows("select count(*) from users") == [(1,)]
