"""What a migration leaves for afterwards: done in parts, whoever breaks it off or stands beside."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from lib import limits
from lib.accounts.users import AdminSettings
from lib.catalogue import document, movies, statements
from lib.database.database import Database
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from lib.schema import migrating, work
from lib.schema.migrated import Migrated
from lib.schema.migrating import migrate
from local.environment import ROOT
from tests.schema.conftest import OtherCode
from tests.schema.test_newer_schema import OURS, address

NOBODY: Final = AdminSettings(username="admin", password=None)
BEFORE: Final = "0005"  # the last without documents
DOCUMENTS: Final = "0006"  # which has them to fill, and nothing else
CHANCE: Final = Random()  # noqa: S311  no secret
FILM: Final = "imdb_id = 'tt0000700'"
RENAME: Final = f"update movies set title = 'New' where {FILM}"  # noqa: S608
PLACE: Final = f"select ctid, xmin from movies where {FILM}"  # noqa: S608
BY_YEAR: Final = {"index": "movies_year_idx", "table": "movies", "columns": "(year, imdb_id)"}


def insert(database: TransactionalDatabase, count: int) -> None:
    with database.begin() as connection:
        connection.execute(
            text("""
                insert into movies (imdb_id, title, sort_key, type)
                select 'tt' || lpad(n::text, 7, '0'), 'Film ' || n, 'film ' || n, 'movie'
                from generate_series(1, :count) n
            """),
            {"count": count},
        )


def ask(database: TransactionalDatabase, sql: str) -> Any:
    with database.begin() as connection:
        return connection.execute(text(sql)).one()


RECORD: Final[Mapping[str, object]] = {
    "imdb_id": "",
    "title": "A",
    "sort_key": "a",
    "type": "movie",
    "ratings": [],
    **{name: [] for name in ("aliases", "genres", "directors", "writers", "actors")},
    **{name: [] for name in ("languages", "countries")},
}
UPSERT: Final = Statement(repeatable=True, sql=statements.upserting())


@pytest.fixture
def serving(undone: TransactionalDatabase) -> Iterator[Database]:
    """Return the same database as functions of our release use it, once it is migrated."""
    database = Database(undone._settings, statements=[UPSERT, statements.PAGE_AT])
    yield database
    database.close()


def upsert(database: Database, *imdb_ids: str) -> list[Any]:
    records = [{**RECORD, "imdb_id": imdb_id} for imdb_id in imdb_ids]
    rows = database.run(UPSERT, movies=json.dumps(records))
    return [json.loads(row[1]) for row in rows]


def missing(database: TransactionalDatabase) -> int:
    """Count the movies whose document is not there or not right."""
    return int(
        ask(
            database,
            f"select count(*) from movies where document is distinct from {document.ANEW}",  # noqa: S608
        )[0]
    )


def noted(database: TransactionalDatabase) -> tuple[int, int, bool]:
    """Return what is done of how many documents, and whether that is all."""
    done, total, is_finished = ask(
        database,
        "select done, total, finished_at is not null from schema_work where name = 'documents'",
    )
    return done, total, is_finished


def fill(database: TransactionalDatabase, *, seconds: float | None = None) -> Migrated:
    """Migrate as far as documents, and fill them for so long."""
    return migrate(database, NOBODY, revision=DOCUMENTS, seconds=seconds)


@pytest.fixture
def undone(empty: TransactionalDatabase) -> TransactionalDatabase:
    """Return a database with 1,200 movies of the time before documents."""
    migrate(empty, NOBODY, revision=BEFORE)
    insert(empty, 1_200)
    return empty


def test_each_call_goes_on_where_the_last_one_ended_and_says_what_is_left(
    undone: TransactionalDatabase,
) -> None:
    calls = [fill(undone, seconds=0) for _ in range(4)]

    assert [call.left for call in calls] == [
        ("documents: 500 of 1,200",),
        ("documents: 1,000 of 1,200",),
        (),
        (),
    ]
    assert calls[0].message.startswith(f"The schema was {BEFORE} and is now ")
    assert calls[0].message.endswith(" Left to do: documents: 500 of 1,200.")
    assert calls[1].message.startswith("The schema is the newest already, ")
    assert calls[3].message.startswith("Nothing to do: ")
    assert (missing(undone), noted(undone)) == (0, (1_200, 1_200, True))


def test_a_call_with_time_does_it_all(undone: TransactionalDatabase) -> None:
    assert fill(undone).left == ()
    assert (missing(undone), noted(undone)) == (0, (1_200, 1_200, True))


def test_a_movie_that_has_its_document_is_not_written_again(undone: TransactionalDatabase) -> None:
    fill(undone, seconds=0)
    with undone.begin() as connection:
        connection.exec_driver_sql(RENAME)
    before = ask(undone, PLACE)
    fill(undone)

    assert before == ask(undone, PLACE)
    assert missing(undone) == 0


def test_who_is_in_the_way_is_waited_for_and_loses_nothing(undone: TransactionalDatabase) -> None:
    fill(undone, seconds=0)
    with ThreadPoolExecutor(1) as thread:
        with undone.begin() as connection:
            connection.exec_driver_sql(RENAME)
            running = thread.submit(fill, undone)
            time.sleep(limits.LOCK_TIMEOUT + 0.5)
            assert not running.done()
        assert running.result(20).left == ()

    assert (missing(undone), noted(undone)) == (0, (1_200, 1_200, True))


def test_who_is_in_the_way_for_long_is_an_error_and_what_was_done_stays(
    undone: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(undone, seconds=0)
    monkeypatch.setattr(limits, "MIGRATION_TIMEOUT", 0.5)
    with undone.begin() as connection:
        connection.exec_driver_sql(f"select from movies where {FILM} for update")
        with pytest.raises(DatabaseUnavailable):
            fill(undone)

    assert noted(undone) == (500, 1_200, False)
    assert fill(undone).left == ()


def test_runs_at_the_same_time_share_the_work(undone: TransactionalDatabase) -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(fill, [undone] * 4))

    assert [run.left for run in runs] == [()] * 4
    assert (missing(undone), noted(undone)) == (0, (1_200, 1_200, True))


def started(
    database: TransactionalDatabase, *, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Migrate in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "local", "migrate"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": address(database),
            "OMDB_API_KEY": "theirs",
        },
        stdout=stdout,
    )


def test_a_run_that_is_killed_anywhere_is_taken_up_again(undone: TransactionalDatabase) -> None:
    with undone.begin() as connection:  # so many that a run lasts
        connection.exec_driver_sql("truncate movies")
    insert(undone, 20_000)
    fill(undone, seconds=0)
    seen = [noted(undone)[0]]
    for _ in range(3):
        run = started(undone)
        deadline = time.monotonic() + 30
        while noted(undone)[0] == seen[-1] and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(CHANCE.random() / 10)
        run.send_signal(signal.SIGKILL)
        run.wait()
        seen.append(noted(undone)[0])

    assert seen == sorted(set(seen)), seen
    assert fill(undone).left == ()
    assert (missing(undone), noted(undone)) == (0, (20_000, 20_000, True))


def test_writers_and_fillers_do_not_wait_in_a_circle(
    undone: TransactionalDatabase, serving: Database
) -> None:
    migrate(undone, NOBODY, seconds=0)
    runs: list[Future[Migrated]] = []

    def write() -> int:
        written = 0
        while written < 20 or not all(run.done() for run in runs):
            chosen = {f"tt{CHANCE.randrange(1, 1_300):07}" for _ in range(40)}
            upsert(serving, *chosen)
            with undone.begin() as connection:
                connection.execute(
                    text("delete from movies where imdb_id = :id"), {"id": chosen.pop()}
                )
            written += 1
        return written

    with ThreadPoolExecutor(5) as threads:
        runs += [threads.submit(migrate, undone, NOBODY) for _ in range(2)]
        writers = [threads.submit(write) for _ in range(3)]
        assert all(writer.result() >= 20 for writer in writers)
        assert [run.result().left for run in runs] == [(), ()]

    undone.close()
    serving.close()
    time.sleep(0.2)  # a session tells its deadlocks at its end
    asked = "select deadlocks from pg_stat_database where datname = current_database()"
    assert ask(undone, asked) == (0,)
    assert missing(undone) == 0


def test_at_a_terminal_all_is_done_and_told(undone: TransactionalDatabase) -> None:
    run = started(undone, stdout=subprocess.PIPE)
    told = run.communicate(timeout=60)[0].decode()

    assert (run.returncode, told.count("\n")) == (0, 1)
    assert told.startswith(f"The schema was {BEFORE} and is now ")
    assert "Left to do" not in told
    assert (missing(undone), noted(undone)) == (0, (1_200, 1_200, True))


def test_what_is_taken_back_is_done_anew(undone: TransactionalDatabase) -> None:
    newest = fill(undone).after
    migrate(undone, NOBODY, revision=BEFORE)
    again = fill(undone, seconds=0)

    assert (again.after, again.left) == (newest, ("documents: 500 of 1,200",))


def test_what_later_code_has_left_is_left_to_that_code(
    undone: TransactionalDatabase, other: OtherCode
) -> None:
    other.add("later", "create table later (n integer)", after=OURS, work=[BY_YEAR])
    left = other.migrate(undone, seconds=0).left
    assert (left[0], left[-1]) == ("documents: 500 of 1,200", "index movies_year_idx")

    assert migrate(undone, NOBODY).left == ()
    assert noted(undone)[0] == 500
    assert other.migrate(undone).left == ()
    assert noted(undone) == (1_200, 1_200, True)


def test_over_http_what_is_left_is_in_the_answer(
    client: httpx.Client, database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WORK_TIMEOUT", 0.0)
    insert(database, 1_200)
    with database.begin() as connection:
        connection.exec_driver_sql("delete from schema_work")
    answers = [client.post("/migrate").raise_for_status().json()["data"]]
    while answers[-1]["left"]:
        answers.append(client.post("/migrate").raise_for_status().json()["data"])

    lefts = ["documents: 500 of 1,200", "documents: 1,000 of 1,200"]
    assert [answer["left"][0] for answer in answers[:2]] == lefts
    assert " Left to do: documents: 500 of 1,200; " in answers[0]["message"]
    assert answers[-1]["message"].startswith("Nothing to do: ")


# --- Documents of the next version ----------------------------------------------------------------

NEXT_VERSION: Final = """
    create type movie_shown_2 as (
        imdb_id text, title text, type text, year smallint, year_end smallint, rated text,
        released date, runtime_minutes integer, genres text[], directors text[], writers text[],
        actors text[], plot text, languages text[], countries text[], awards text,
        poster_url text, ratings json, metascore smallint, imdb_rating numeric(3, 1),
        imdb_votes integer, box_office_usd bigint, total_seasons smallint, website text,
        aliases text[], fetched_at text, stars integer
    );
    create or replace function document_movie() returns trigger language plpgsql as $$
    begin
        new.document := to_json(row(
            new.imdb_id, new.title, new.type, new.year, new.year_end, new.rated,
            new.released, new.runtime_minutes, new.genres, new.directors, new.writers,
            new.actors, new.plot, new.languages, new.countries, new.awards, new.poster_url,
            new.ratings, new.metascore, new.imdb_rating, new.imdb_votes,
            new.box_office_usd, new.total_seasons, new.website, new.aliases,
            to_char(new.fetched_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            5
        )::movie_shown_2)::text;
        new.document_version := 2;
        return new;
    end $$;
"""
REFILLED: Final = {
    "fill": "documents",
    "table": "movies",
    "key": "imdb_id",
    "set": "document = null",
    "where": "coalesce(document_version, 0) < 2",
}


def page(database: Database) -> Any:
    answered = database.answer(movies.find_page_at(skipped=0, records=100))
    return json.loads(answered.movies_json)


def test_a_new_member_of_a_movie_is_neither_seen_by_older_code_nor_written_at_once(
    undone: TransactionalDatabase, other: OtherCode, serving: Database
) -> None:
    migrate(undone, NOBODY)
    before = page(serving)
    other.add("stars", NEXT_VERSION, after=OURS, work=[REFILLED])

    first = other.migrate(undone, seconds=0)
    versions = ask(
        undone, "select count(*), count(*) filter (where document_version = 2) from movies"
    )
    assert (first.left, versions) == (("documents: 500 of 1,200",), (1_200, 500))
    assert page(serving) == before
    assert "stars" not in upsert(serving, "tt0000001")[0]  # which is of that version, by now
    assert "stars" not in upsert(serving, "tt0001999")[0]

    assert other.migrate(undone).left == ()
    assert ask(undone, "select min(document_version), max(document_version) from movies") == (2, 2)
    assert ask(undone, "select distinct document::json ->> 'stars' from movies") == ("5",)
    assert page(serving)[2:] == before[1:99]  # behind the two that are called A now


# --- Indexes --------------------------------------------------------------------------------------


@pytest.fixture
def indexed(undone: TransactionalDatabase, other: OtherCode) -> OtherCode:
    """Return code that has an index to make, of movies that are filled."""
    migrate(undone, NOBODY)
    other.add("by_year", "select 1", after=OURS, work=[BY_YEAR])
    return other


def is_valid(database: TransactionalDatabase) -> bool:
    sql = "select bool_and(indisvalid) from pg_index where indexrelid = to_regclass('{}')"
    return bool(ask(database, sql.format(BY_YEAR["index"]))[0])


def test_an_index_is_made_once(undone: TransactionalDatabase, indexed: OtherCode) -> None:
    assert indexed.migrate(undone).left == ()
    made = ask(undone, "select 'movies_year_idx'::regclass::oid")
    assert indexed.migrate(undone).left == ()

    assert is_valid(undone)
    assert ask(undone, "select 'movies_year_idx'::regclass::oid") == made


def test_an_index_that_was_broken_off_is_made_anew(
    undone: TransactionalDatabase, indexed: OtherCode
) -> None:
    with undone.without_transaction() as connection, pytest.raises(Exception, match="duplicate"):
        connection.exec_driver_sql(
            "create unique index concurrently movies_year_idx on movies (type)"
        )
    assert not is_valid(undone)

    assert indexed.migrate(undone).left == ()
    assert is_valid(undone)
    assert (
        "(year, imdb_id)" in ask(undone, "select pg_get_indexdef('movies_year_idx'::regclass)")[0]
    )


def test_an_index_waits_for_who_writes_and_keeps_nobody_waiting(
    undone: TransactionalDatabase, indexed: OtherCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "MIGRATIONS", indexed.migrations)
    migrate(undone, NOBODY, seconds=0)
    with undone.begin() as connection:
        connection.exec_driver_sql("drop index movies_year_idx")
        connection.exec_driver_sql("delete from schema_work where name = 'movies_year_idx'")
    with ThreadPoolExecutor(2) as threads:
        with undone.begin() as connection:
            connection.exec_driver_sql(RENAME)
            runs = [threads.submit(migrate, undone, NOBODY) for _ in range(2)]
            time.sleep(limits.LOCK_TIMEOUT + 0.5)
            with undone.begin() as beside:
                beside.exec_driver_sql("update movies set year = 1991 where imdb_id = 'tt0000001'")
            assert not any(run.done() for run in runs)
        assert [run.result(30).left for run in runs] == [(), ()]

    assert is_valid(undone)


def test_two_who_make_an_index_at_once_do_not_wait_in_a_circle(
    undone: TransactionalDatabase, indexed: OtherCode
) -> None:
    indexed.migrate(undone)
    made = work.NewIndex(name=BY_YEAR["index"], table="movies", columns=BY_YEAR["columns"])
    meeting = threading.Barrier(2, timeout=30)

    def make() -> str:
        meeting.wait()
        try:
            made._make(undone)
        except DatabaseUnavailable as error:
            return error.message
        return "made"

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            with undone.begin() as connection:
                connection.exec_driver_sql(f"drop index {BY_YEAR['index']}")
            told = {run.result() for run in [threads.submit(make) for _ in range(2)]}
            assert told <= {"made", "Another run makes an index just now. Try again in a moment."}
            assert is_valid(undone)


def test_the_time_outs_of_a_connection_are_as_before_an_index_was_made(
    undone: TransactionalDatabase, indexed: OtherCode
) -> None:
    def timeouts() -> Mapping[str, str]:
        names = ("statement_timeout", "lock_timeout", "transaction_isolation")
        return {name: ask(undone, f"show {name}")[0] for name in names}

    before = timeouts()
    indexed.migrate(undone)

    assert timeouts() == before
