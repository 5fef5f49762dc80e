"""Imports, creates, deletes and refreshes of the same movies at once: nobody waits in a circle.

For five seconds; with MOVIES_FULL_SIZE=1 for a minute.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from lib.accounts.users import AdminSettings
from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.catalogue.wanted import Wanted
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import MovieNotFound
from lib.imports.judging import Item, Verdict
from lib.imports.ledger import Ledger
from lib.imports.statements import STATEMENTS as OF_IMPORTS
from lib.omdb.faults import OmdbMovieNotFound
from lib.omdb.memory import STATEMENTS as OF_MEMORY
from lib.omdb.memory import Memory
from lib.omdb.questions import Question, question
from lib.omdb.settings import OmdbSettings
from lib.schema.migrating import migrate
from lib.settings import Secret
from local.postgres import EmbeddedPostgres
from tests.support import database_settings, deadlocks

CHANCE: Final = Random()  # noqa: S311  no secret
FULL: Final = bool(os.environ.get("MOVIES_FULL_SIZE"))
# As creates send it, but of many movies, which nobody sends: the worst case for locks.
UPSERT = Statement(repeatable=True, sql=statements.upserting())
EXPIRE: Final = Statement(
    repeatable=True,
    sql="""
        update omdb_answers set expires_at = now() - interval '1 second'
        where number in (
            select number from omdb_answers
            where :number::integer is null or number % 20 = :number::integer
            for update skip locked)
    """,
)
SECONDS: Final = 60 if FULL else 5
AT_ONCE: Final = 8
IDS: Final = tuple(f"tt{7_000_000 + number}" for number in range(200))


ASKED: Final = question(Wanted(title="A film"))
LOW, MIDDLE, HIGH, NEW, LAST = "tt7000001", "tt7000005", "tt7000009", "tt7000003", "tt7000010"
# The order, and a row of each that the statements below need.
LOCKS: Final = {
    "movies": "select imdb_id from movies where imdb_id = 'tt7000009'",
    "import_items": "select imdb_id from import_items where imdb_id = 'tt7000009'",
    "imports": "select id from imports",
    "movie_checks": "select imdb_id from movie_checks where imdb_id = 'tt7000005'",
    "omdb_answers": "select question from omdb_answers where question like '%a film'",
}
MOVIES_ONLY: Final = [table for table in LOCKS if table.startswith("movie")]
TAKEN: Final = {
    "import": [table for table in LOCKS if table != "omdb_answers"],
    "create many": MOVIES_ONLY,
    "refresh": ["movie_checks", "omdb_answers"],
    "create": ["omdb_answers"],
    "remember none": ["omdb_answers"],
    "delete": MOVIES_ONLY,
}


@pytest.fixture
def own_database(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Return a database of the test's own, whose deadlocks are nobody else's."""
    name = f"locks_{uuid4().hex}"
    postgres.create_database(name)
    settings = database_settings(postgres.url(name))
    empty = TransactionalDatabase(settings)
    migrate(empty, AdminSettings(username="admin", password=None))
    empty.close()
    every_statement = [
        UPSERT, statements.DELETE, EXPIRE, *OF_MEMORY, *OF_IMPORTS
    ]  # fmt: skip
    database = TransactionalDatabase(settings, statements=every_statement)
    yield database
    database.close()
    postgres.drop_database(name)


def film(imdb_id: str, votes: int | None = None) -> Movie:
    """Make a film that differs from most that were stored under its id before."""
    votes = CHANCE.randrange(3) if votes is None else votes
    return Movie(imdb_id=imdb_id, title=f"Film {imdb_id}", type="movie", imdb_votes=votes)


def some(most: int) -> list[str]:
    return CHANCE.sample(IDS, CHANCE.randint(1, most))


def import_or_refresh(database: TransactionalDatabase) -> None:
    """Settle an import of some ids: some films changed, some did not, some OMDb has lost."""
    chosen = some(60)
    import_id = open_import(database, chosen)
    ledger = Ledger(database=database, lease_seconds=120)
    items = ledger.lease(import_id, most=len(chosen))
    CHANCE.shuffle(items)
    ledger.settle(import_id, [verdict(item) for item in items])
    assert ledger.finish(import_id)


