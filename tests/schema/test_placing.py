"""The step to places, while the release before reads and writes, and back."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from lib.accounts.users import AdminSettings
from lib.catalogue import movies, statements
from lib.database.transactions import TransactionalDatabase
from lib.schema.migrating import migrate

NOBODY = AdminSettings(username="admin", password=None)
BEFORE, PLACES = "0005", "0007"
STORED = 5_000
INSERT = """
    insert into movies (imdb_id, title, sort_key, type)
    select 'tt' || (1000000 + n), 'Film', 'film ' || left(md5(n::text), 3), 'movie'
    from generate_series(cast(:first as integer), cast(:last as integer)) n
"""
# As the release before asks for a page.
OLD_PAGE = """
    select imdb_id, (select movies from movie_totals) from movie_totals total, lateral (
        select * from movies order by sort_key desc, imdb_id desc
        offset total.movies - 1 - 4000 limit 1
    ) start
"""
FAULTS = """
    select (select movies from movie_totals) - (select count(*) from movies),
        (select count(*) from movie_places place where before
            + (select coalesce(sum(delta), 0) from movie_moves
               where (sort_key, imdb_id) < (place.sort_key, place.imdb_id))
            <> (select count(*) from movies
                where (sort_key, imdb_id) < (place.sort_key, place.imdb_id)))
"""


@pytest.fixture
def filled(empty: TransactionalDatabase) -> TransactionalDatabase:
    """Return a database with movies, as the release before has left it."""
    migrate(empty, NOBODY, revision=BEFORE)
    with empty.begin() as connection:
        connection.execute(text(INSERT), {"first": 1, "last": STORED})
    return empty


def test_what_is_written_meanwhile_is_placed_as_well(filled: TransactionalDatabase) -> None:
    ended = False

    def write(number: int) -> int:
        written = 0
        while not ended or written < 3:
            first = STORED + 100_000 * number + 10 * written
            with filled.begin() as connection:
                connection.execute(text(INSERT), {"first": first, "last": first + 9})
                imdb_id = f"tt{1_000_000 + first}"
                connection.execute(text("delete from movies where imdb_id = :id"), {"id": imdb_id})
            written += 1
        return written

    def read() -> int:
        asked = 0
        while not ended:
            with filled.begin() as connection:
                rows = connection.execute(text(OLD_PAGE)).all()
            assert len(rows) == 1
            assert rows[0][1] >= STORED
            asked += 1
        return asked

    with ThreadPoolExecutor(4) as threads:
        deeds = [*[threads.submit(write, number) for number in range(1, 4)], threads.submit(read)]
        time.sleep(0.3)
        try:
            migrate(filled, NOBODY, revision=PLACES)
            time.sleep(0.3)
        finally:
            ended = True
        done = [deed.result() for deed in deeds]

    assert min(done) > 0
    with filled.begin() as connection:
        assert connection.execute(text(FAULTS)).one() == (0, 0)
        assert connection.execute(text("select count(*) from movie_places")).scalar_one() > 1
        counted = connection.execute(text("select movies from movie_totals")).scalar_one()
    assert counted == STORED + 9 * sum(done[:-1])


def test_the_total_stays_readable_for_those_who_could_read_it(
    filled: TransactionalDatabase,
) -> None:
    role = f"reader_{filled._settings.name}"
    with filled.begin() as connection:
        connection.exec_driver_sql(f"create role {role}")
        connection.exec_driver_sql(f"grant select on movie_totals to {role}")
    migrate(filled, NOBODY, revision=PLACES)

    try:
        with filled.begin() as connection:
            connection.exec_driver_sql(f"set local role {role}")
            told = connection.exec_driver_sql("select movies from movie_totals").scalar_one()
    finally:
        with filled.begin() as connection:
            connection.exec_driver_sql(f"drop owned by {role}; drop role {role}")
    assert told == STORED


def test_a_step_back_leaves_the_total_right(filled: TransactionalDatabase) -> None:
    migrate(filled, NOBODY, revision=PLACES)
    with filled.begin() as connection:
        connection.execute(text("delete from movies where sort_key < 'film 8'"))
    migrate(filled, NOBODY, revision=BEFORE)

    with filled.begin() as connection:
        connection.execute(text(INSERT), {"first": 90_000, "last": 90_002})
        told, counted = connection.execute(
            text("select (select movies from movie_totals), (select count(*) from movies)")
        ).one()
    assert told == counted


def test_places_made_anew_are_those_of_now(filled: TransactionalDatabase) -> None:
    migrate(filled, NOBODY, revision=PLACES)
    with filled.begin() as connection:
        for spoilt in (
            "update movie_places set before = before + 7",
            "delete from movie_folds",
            "insert into movie_moves (sort_key, imdb_id, delta) values ('a', 'tt1', 1)",
        ):
            connection.exec_driver_sql(spoilt)
        connection.exec_driver_sql("select place_all_movies()")

    filled._statements = statements.LISTING
    filled.close()
    assert filled.answer(movies.find_page_at(skipped=STORED - 1, records=10)).total == STORED
    with filled.begin() as connection:
        assert connection.execute(text(FAULTS)).one() == (0, 0)
