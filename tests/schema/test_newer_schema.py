"""A database that other code has migrated: a later release, taken back since, or another branch."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from lib.accounts.users import AdminSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, InternalError, InvalidRequest
from lib.schema.migrating import migrate
from lib.schema.settings import Grant
from lib.settings import Secret
from local import migrating
from local.environment import ROOT, Environment
from local.functions import grants, read_functions
from tests.deployed import deployed, exchange, post
from tests.schema.conftest import OtherCode
from tests.support import ADMIN_PASSWORD

NOBODY = AdminSettings(username="admin", password=None)
ADMIN = AdminSettings(username="admin", password=Secret(ADMIN_PASSWORD))
OURS = max(file.name[:4] for file in (ROOT / "lib/schema/migrations/versions").glob("0*.py"))
REVIEWS = "create table reviews (n integer); alter table movies add column reviewed boolean"
READER = next(
    name for name, one in read_functions().items() if one.rights and "movie_totals" in one.rights
)


def address(database: TransactionalDatabase) -> str:
    at = database._settings
    password = at.password.reveal() if at.password else ""
    return f"postgresql+pg8000://{at.user}:{password}@{at.host}:{at.port}/{at.name}"


def tables(database: TransactionalDatabase) -> set[str]:
    with database.begin() as connection:
        return set(inspect(connection).get_table_names())


def may(database: TransactionalDatabase, role: str, right: str, table: str) -> bool:
    with database.begin() as connection:
        asked = f"select has_table_privilege('{role}', '{table}', '{right}')"
        return bool(connection.exec_driver_sql(asked).scalar_one())


@pytest.fixture
def taken_back(empty: TransactionalDatabase, other: OtherCode) -> TransactionalDatabase:
    """Return a database with a migration that has been taken back from the code since."""
    other.add("reviews", REVIEWS, after=OURS)
    assert other.migrate(empty).after == "reviews"
    return empty


def test_a_migration_that_was_taken_back_leaves_only_rights_and_administrator_to_do(
    taken_back: TransactionalDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    users = {READER: str(taken_back._settings.user)}
    with caplog.at_level(logging.WARNING, "lib.schema"):
        migrated = migrate(taken_back, ADMIN, grants=grants(users))

    assert (migrated.before, migrated.after, migrated.newer) == ("reviews", "reviews", True)
    assert migrated.message.startswith("Nothing to do: the schema is at reviews, which this code")
    assert "reviews" in tables(taken_back)
    assert migrated.admin_created
    assert may(taken_back, READER, "select", "movies")
    assert not may(taken_back, READER, "delete", "movies")
    [record] = caplog.records
    assert record.getMessage() == "schema newer than code, nothing to do"
    assert record.__dict__["fields"] == {"revision": "reviews"}


def test_over_http_a_newer_schema_is_200_and_said_in_answer_and_log(
    taken_back: TransactionalDatabase, tmp_path: Path
) -> None:
    own = str(taken_back._settings.user)
    rights = {READER: {"user": own, "rights": read_functions()[READER].rights}}
    environment = {
        "DATABASE_URL": address(taken_back),
        "DATABASE_GRANTS": json.dumps(rights),
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
    }
    with deployed("migrate", environment, tmp_path) as server:
        reply = exchange(server.port, post("/migrate", "Content-Length: 0"))
        logged = server.logged()

    data = json.loads(reply.body)["data"]
    assert reply.status == 200
    assert (data["before"], data["after"], data["newer"]) == ("reviews", "reviews", True)
    assert data["message"].startswith("Nothing to do: the schema is at reviews")
    assert data["admin_created"]
    assert may(taken_back, READER, "select", "movies")
    assert "schema newer than code, nothing to do" in logged


WORDS = "Nothing to do: the schema is at reviews, which this code does not know"


def test_at_a_terminal_a_newer_schema_is_said_in_words(taken_back: TransactionalDatabase) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "local", "migrate"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": address(taken_back),
            "OMDB_API_KEY": "theirs",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith(WORDS)


def test_who_serves_here_on_a_newer_schema_is_told_so(
    taken_back: TransactionalDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"DATABASE_URL": address(taken_back)}
    migrating.bring_up_to_date(Environment(variables=variables, folder=tmp_path))

    assert capsys.readouterr().err.startswith(WORDS)


def test_of_two_branches_the_second_does_nothing_and_says_where_the_database_is(
    empty: TransactionalDatabase, other: OtherCode, tmp_path: Path
) -> None:
    migrate(empty, NOBODY)
    own = OtherCode(migrations=other.migrations.rename(tmp_path / "own"))
    own.add("stars", "create table stars (n integer)", after=OURS)
    with empty.begin() as connection:  # as the other branch, which this one has never seen
        connection.exec_driver_sql("create table reviews (n integer)")
        connection.exec_driver_sql("update alembic_version set version_num = 'reviews'")

    migrated = own.migrate(empty)

    assert (migrated.after, migrated.newer) == ("reviews", True)
    assert "stars" not in tables(empty)


@pytest.mark.parametrize("revisions", [("reviews", "stars"), (OURS, "reviews")])
def test_several_revisions_of_which_one_is_unknown_are_told_together(
    empty: TransactionalDatabase, revisions: tuple[str, str]
) -> None:
    migrate(empty, NOBODY)
    with empty.begin() as connection:
        connection.exec_driver_sql("delete from alembic_version")
        for revision in revisions:
            connection.execute(text("insert into alembic_version values (:id)"), {"id": revision})

    migrated = migrate(empty, NOBODY)

    assert (migrated.before, migrated.after) == (", ".join(revisions), ", ".join(revisions))
    assert migrated.newer


def test_the_code_that_knows_the_schema_goes_on_from_there(
    taken_back: TransactionalDatabase, other: OtherCode
) -> None:
    migrate(taken_back, NOBODY)
    other.add("stars", "create table stars (n integer)", after="reviews")

    migrated = other.migrate(taken_back)

    assert (migrated.before, migrated.after, migrated.newer) == ("reviews", "stars", False)
    assert {"reviews", "stars"} <= tables(taken_back)


GONE = {
    "select on login_networks": (
        "drop table login_networks",
        {"login_networks": "select"},
    ),
    "select (id, changed_at) on users": (
        "alter table users drop column changed_at",
        {"users": "select (id, changed_at)"},
    ),
    "execute on movie_due_at()": (
        "drop function movie_due_at cascade",
        {"movie_due_at()": "execute"},
    ),
}


@pytest.mark.parametrize("left_out", GONE)
def test_a_right_to_what_a_newer_schema_has_lost_is_left_out_and_the_others_are_granted(
    empty: TransactionalDatabase, other: OtherCode, left_out: str
) -> None:
    statement, rights = GONE[left_out]
    other.add("lost", statement, after=OURS)
    other.migrate(empty)
    grant = Grant(user=str(empty._settings.user), rights={**rights, "movies": "select, insert"})

    migrated = migrate(empty, NOBODY, grants={READER: grant})

    assert migrated.not_granted == (f"{READER}: {left_out}",)
    assert migrated.not_granted[0] in migrated.message
    assert may(empty, READER, "select, insert", "movies")


def test_of_a_right_with_several_actions_only_what_has_gone_is_left_out(
    empty: TransactionalDatabase, other: OtherCode
) -> None:
    other.add("lost", "alter table users drop column changed_at", after=OURS)
    other.migrate(empty)
    rights = {"users": "select (id, role), update (changed_at), delete"}
    grant = Grant(user=str(empty._settings.user), rights=rights)

    migrated = migrate(empty, NOBODY, grants={READER: grant})

    assert migrated.not_granted == (f"{READER}: update (changed_at) on users",)
    assert may(empty, READER, "delete", "users")


def test_a_right_to_what_our_own_schema_lacks_is_a_mistake(empty: TransactionalDatabase) -> None:
    grant = Grant(user=str(empty._settings.user), rights={"nothing": "select"})

    with pytest.raises(DatabaseUnavailable):
        migrate(empty, NOBODY, grants={READER: grant})

    # The schema is there, and waits for rights that can be given.
    again = migrate(empty, NOBODY)
    assert again.before == again.after


def test_a_newer_schema_is_taken_to_a_named_revision_only_by_code_that_knows_it(
    taken_back: TransactionalDatabase,
) -> None:
    for revision in ("0001", OURS, "base"):
        words = f"The schema is at reviews, which this code does not know: .+ to {revision}."
        with pytest.raises(InvalidRequest, match=words):
            migrate(taken_back, NOBODY, revision=revision)

    assert "reviews" in tables(taken_back)


def test_a_revision_that_there_is_none_of_is_refused_with_those_there_are(
    empty: TransactionalDatabase,
) -> None:
    with pytest.raises(InvalidRequest, match=rf"no revision 9999: there are 0001, .+, {OURS}\."):
        migrate(empty, NOBODY, revision="9999")


def test_two_migrations_after_one_are_refused_in_words(
    empty: TransactionalDatabase, other: OtherCode
) -> None:
    other.add("reviews", REVIEWS, after=OURS)
    other.add("stars", "create table stars (n integer)", after=OURS)

    words = re.escape("not one line: nothing follows reviews nor stars. Let one of them follow")
    with pytest.raises(InternalError, match=words):
        other.migrate(empty)

    assert tables(empty) == set()


def test_our_own_migrations_are_one_line(empty: TransactionalDatabase) -> None:
    migrated = migrate(empty, NOBODY)

    assert (migrated.after, migrated.newer) == (OURS, False)