def open_import(database: TransactionalDatabase, imdb_ids: list[str]) -> int:
    with database.begin() as connection:
        number: int = connection.execute(
            text("""
                with opened as (
                    insert into imports (kind, fingerprint, requested_by, types, has_more, total)
                    values ('ids', :name, 'a test', '{movie}', false, :total)
                    returning id
                ), listed as (
                    insert into import_items (import_id, imdb_id)
                    select id, unnest(cast(:ids as text[])) from opened
                )
                select id from opened
            """),
            {"name": uuid4().hex, "ids": imdb_ids, "total": len(imdb_ids)},
        ).scalar_one()
    return number


def verdict(item: Item) -> Verdict:
    if CHANCE.random() < 0.2:
        return Verdict(item=item, outcome="not_found", error="not_found")
    return Verdict(item=item, outcome="stored", movie=film(item.imdb_id))


def memory(database: TransactionalDatabase) -> Memory:
    settings = OmdbSettings(
        url="https://omdb.example/", api_key=Secret("k"), daily_budget=1, concurrency=1
    )
    return Memory(database, settings)


def some_question() -> Question:
    """Return one of a few, to which OMDb answers now this, now that."""
    return question(Wanted(title=f"Film {CHANCE.randrange(20)}"))


def create(database: TransactionalDatabase) -> None:
    memory(database).store(some_question(), film(CHANCE.choice(IDS)))


def remember_none(database: TransactionalDatabase) -> None:
    memory(database).remember_none(some_question(), OmdbMovieNotFound("OMDb knows no such movie"))


def forget(database: TransactionalDatabase) -> None:
    """Let what is remembered expire, row by row, so that there is much to sweep."""
    database.run(EXPIRE, number=CHANCE.randrange(20))


def create_many(database: TransactionalDatabase) -> None:
    chosen = [film(imdb_id) for imdb_id in some(20)]
    database.run(UPSERT, movies=movies.as_records(chosen))


def delete(database: TransactionalDatabase) -> None:
    with contextlib.suppress(MovieNotFound):  # another was faster
        database.answer(movies.delete(CHANCE.choice(IDS), user_id=1))


def delete_many(database: TransactionalDatabase) -> None:
    """Delete as a person at a terminal may, without any order of their own."""
    with database.begin() as connection:
        connection.execute(
            text("""
                delete from movies where imdb_id in (
                    select imdb_id from movies where imdb_id = any(cast(:ids as text[]))
                    order by imdb_id for update)
            """),
            {"ids": some(20)},
        )


