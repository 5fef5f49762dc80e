"""Whatever is asked, a search reads what it finds, or so many rows of an order, and never all."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pytest
from pg8000.native import to_statement

from lib.accounts.users import AdminSettings
from lib.database.statement import Statement, Values
from lib.database.transactions import TransactionalDatabase
from lib.schema.migrating import migrate
from lib.search import attempts
from lib.search.asking import PARAMETERS, wanted_hits
from lib.search.counts import COUNTING
from lib.search.cursor import Cursor
from lib.search.statements import BY_COLUMN, BY_RELEVANCE, SORT_COLUMNS
from lib.search.suggesting import NEAR_FILMS
from local.postgres import EmbeddedPostgres
from tests.support import database_settings

MANY: Final = 30_000
RECORDS: Final = 2
WALKED: Final = 200 * (RECORDS + 1)

# Of three genres one is rare, and one is of old films alone; a word in three is common.
ROWS: Final = f"""
    insert into movie_search select
        'tt' || 1000000 + n, 'film ' || lpad((n * 7919 % {MANY})::text, 6, '0'), 'film ' || n,
        'film' || n, case when mod(n, 5) = 0 then 0 else (n * 31 % 997) * (n * 31 % 997) end,
        case when mod(n, 7) = 0 then 0 else 19000101 + (n / 300) * 10000 end,
        case when mod(n, 7) = 0 then 0 else 1900 + n / 300 end, 60 + mod(n, 100),
        mod(n, 101), array['t/movie'],
        array_to_tsvector(array_remove(array[
            '#t/movie', 'film', n::text, case mod(n, 3) when 0 then 'the' end,
            '#g/' || case when mod(n, 1000) = 3 then 'rare' when n < 1000 then 'old'
                else 'drama' end,
            '#y/' || 1900 + n / 300, '#e/' || (1900 + n / 300) / 10 * 10, '#i/' || mod(n, 101) / 10,
            '@john', '#d/john'], null))
    from generate_series(1, {MANY}) n
"""  # noqa: S608


@pytest.fixture(scope="module")
def large(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Return search rows that nobody reads as a whole unnoticed."""
    name = f"large_{uuid4().hex}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)))
    migrate(database, AdminSettings(username="admin", password=None))
    with database.begin() as connection:
        connection.exec_driver_sql(ROWS)
    with database.begin() as connection:
        connection.exec_driver_sql("analyze movie_search")
    yield database
    database.close()
    postgres.drop_database(name)


# Each with about how many hits there are, where what is asked finds them by itself.
ASKED: Final = [
    ({}, 0),
    ({"type": "movie"}, 0),
    ({"genre": "drama"}, MANY),  # if the order begins with old films, which are none
    ({"genre": "rare"}, 30),
    ({"genre": "old"}, 1_000),
    ({"genre": "rare|old", "rated": "R"}, 0),
    ({"person": "nobody"}, 0),
    ({"year": "1990..1999"}, 2_600),
    ({"year": "1950", "genre": "drama"}, 300),
    ({"released": "1900-01-01..1901-01-01"}, 600),
    ({"imdb_votes": "1..100"}, 300),
    ({"imdb_rating": "9.9.."}, 2_000),  # the index knows whole ones
    ({"query": "film 777"}, 20),
    ({"query": "nothing"}, 0),
]
PLACES: Final = ("", "the first", "the middle", "the last")


def place(sort: str, where: str) -> Cursor | None:
    values = {
        "title": ("film 000001", "film 015000", "film 029990"),
        "year": ("1900", "1950", "0"),
        "released": ("19000101", "19500101", "0"),
        "imdb_rating": ("1", "50", "0"),
        "imdb_votes": ("1", "300000", "0"),
    }
    if not where:
        return None
    value = values[sort][PLACES.index(where) - 1]
    return Cursor(value=value, imdb_id="tt1010000")


