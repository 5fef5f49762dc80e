"""Any page by its number, exact whatever was written meanwhile, and near a known place.

Writes by chance go on for four seconds; with MOVIES_FULL_SIZE=1 for two minutes.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import Any, Final
from uuid import uuid4

import pytest
from pg8000.native import to_statement
from sqlalchemy import Connection, text

from lib.accounts.users import AdminSettings
from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.database.driver import Prepared
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import MovieNotFound
from lib.schema.migrating import migrate
from local.postgres import EmbeddedPostgres
from tests.support import database_settings

UPSERT: Final = Statement(repeatable=True, sql=statements.upserting())
FOLDED_AFTER: Final = 200  # moves
PER_PLACE: Final = 500  # movies, in a catalogue of less than two millions
SECONDS: Final = 120 if os.environ.get("MOVIES_FULL_SIZE") else 4
AT_ONCE: Final = 8
ID: Final = "'tt' || (1000000 + n)"
KEY: Final = "'film ' || left(md5(({})::text), 3)"  # several movies have each
REFUSED: Final = "40001"

# The places that are not where they say, and the total's own fault.
_FAULTS: Final = """
    select
        (select count(*) from movie_places place where before
            + (select coalesce(sum(delta), 0) from movie_moves
               where (sort_key, imdb_id) < (place.sort_key, place.imdb_id))
            <> (select count(*) from movies
                where (sort_key, imdb_id) < (place.sort_key, place.imdb_id))),
        (select movies from movie_totals) - (select count(*) from movies)
"""


@pytest.fixture
def own(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Return a database of the test's own, whose deadlocks and plans are nobody else's."""
    name = f"places_{uuid4().hex}"
    postgres.create_database(name)
    settings = database_settings(postgres.url(name))
    empty = TransactionalDatabase(settings)
    migrate(empty, AdminSettings(username="admin", password=None))
    empty.close()
    listing = [UPSERT, statements.DELETE, *statements.LISTING]
    database = TransactionalDatabase(settings, statements=listing)
    yield database
    database.close()
    postgres.drop_database(name)


def run(connection: Connection, sql: str, **values: object) -> Any:
    return connection.execute(text(sql), values)


def write(database: TransactionalDatabase, *sql: str) -> None:
    with database.begin() as connection:
        run(connection, "set local statement_timeout = 0")
        for one in sql:
            run(connection, one)


def insert(numbers: str, salt: int = 0) -> str:
    return f"""
        insert into movies (imdb_id, title, sort_key, type)
        select {ID}, 'Film', {KEY.format(f"n + {salt}")}, 'movie' from {numbers} n
    """  # noqa: S608


def delete(numbers: str) -> str:
    return f"delete from movies where imdb_id in (select {ID} from {numbers} n)"  # noqa: S608


def count(database: TransactionalDatabase, rows: str) -> int:
    with database.begin() as connection:
        counted: int = run(connection, f"select count(*) from {rows}").scalar_one()  # noqa: S608
    return counted


def assert_exact(database: TransactionalDatabase, chance: Random | None = None) -> None:
    """Compare places, total and pages with the movies themselves, all in one snapshot."""
    with database.begin() as connection:
        run(connection, "set transaction isolation level repeatable read")
        assert run(connection, _FAULTS).one() == (0, 0)
        order = run(connection, "select imdb_id from movies order by sort_key, imdb_id").scalars()
        ids = list(order)
        starts = {0, 1, len(ids) - 1, len(ids), len(ids) + 1, 99_999_900}
        some = (chance or Random(1)).sample(range(len(ids)), min(len(ids), 30))  # noqa: S311
        page_at = Prepared(connection.connection.dbapi_connection, statements.PAGE_AT.sql)
        for skipped in {start for start in (*starts, *some) if start >= 0}:
            for records in (1, 10):
                [row] = page_at.run(skipped=skipped, records=records)
                given = [movie["imdb_id"] for movie in json.loads(f"[{row[0] or ''}]")]
                assert given == ids[skipped : skipped + records]
                assert row[1] == len(ids)
                assert bool(row[-1]) == (bool(given) and skipped + records < len(ids))


def test_pages_are_exact_while_the_catalogue_grows_shrinks_and_is_emptied(
    own: TransactionalDatabase,
) -> None:
    steps = {
        "nothing": "select 1",
        "a few": insert("generate_series(1, 3)"),
        "many": insert("generate_series(4, 9000)"),
        "all of an end": "delete from movies where sort_key < 'film 4'",
        "most": delete("generate_series(1, 8800)"),
        "some again": insert("generate_series(1, 700)"),
        "none": "delete from movies",
        "one": insert("generate_series(1, 1)"),
        "a truncate": "truncate movies",
        "one more": insert("generate_series(1, 1)"),
    }
    for sql in steps.values():
        write(own, sql)
        assert_exact(own)


