"""Reading takes as long in a large catalogue as in a small one."""

import json
import re
from collections.abc import Callable

import pytest
from pg8000.native import to_statement
from sqlalchemy import text

from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.imports.statements import SETTLE
from lib.omdb import memory
from lib.search import suggesting

MANY = 20_000
SERVED_BY_AN_INDEX = {
    "page_at": statements.PAGE_AT,
    "page_after": statements.PAGE_AFTER,
    "page_before": statements.PAGE_BEFORE,
    "by_id": statements.BY_ID,
    "by_ids": statements.BY_IDS,
    "by_title": statements.BY_TITLE,
    "by_names": statements.BY_NAMES,
    "by_key": statements.BY_KEY,
    "near_films": suggesting.NEAR_FILMS,
    "delete": statements.DELETE,
    "recall": memory.STATEMENTS[0],
    "store": memory.STATEMENTS[1],
    "settle": SETTLE,
}


def insert_many(database: TransactionalDatabase) -> None:
    with database.begin() as connection:
        for begin in range(0, MANY, 2_000):  # in steps, as a statement may take some seconds
            connection.execute(
                text("""
                    insert into movies (imdb_id, title, sort_key, type)
                    select 'tt' || 1000000 + n, 'Film ' || n, 'film ' || md5(n::text), 'movie'
                    from generate_series(:begin + 1, :begin + 2000) n
                """),
                {"begin": begin},
            )
        connection.execute(text("analyze movies, movie_search"))


def plan(database: TransactionalDatabase, statement: Statement) -> str:
    """Return the plan that is made once a connection, whatever the values."""
    sql, _ = to_statement(statement.sql)
    with database.begin() as connection:
        rows = connection.exec_driver_sql(
            f"explain (generic_plan, costs off) {sql}".replace("%", "%%")
        )
        return "\n".join(row[0] for row in rows)


def test_no_statement_reads_the_whole_table(database: TransactionalDatabase) -> None:
    insert_many(database)

    plans = {name: plan(database, statement) for name, statement in SERVED_BY_AN_INDEX.items()}

    read_whole = re.compile(r"Seq Scan on (movies|movie_search)\b")
    assert [name for name, told in plans.items() if read_whole.search(told)] == []
    assert all("movies" in told for told in plans.values())


@pytest.mark.parametrize("stored", range(6))
def test_pages_are_cut_from_one_order_whichever_end_they_are_found_from(
    database: TransactionalDatabase, store: Callable[..., Movie], stored: int
) -> None:
    for number in range(stored):
        store(f"tt000000{number}", f"Film {number * 7 % 5}")
    whole = json.loads(database.answer(movies.find_page_at(skipped=0, records=10)).movies_json)
    assert len(whole) == stored

    for records in (1, 2, 3):
        for skipped in range(stored + 3):
            page = database.answer(movies.find_page_at(skipped=skipped, records=records))
            assert json.loads(page.movies_json) == whole[skipped : skipped + records]
            assert page.more_after == (skipped + records < stored)