@pytest.mark.parametrize(("query", "hits"), ASKED, ids=json.dumps)
def test_no_page_in_the_order_of_a_column_reads_the_table(
    large: TransactionalDatabase, query: dict[str, str], hits: int
) -> None:
    wanted = wanted_hits(PARAMETERS.read_query(query))
    attempt = attempts.as_asked(wanted.terms, wanted.filters)
    read = {}
    for sort, descending, where in itertools.product(SORT_COLUMNS, (False, True), PLACES):
        values = attempts.column_values(
            attempt,
            wanted.filters,
            SORT_COLUMNS[sort],
            descending=descending,
            cursor=place(sort, where),
            records=RECORDS,
        )
        plan = explain(large, BY_COLUMN[sort, descending], values)
        read[sort, descending, where] = rows_read(plan)
    # The known and the unknown are two walks; hits are read once more where they are unknown.
    assert max(read.values()) <= 2 * WALKED + 2 * hits, read


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ({"query": "film 777"}, 100),
        ({"query": "film 777 1902"}, 100),
        ({"query": "nothing at all"}, 0),
        ({"query": "john rare", "genre": "rare"}, 0),
        ({"query": "film", "genre": "rare"}, 200),
        # What a word in three has: the famous, and no others.
        ({"query": "the"}, 20_000),
    ],
    ids=json.dumps,
)
def test_no_page_by_relevance_reads_more_than_is_found(
    large: TransactionalDatabase, query: dict[str, str], most: int
) -> None:
    wanted = wanted_hits(PARAMETERS.read_query(query))
    attempt = attempts.as_asked(wanted.terms, wanted.filters)
    values = attempts.relevance_values(attempt, wanted.filters, None, RECORDS)

    assert rows_read(explain(large, BY_RELEVANCE, values)) <= most
    counted = rows_read(explain(large, COUNTING, attempts.hit_values(attempt, wanted.filters)))
    assert counted <= max(most, 1_001)


# What a plan goes by: the best known of what a word has, found where the best known stand first.
SAID_TO_BE_MANY: Final = """
    update pg_class set reltuples = 1000000
    where relname in ('movie_search', 'movie_search_tokens_idx', 'movie_search_votes_imdb_id_idx');
    insert into movies (imdb_id, title, sort_key, type) values ('tt9999999', '!', '!', 'movie')
"""
AS_BEFORE: Final = "delete from movies; analyze movie_search"


@pytest.mark.parametrize(
    ("word", "most"), [("nothing", 0), ("777", 1), (None, 0)], ids=["none", "one", "no word"]
)
def test_what_is_near_a_title_is_not_looked_for_among_all_films(
    large: TransactionalDatabase, word: str | None, most: int
) -> None:
    values = {"names": '["nothing"]', "two": word, "one": word, "of_year": word}
    try:
        with large.begin() as connection:
            connection.exec_driver_sql(SAID_TO_BE_MANY)
        assert rows_read(explain(large, NEAR_FILMS, values)) <= 3 * most
    finally:
        with large.begin() as connection:
            connection.exec_driver_sql(AS_BEFORE)


def explain(database: TransactionalDatabase, statement: Statement, values: Values) -> Any:
    """Run a statement, planned as for any values, and return its plan with what was read."""
    sql, make = to_statement(statement.sql)
    given = ", ".join(literal(value) for value in make(values))
    with database.begin() as connection:
        connection.exec_driver_sql(f"prepare page as {sql}".replace("%", "%%"))
        try:
            [[told]] = connection.exec_driver_sql(
                f"explain (analyze, timing off, format json) execute page({given})"
            )
        finally:
            connection.exec_driver_sql("deallocate page")
    return told[0]["Plan"]


def literal(value: object) -> str:
    if value is None:
        return "null"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def rows_read(node: dict[str, Any]) -> float:
    """Add up the rows of the search rows that a plan has read; no plan reads all in order."""
    own = 0.0
    if node.get("Relation Name") == "movie_search":
        removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
        read = node["Actual Rows"] + sum(node.get(kind, 0) for kind in removed)
        own = read * node["Actual Loops"]
        if node["Node Type"] == "Seq Scan" and own:
            raise AssertionError(node)
    return own + sum(rows_read(part) for part in node.get("Plans", []))
