"""The schema, up and down, and when two try at once."""

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from lib import limits
from lib.accounts.passwords import PasswordMismatch, needs_rehash, verify_password
from lib.accounts.users import AdminSettings
from lib.database.tables import metadata
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from lib.schema.migrating import migrate
from lib.settings import Secret
from local import migrating
from local.environment import Environment
from local.failure import Failure
from local.functions import grants, read_functions
from tests.support import ADMIN_PASSWORD

NOBODY = AdminSettings(username="admin", password=None)
ADMIN = AdminSettings(username="admin", password=Secret(ADMIN_PASSWORD))


def tables(database: TransactionalDatabase) -> set[str]:
    with database.begin() as connection:
        return set(inspect(connection).get_table_names())


def test_an_empty_database_gets_every_table_and_the_administrator(
    empty: TransactionalDatabase,
) -> None:
    migrated = migrate(empty, ADMIN)

    assert (migrated.before, migrated.admin_created) == (None, True)
    assert tables(empty) == set(metadata.tables) | {"alembic_version"}


def test_the_newest_schema_is_what_the_tables_say(empty: TransactionalDatabase) -> None:
    migrate(empty, NOBODY)

    with empty.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_administrator_who_cannot_be_made_is_told_of_and_fails_no_migration(
    empty: TransactionalDatabase,
) -> None:
    short = AdminSettings(username="admin", password=Secret("fourteen chars"))

    migrated = migrate(empty, short)

    assert tables(empty) == set(metadata.tables) | {"alembic_version"}
    assert migrated.message.endswith(
        " There is no active administrator still: ADMIN_PASSWORD cannot be used: too short: "
        "expected at least 15 characters."
    )
    assert migrate(empty, ADMIN).admin_created
    assert migrate(empty, short).admin_refused is None


def test_a_second_run_changes_nothing(empty: TransactionalDatabase) -> None:
    first = migrate(empty, ADMIN)
    second = migrate(empty, AdminSettings(username="other", password=Secret(ADMIN_PASSWORD)))

    assert (second.before, second.after) == (first.after, first.after)
    assert not second.admin_created


def test_runs_at_the_same_time_make_one_schema_and_one_administrator(
    empty: TransactionalDatabase,
) -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: migrate(empty, ADMIN), range(4)))

    assert sorted(run.admin_created for run in runs) == [False, False, False, True]
    assert sorted(str(run.before) for run in runs).count("None") == 1


# What a migration that is under way holds, in an empty database and in one that had one before.
UNDER_WAY = {
    "first": "create table alembic_version (version_num varchar(32) primary key)",
    "later": "lock table alembic_version in exclusive mode",
}


@pytest.fixture(params=UNDER_WAY)
def under_way(request: pytest.FixtureRequest, empty: TransactionalDatabase) -> str:
    """Return what holds the next migration up."""
    if request.param == "later":
        migrate(empty, NOBODY, grants={})
    return UNDER_WAY[request.param]


def test_a_run_that_waits_longer_than_a_request_may_is_not_given_up(
    empty: TransactionalDatabase, under_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 1.0)
    with ThreadPoolExecutor(1) as thread:
        with empty.begin() as connection:
            connection.exec_driver_sql(under_way)
            waiting = thread.submit(migrate, empty, NOBODY)
            time.sleep(1.5)
            assert not waiting.done()
        assert waiting.result(10).after is not None

    with pytest.raises(DatabaseUnavailable), empty.begin() as connection:
        connection.execute(text("select pg_sleep(2)"))