def test_places_are_made_where_many_movies_come_and_given_up_where_they_go(
    own: TransactionalDatabase,
) -> None:
    write(own, insert("generate_series(1, 20000)"))
    grown = count(own, "movie_places")
    with own.begin() as connection:
        widest = run(
            connection,
            "select max(next - before) from (select before, coalesce(lead(before) over "
            "(order by sort_key, imdb_id), 20000) as next from movie_places) place",
        ).scalar_one()
    for _ in range(12):  # of two neighbours one is given up at a time
        write(own, delete("generate_series(1, 19000)"), insert("generate_series(1, 600)"))

    assert 20 <= grown <= 41
    assert widest <= 2 * PER_PLACE
    assert count(own, "movie_places") <= 16
    assert_exact(own)


def test_the_first_page_is_the_first_where_nothing_stands_between_places(
    own: TransactionalDatabase,
) -> None:
    write(own, insert("generate_series(1, 5000)"))
    # All before the last place, which so stands after none: not enough to give one up.
    write(own, "delete from movies where sort_key >= 'film 5'")
    write(own, "delete from movies where sort_key < 'film 4'")
    for number in range(3):
        write(own, insert(f"generate_series({9000 + number}, {9000 + number})"))
        assert_exact(own)


def test_moves_are_folded_as_they_come(own: TransactionalDatabase) -> None:
    most = 0
    for number in range(3 * FOLDED_AFTER // 20):
        write(own, insert(f"generate_series({20 * number}, {20 * number + 19})"))
        most = max(most, count(own, "movie_moves"))
    folded_at_the_end = count(own, "movie_moves") < FOLDED_AFTER

    assert FOLDED_AFTER - 20 <= most <= FOLDED_AFTER
    assert folded_at_the_end
    assert_exact(own)


def test_while_one_folds_nobody_waits_and_all_is_exact(own: TransactionalDatabase) -> None:
    write(own, insert("generate_series(1, 400)"))
    with own.begin() as folding:
        run(folding, insert("generate_series(401, 900)"))
        run(folding, "set constraints all immediate")  # as a commit does that takes long
        assert run(folding, "select count(*) from movie_moves").scalar_one() == 0
        began = time.monotonic()
        for number in range(901, 2500, 100):
            write(own, insert(f"generate_series({number}, {number + 99})"))
        assert time.monotonic() - began < 3  # a lock would be waited for
        assert_exact(own)
    assert_exact(own)

    write(own, insert("generate_series(3001, 3500)"))
    assert count(own, "movie_moves") < FOLDED_AFTER
    assert_exact(own)


def test_a_fold_that_is_rolled_back_leaves_the_moves(own: TransactionalDatabase) -> None:
    write(own, insert("generate_series(1, 100)"))
    with own.begin() as connection:
        point = connection.begin_nested()
        run(connection, insert("generate_series(301, 4000)"))
        run(connection, "set constraints all immediate")
        assert run(connection, "select count(*) from movie_places").scalar_one() > 1
        point.rollback()
    assert (count(own, "movie_places"), count(own, "movie_moves")) == (1, 100)
    assert_exact(own)

    with own.begin() as connection:
        for number in range(6):
            point = connection.begin_nested()
            run(
                connection, insert(f"generate_series({1000 * number + 301}, {1000 * number + 900})")
            )
            point.rollback() if number % 2 else point.commit()
    assert count(own, "movies") == 1900
    assert_exact(own)


@pytest.mark.parametrize(
    "setting",
    [
        "set constraints all immediate",
        "set transaction isolation level repeatable read",
        "set transaction isolation level serializable",
    ],
)
def test_whoever_has_other_rules_for_a_transaction_stays_exact(
    own: TransactionalDatabase, setting: str
) -> None:
    write(own, insert("generate_series(1, 2500)"))
    upsert = f"""
        {insert("generate_series(2000, 6000)", 7)}
        on conflict (imdb_id) do update set sort_key = excluded.sort_key
    """
    write(own, setting, upsert, delete("generate_series(1, 700)"))
    assert_exact(own)

    write(own, insert("generate_series(7001, 9000)"))
    assert count(own, "movie_moves") == 0
    assert_exact(own)


def test_renaming_very_many_in_one_transaction_folds_once(own: TransactionalDatabase) -> None:
    write(own, insert("generate_series(1, 10000)"))
    rename = "update movies set sort_key = 'film ' || left(md5(sort_key || imdb_id), 3)"
    began = time.monotonic()
    write(own, rename, rename)

    assert time.monotonic() - began < 10
    assert count(own, "movie_moves") == 0
    assert_exact(own)


def test_a_truncate_that_sees_an_old_state_is_refused(own: TransactionalDatabase) -> None:
    write(own, insert("generate_series(1, 10)"))
    with pytest.raises(Exception, match="failed"):
        write(own, "set transaction isolation level repeatable read", "truncate movies")

    assert_exact(own)
    assert count(own, "movies") == 10


def write_by_chance(database: TransactionalDatabase, chance: Random, ends: float) -> None:
    """Insert, delete, rename, import, take back, until it ends."""

    def some(most: int) -> str:
        ids = sorted(chance.sample(range(6000), chance.randint(1, most)))
        return f"unnest(array{ids})"

    def films(most: int) -> str:
        return movies.as_records(
            [
                Movie(
                    imdb_id=f"tt{1_000_000 + n}",
                    title=f"Film {chance.randrange(900)}",
                    type="movie",
                )
                for n in chance.sample(range(6000), chance.randint(1, most))
            ]
        )

    def take_back() -> None:
        with database.begin() as connection:
            run(connection, delete(some(1)))
            point = connection.begin_nested()
            for film in json.loads(films(1)):
                run(connection, insert(f"unnest(array[{int(film['imdb_id'][2:]) - 900_000}])"))
            point.rollback()
            if chance.random() < 0.5:
                connection.get_transaction().rollback()  # type: ignore[union-attr]

    def remove(imdb_id: str) -> None:
        with suppress(MovieNotFound):
            database.answer(movies.delete(imdb_id, user_id=0))

    deeds: list[Callable[[], object]] = [
        *[lambda: database.run(UPSERT, movies=films(1))] * 6,
        *[lambda: remove(f"tt{1_000_000 + chance.randrange(6000)}")] * 6,
        *[take_back] * 2,
        lambda: database.run(UPSERT, movies=films(700)),
        lambda: write(
            database,
            f"""delete from movies where imdb_id in (
                select imdb_id from movies where imdb_id in (select {ID} from {some(300)} n)
                order by imdb_id for update)""",  # noqa: S608
        ),
    ]
    while time.monotonic() < ends:
        chance.choice(deeds)()


def test_writes_by_chance_from_many_connections_leave_every_page_exact(
    own: TransactionalDatabase,
) -> None:
    write(own, insert("generate_series(1, 4000)"))
    ends = time.monotonic() + SECONDS
    with ThreadPoolExecutor(AT_ONCE - 1) as threads:
        writers = [
            threads.submit(write_by_chance, own, Random(number), ends)  # noqa: S311
            for number in range(AT_ONCE - 1)
        ]
        compared = 0
        while time.monotonic() < ends:
            assert_exact(own, Random(compared))  # noqa: S311
            compared += 1
        for writer in writers:
            writer.result()

    assert_exact(own)
    assert compared > 0
    assert deadlocks(own) == 0
    with own.begin() as connection:
        folds = run(connection, "select max(number) / 200 from movie_moves").scalar_one()
    assert folds is None or folds > 2


def deadlocks(database: TransactionalDatabase) -> int:
    database.close()  # a session tells its own at its end
    time.sleep(0.2)
    with database.begin() as connection:
        counted: int = run(
            connection,
            "select deadlocks from pg_stat_database where datname = current_database()",
        ).scalar_one()
    return counted


MANY: Final = 100_000
# The steps from a place, as many as may have come since, and the page itself.
MOST_READ: Final = 2 * PER_PLACE + FOLDED_AFTER + 4 * 100


@pytest.fixture
def large(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Return a catalogue that nobody reads as a whole unnoticed, right after as many writes."""
    name = f"large_{uuid4().hex}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)))
    migrate(database, AdminSettings(username="admin", password=None))
    for number in range(0, MANY, 5_000):
        write(database, insert(f"generate_series({number}, {number + 4_999})"))
    for number in range(0, MANY, 10_000):
        write(database, delete(f"generate_series({number}, {number + 4_999})"))
    write(database, insert(f"generate_series({MANY}, {MANY + 450})"))
    yield database
    database.close()
    postgres.drop_database(name)


ASKED: Final = (
    *[
        (statements.PAGE_AT, (skipped, records))
        for skipped in (0, 10, 1_000, 25_000, 49_990, 50_440, 60_000, 999_990, 99_999_900)
        for records in (10, 100)
    ],
    *[
        (statement, (key, "tt1000000", 100))
        for statement in (statements.PAGE_AFTER, statements.PAGE_BEFORE)
        for key in ("a", "film 7", "film z", "z")
    ],
)


def test_no_page_can_be_asked_for_that_reads_the_table(large: TransactionalDatabase) -> None:
    plans = [explain(large, *asked) for asked in ASKED]
    write(large, "analyze")
    plans += [explain(large, *asked) for asked in ASKED]

    read = [read_of_movies(plan) for plan in plans]
    assert max(read) <= MOST_READ, [*zip(2 * ASKED, read, strict=True)]
    assert min(read) == 0  # beyond the end


def explain(
    database: TransactionalDatabase, statement: Statement, values: tuple[object, ...]
) -> dict[str, Any]:
    """Run a statement, planned as for any values, and return what its plan has read."""
    sql, _ = to_statement(statement.sql)
    given = ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)
    with database.begin() as connection:
        connection.exec_driver_sql(f"prepare page as {sql}")
        [[told]] = connection.exec_driver_sql(
            f"explain (analyze, timing off, format json) execute page({given})"
        )
        connection.exec_driver_sql("deallocate page")
    plan: dict[str, Any] = told[0]["Plan"]
    return plan


def read_of_movies(node: dict[str, Any]) -> float:
    """Add up the rows of movies that a plan has read."""
    own = 0.0
    if node.get("Relation Name") == "movies":
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        own = read * node["Actual Loops"]
    return own + sum(read_of_movies(part) for part in node.get("Plans", []))
