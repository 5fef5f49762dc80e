"""The schema, up and down, and when two try at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from lib import settings as limits
from lib.db_transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from lib.migrations import runner
from lib.migrations.runner import migrate
from lib.settings import AdminSettings, Secret
from lib.tables import metadata
from local.postgres import EmbeddedPostgres
from tests.support import ADMIN_PASSWORD, database_settings

NOBODY = AdminSettings(username="admin", password=None)
ADMIN = AdminSettings(username="admin", password=Secret(ADMIN_PASSWORD))


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Give a database without any table."""
    name = f"empty_{uuid4().hex}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)))
    yield database
    database.close()
    postgres.drop_database(name)


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


def test_a_run_that_waits_longer_than_a_request_may_is_not_given_up(
    empty: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 0.2)
    with ThreadPoolExecutor(1) as thread:
        with empty.begin() as connection:
            key = {"key": runner._ADVISORY_LOCK}
            connection.execute(text("select pg_advisory_xact_lock(:key)"), key)
            waiting = thread.submit(migrate, empty, NOBODY)
            time.sleep(0.6)
        assert waiting.result(10).before is None

    with pytest.raises(DatabaseUnavailable), empty.begin() as connection:
        connection.execute(text("select pg_sleep(1)"))


def test_every_step_can_be_taken_back_and_taken_again(empty: TransactionalDatabase) -> None:
    migrate(empty, NOBODY)
    back = migrate(empty, NOBODY, revision="base")
    left = tables(empty)
    again = migrate(empty, ADMIN)

    assert (back.after, left) == (None, {"alembic_version"})
    assert again.admin_created


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