def test_the_same_movies_are_imported_created_and_deleted_at_once_without_a_deadlock(
    own_database: TransactionalDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    deeds: list[Callable[[TransactionalDatabase], None]] = [
        import_or_refresh, import_or_refresh, create, create, create_many, delete, delete,
        delete_many, remember_none, forget, forget,
    ]  # fmt: skip
    ends = time.monotonic() + SECONDS

    def work() -> int:
        done = 0
        while time.monotonic() < ends:
            CHANCE.choice(deeds)(own_database)
            done += 1
        return done

    with ThreadPoolExecutor(AT_ONCE) as threads:
        done = sum(future.result() for future in [threads.submit(work) for _ in range(AT_ONCE)])

    assert deadlocks(own_database) == 0
    assert "database unavailable" not in caplog.text
    assert done > 100
    with own_database.begin() as connection:
        told, counted, checked, orphans = connection.execute(
            text("""
                select
                    (select movies from movie_totals), (select count(*) from movies),
                    (select count(*) from movie_checks),
                    (select count(*) from movie_checks full join movies using (imdb_id)
                     where movies.title is null or movie_checks.due_at is null)
            """)
        ).one()
    assert (told, checked, orphans) == (counted, counted, 0)


def do(deed: str, database: TransactionalDatabase, import_id: int, ledger: Ledger) -> None:
    """Write with all that takes locks: new, changed, unchanged and lost films, out of order."""
    if deed == "import":
        votes = {HIGH: 9, NEW: 9, LOW: 1, LAST: 9}  # the one with a single vote is as it was
        verdicts = [
            Verdict(item=Item(imdb_id=imdb_id), outcome="stored", movie=film(imdb_id, number))
            for imdb_id, number in votes.items()
        ]
        lost = Verdict(item=Item(imdb_id=MIDDLE), outcome="not_found", error="not_found")
        ledger.settle(import_id, [*verdicts, lost])
    elif deed == "refresh":
        memory(database).store(ASKED, film(MIDDLE, 9))
    elif deed == "create":
        memory(database).store(ASKED, film(NEW, 9))
    elif deed == "remember none":
        memory(database).remember_none(ASKED, OmdbMovieNotFound("OMDb knows no such movie"))
    elif deed == "create many":
        films = [film(imdb_id, 9) for imdb_id in (HIGH, NEW, LOW, LAST, MIDDLE)]
        database.run(UPSERT, movies=movies.as_records(films))
    else:
        with database.begin() as connection:
            connection.execute(
                text("delete from movies where imdb_id = any(cast(:ids as text[]))"),
                {"ids": [HIGH, MIDDLE, LOW]},
            )


def await_waiting(connection: Connection) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        connection.execute(text("select pg_stat_clear_snapshot()"))
        waiting = connection.execute(
            text(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                "and datname = current_database()"
            )
        ).scalar_one()
        if waiting:
            return
        time.sleep(0.005)
    raise AssertionError("nobody waits for the lock")


def locked(database: TransactionalDatabase, table: str, condition: str = "true") -> int:
    """Count the rows that somebody has locked."""
    rows = f"select 1 from {table} where {condition}"  # noqa: S608
    with database.begin() as connection:
        there = len(connection.execute(text(rows)).all())
        return there - len(connection.execute(text(f"{rows} for update skip locked")).all())


@pytest.mark.parametrize(
    ("deed", "held"), [(deed, held) for deed, tables in TAKEN.items() for held in tables]
)
def test_who_waits_for_a_lock_has_none_that_comes_later(
    own_database: TransactionalDatabase, deed: str, held: str
) -> None:
    stored = [film(imdb_id, 1) for imdb_id in (LOW, MIDDLE, HIGH)]
    own_database.run(UPSERT, movies=movies.as_records(stored))
    for asked in (ASKED, question(Wanted(title="Another, to be swept"))):
        memory(own_database).remember_none(asked, OmdbMovieNotFound("OMDb knows no such movie"))
    own_database.run(EXPIRE, number=None)
    import_id = open_import(own_database, [LAST, HIGH, NEW, MIDDLE, LOW])
    ledger = Ledger(database=own_database, lease_seconds=120)
    assert len(ledger.lease(import_id, most=9)) == 5
    order = list(LOCKS)

    with ThreadPoolExecutor(1) as thread:
        with own_database.begin() as connection:
            connection.execute(text(LOCKS[held] + " for update"))
            done = thread.submit(do, deed, own_database, import_id, ledger)
            await_waiting(connection)
            later = {table: locked(own_database, table) for table in order[order.index(held) + 1 :]}
            higher = held == "movie_checks" and locked(own_database, held, f"imdb_id > '{MIDDLE}'")
            swept = held == "omdb_answers" and locked(
                own_database, held, "question not like '%a film'"
            )
        done.result()

    assert set(later.values()) <= {0}, later
    assert not higher
    assert not swept


@pytest.mark.parametrize("deed", ["import", "create many", "create", "delete"])
def test_nobody_waits_for_the_total_nor_for_who_folds_it(
    own_database: TransactionalDatabase, deed: str
) -> None:
    stored = [film(imdb_id, 1) for imdb_id in (LOW, MIDDLE, HIGH)]
    own_database.run(UPSERT, movies=movies.as_records(stored))
    import_id = open_import(own_database, [LAST, HIGH, NEW, MIDDLE, LOW])
    ledger = Ledger(database=own_database, lease_seconds=120)
    assert len(ledger.lease(import_id, most=9)) == 5

    with own_database.begin() as connection:  # so that it is the deed's turn to fold
        connection.execute(text("alter sequence movie_moves_number_seq restart with 500"))
    with ThreadPoolExecutor(1) as thread, own_database.begin() as connection:
        for table in ("movie_folds", "movie_places", "movie_moves"):
            connection.execute(text(f"select 1 from {table} for update"))  # noqa: S608
        thread.submit(do, deed, own_database, import_id, ledger).result(3)