def test_a_run_that_waits_too_long_is_told_who_holds_it_up(
    empty: TransactionalDatabase, under_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIGRATION_TIMEOUT", 0.2)
    with empty.begin() as connection:
        connection.exec_driver_sql(under_way)
        pid = connection.execute(text("select pg_backend_pid()")).scalar_one()
        with pytest.raises(DatabaseUnavailable) as caught:
            migrate(empty, NOBODY)

    assert re.fullmatch(
        r"Another migration is under way since [0-9-]+T[0-9:]+Z: "
        rf"process {pid} of the database, user postgres\. .+, and migrate again\.",
        caught.value.message,
    )
    assert migrate(empty, NOBODY).after is not None


def test_over_http_a_migration_that_is_held_up_is_503_with_the_reason(
    client: httpx.Client, database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIGRATION_TIMEOUT", 1.0)
    with database.begin() as connection:
        connection.exec_driver_sql(UNDER_WAY["later"])
        pid = connection.execute(text("select pg_backend_pid()")).scalar_one()
        answer = client.post("/migrate")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert f"process {pid}" in answer.json()["error"]["message"]


def test_at_a_terminal_a_migration_that_is_held_up_is_one_line(
    database_url: str,
    database: TransactionalDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MIGRATION_TIMEOUT", 0.2)
    environment = Environment(variables={"DATABASE_URL": database_url}, folder=tmp_path)
    with database.begin() as connection:
        connection.exec_driver_sql(UNDER_WAY["later"])
        with pytest.raises(Failure) as caught:
            migrating.bring_up_to_date(environment)

    assert "Another migration is under way since " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_may_not_migrate_cannot_hold_a_migration_up(empty: TransactionalDatabase) -> None:
    roles = [
        name for name, function in read_functions().items() if isinstance(function.rights, Mapping)
    ]
    own = str(empty._settings.user)
    migrate(empty, NOBODY, grants=grants(dict.fromkeys(roles, own)))
    for role in roles:
        for mode in ("access share", "row share", "share", "exclusive"):
            lock = f"set local role {role}; lock table alembic_version in {mode} mode"
            with pytest.raises(DatabaseUnavailable), empty.begin() as connection:
                connection.exec_driver_sql(lock)

    with ThreadPoolExecutor(1) as thread, empty.begin() as connection:
        connection.exec_driver_sql(f"set local role {roles[0]}")
        key = int.from_bytes(b"movies")  # what was locked once
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": key})
        assert thread.submit(migrate, empty, NOBODY, grants={}).result(10).after is not None


def test_every_step_can_be_taken_back_and_taken_again(empty: TransactionalDatabase) -> None:
    migrate(empty, NOBODY)
    back = migrate(empty, NOBODY, revision="base")
    left = tables(empty)
    again = migrate(empty, ADMIN)

    assert (back.after, left) == (None, {"alembic_version"})
    assert again.admin_created


def test_who_is_disabled_is_not_let_in_by_the_revision_that_knows_nobody_disabled(
    empty: TransactionalDatabase,
) -> None:
    migrate(empty, ADMIN)
    with empty.begin() as connection:
        connection.execute(text("update users set disabled_at = now()"))

    migrate(empty, NOBODY, revision="0009")

    with empty.begin() as connection:
        [stored] = connection.execute(text("select password_hash from users")).scalars()
    with pytest.raises(PasswordMismatch):
        verify_password(stored, ADMIN_PASSWORD)
    assert not needs_rehash(stored)


def test_a_revision_can_be_named_from_either_side(empty: TransactionalDatabase) -> None:
    newest = migrate(empty, NOBODY).after
    down = migrate(empty, NOBODY, revision="0001")
    up = migrate(empty, NOBODY, revision=str(newest))

    assert (down.after, up.after) == ("0001", newest)


def test_a_step_that_fails_leaves_the_schema_as_it_was(empty: TransactionalDatabase) -> None:
    with empty.begin() as connection:
        connection.execute(text("create table sessions (in_the_way integer)"))

    with pytest.raises(Exception, match="catalogue failed"):
        migrate(empty, NOBODY)

    assert tables(empty) == {"sessions"}


def test_a_database_without_schema_is_not_ready_rather_than_broken(
    empty: TransactionalDatabase,
) -> None:
    with pytest.raises(DatabaseUnavailable), empty.begin() as connection:
        connection.execute(text("select * from movies"))
