"""A movie's JSON is made when it is written, and answers are what they would be if made anew."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue import document, movies, statements
from lib.catalogue.movie import Movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.omdb.faults import OmdbTombstone
from lib.omdb.reading import read_movie
from local.bench import films
from tests.catalogue.test_movies import BARE, FULL
from tests.support import store

SAMPLES = os.environ.get("MOVIES_OMDB_SAMPLES")
# What answers carried before there were documents; a change of it is one that callers see.
AS_BEFORE = """
    select imdb_id, title, type, year, year_end, rated, released, runtime_minutes, genres,
        directors, writers, actors, plot, languages, countries, awards, poster_url, ratings,
        metascore, imdb_rating, imdb_votes, box_office_usd, total_seasons, website, aliases,
        to_char(fetched_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as fetched_at
"""
ODD = Movie(
    imdb_id="tt0000003",
    title='"Quoted" \\ back/slash \t \u2028 \U0001f3ac é',
    type="movie",
    imdb_rating=8.0,
    genres=("a,b", '"', "null", "\\"),
    aliases=("tt0000009", "tt0000004"),
)


def wrong(database: TransactionalDatabase) -> tuple[int, int]:
    """Count the movies, and those whose document is none that would be made of them now."""
    with database.begin() as connection:
        # As anybody may set these: they must not matter.
        connection.execute(text("set local timezone = 'Asia/Kathmandu'"))
        connection.execute(text("set local datestyle = 'SQL, DMY'"))
        counted, differing = connection.execute(
            text(f"""
                select count(*), count(*) filter (
                    where document_version is distinct from {document.VERSION}
                        or document is distinct from
                            (select to_json(shown)::text from ({AS_BEFORE}) shown))
                from movies
            """)  # noqa: S608
        ).one()
    return counted, differing


@pytest.fixture
def store_all(settings: DatabaseSettings) -> Iterator[Callable[[str], object]]:
    """Store many movies, as JSON."""
    upsert = Statement(repeatable=True, sql=statements.upserting())
    writing = Database(settings, statements=[upsert])
    yield lambda records: writing.run(upsert, movies=records)
    writing.close()


def test_a_document_is_what_answers_carried_before(
    database: TransactionalDatabase, store_all: Callable[[str], object]
) -> None:
    for movie in (FULL, ODD, Movie(imdb_id="tt0000002", title="B", type="game")):
        store(database, movie)
    store_all(json.dumps(list(films.films(1_000))))

    assert wrong(database) == (1_003, 0)


@pytest.mark.skipif(not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of recorded answers")
def test_documents_of_real_answers_are_what_answers_carried_before(
    database: TransactionalDatabase, store_all: Callable[[str], object]
) -> None:
    real: list[Movie] = []
    for line in Path(SAMPLES or "", "details.jsonl").read_bytes().splitlines():
        try:
            real.append(read_movie(200, line))
        except OmdbTombstone:
            continue
    for _ in range(2):  # inserted, then merged with what is known
        store_all(movies.as_records(real))
        assert wrong(database) == (len(real), 0)
    assert len(real) > 300
    with database.begin() as connection:
        elsewhere = connection.execute(
            text("select count(*) from movies where pg_column_toast_chunk_id(document) is not null")
        ).scalar_one()
    assert elsewhere == 0  # they are read with their rows


WRITES = [
    "update movies set title = 'Another', imdb_rating = 1, ratings = '[]'",
    "update movies set fetched_at = '2001-02-03T04:05:06.789+07:00'",
    "update movies set document = '{}', document_version = 9",
    "update movies set aliases = '{tt0000009}', year_end = null",
    """insert into movies (imdb_id, title, sort_key, type, document, document_version)
        values ('tt0000005', 'A', 'a', 'movie', '{}', 1)""",
    """insert into movies (imdb_id, title, sort_key, type) values ('tt0000001', 'A', 'a', 'movie')
        on conflict (imdb_id) do update set plot = 'New.', document = excluded.document""",
]


@pytest.mark.parametrize("statement", WRITES)
def test_no_writer_can_forget_the_document(database: TransactionalDatabase, statement: str) -> None:
    store(database, FULL)
    with database.begin() as connection:
        connection.exec_driver_sql(statement)

    assert wrong(database)[1] == 0


def test_a_movie_that_is_merged_has_the_document_of_the_whole(
    database: TransactionalDatabase,
) -> None:
    store(database, FULL)
    stored = store(database, BARE)

    assert json.loads(stored.movie_json)["plot"] == FULL.plot
    assert wrong(database) == (1, 0)


OTHERS = ["null, null", "'{}', 0", '\'{"of": "a later release"}\', 2']


@pytest.mark.parametrize("other", OTHERS)
def test_answers_are_the_same_where_the_document_is_not_of_this_version(
    client: httpx.Client,
    database: TransactionalDatabase,
    store: Callable[..., Movie],
    other: str,
) -> None:
    for number in range(3):
        store(f"tt000000{number}", f"Film {number}", year=1990 + number)
    known = {"imdb_id": "tt0111161"}  # to the demo OMDb, which is asked once
    assert client.post("/movies.create", json=known).status_code == 201
    asks = (
        "/movies.list",
        "/movies.list?number_of_records=2&page=2",
        "/movies.get?imdb_id=tt0000001",
        "/movies.get?title=Film%201",
        "/movies.get_many?imdb_ids=tt0000002,tt0000001",
    )

    def ask() -> Sequence[bytes]:
        created = client.post("/movies.create", json=known)
        pages = [client.get(asked) for asked in asks]
        following = client.get(pages[1].links["prev"]["url"])
        return [answer.raise_for_status().content for answer in (*pages, following, created)]

    before = ask()
    with database.begin() as connection:
        run = connection.exec_driver_sql
        run("alter table movies disable trigger movies_document")
        run(f"update movies set (document, document_version) = ({other})")  # noqa: S608
        run("alter table movies enable trigger movies_document")

    assert ask() == before
    assert b"Film 1" in before[0]
