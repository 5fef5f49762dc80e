"""What the catalogue keeps when it is written, and its total."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from lib.catalogue import movies
from lib.catalogue.movie import Movie, Rating, title_key
from lib.database.transactions import TransactionalDatabase
from lib.errors import InvalidRequest, MovieNotFound
from tests.support import store

FULL = Movie(
    imdb_id="tt0000001",
    title="A Film",
    type="movie",
    year=1999,
    year_end=2001,
    rated="R",
    released=date(1999, 2, 1),
    runtime_minutes=100,
    genres=("Drama",),
    directors=("A",),
    writers=("B",),
    actors=("C",),
    plot="Things happen.",
    languages=("English",),
    countries=("France",),
    awards="1 win",
    poster_url="https://example.org/1.jpg",
    ratings=(Rating(source="Metacritic", value="50/100"), Rating(source="Other", value="1/5")),
    metascore=50,
    imdb_rating=5.5,
    imdb_votes=1000,
    box_office_usd=1,
    total_seasons=2,
    website="https://example.org",
    dvd_released=date(2000, 1, 1),
    production="P",
    season=1,
    episode=0,
    series_id="tt0000002",
)
BARE = Movie(imdb_id="tt0000001", title="A Film", type="movie")


def shown(database: TransactionalDatabase, imdb_id: str = "tt0000001") -> dict[str, Any]:
    movie: dict[str, Any] = json.loads(database.answer(movies.find_by_id(imdb_id)).movie_json)
    del movie["fetched_at"]
    return movie


def stored_row(database: TransactionalDatabase) -> dict[str, Any]:
    with database.begin() as connection:
        asked = text("select * from movies where imdb_id = 'tt0000001'")
        row = connection.execute(asked).mappings().one()
    kept = set(row) - {"created_at", "fetched_at", "changed_at"}
    return {str(name): row[name] for name in kept}


def total(database: TransactionalDatabase) -> int:
    return database.answer(movies.find_page_at(skipped=0, records=1)).total


def test_a_refresh_that_finds_nothing_leaves_the_movie_as_it_was(
    database: TransactionalDatabase,
) -> None:
    store(database, FULL)
    before = stored_row(database)
    store(database, BARE)

    assert stored_row(database) == before
    assert None not in before.values()


def test_a_refresh_replaces_what_it_knows_better(database: TransactionalDatabase) -> None:
    store(database, FULL)
    store(
        database,
        Movie(
            imdb_id="tt0000001",
            title="Another Title",
            type="movie",
            imdb_votes=2000,
            genres=("Comedy", "Drama"),
            ratings=(Rating(source="Metacritic", value="60/100"),),
        ),
    )

    movie = shown(database)
    assert (movie["title"], movie["imdb_votes"]) == ("Another Title", 2000)
    assert movie["genres"] == ["Comedy", "Drama"]
    assert movie["ratings"] == [
        {"source": "Metacritic", "value": "60/100"},
        {"source": "Other", "value": "1/5"},
    ]
    assert database.answer(movies.find_by_title("another title", year=None))
    with pytest.raises(MovieNotFound):
        database.answer(movies.find_by_title("A Film", year=None))


def test_a_series_that_goes_on_loses_its_last_year(database: TransactionalDatabase) -> None:
    store(database, FULL)
    store(database, Movie(imdb_id="tt0000001", title="A Film", type="series", year=1999))

    assert shown(database)["year_end"] is None


def test_the_total_follows_every_kind_of_write(database: TransactionalDatabase) -> None:
    totals = [total(database)]
    for number in range(3):
        store(database, Movie(imdb_id=f"tt000000{number}", title="A", type="movie"))
        totals.append(total(database))
    store(database, Movie(imdb_id="tt0000000", title="B", type="movie"))
    totals.append(total(database))
    database.answer(movies.delete("tt0000001", user_id=1))
    totals.append(total(database))
    with pytest.raises(MovieNotFound):
        database.answer(movies.delete("tt0000001", user_id=1))
    totals.append(total(database))
    with database.begin() as connection:
        connection.execute(text("truncate movies cascade"))
    totals.append(total(database))

    assert totals == [0, 1, 2, 3, 3, 2, 2, 0]


def test_the_total_is_right_after_racing_writes(database: TransactionalDatabase) -> None:
    def write(number: int) -> None:
        store(database, Movie(imdb_id=f"tt{number % 30:07}", title="A", type="movie"))
        if number % 3 == 0:
            database.answer(movies.delete(f"tt{number % 30:07}", user_id=1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(30)))

    with database.begin() as connection:
        counted = connection.execute(text("select count(*) from movies")).scalar_one()
    assert total(database) == counted == 20


@pytest.mark.parametrize(
    "column",
    [
        "imdb_rating = 'NaN'",
        "imdb_rating = 11",
        "imdb_rating = -1",
        "year = 99",
        "imdb_id = 'nm0000001'",
        "title = ''",
        "type = 'play'",
        "metascore = 101",
        "year_end = 1990",
        "imdb_votes = -1",
    ],
)
def test_the_schema_refuses_values_that_cannot_be(
    database: TransactionalDatabase, column: str
) -> None:
    store(database, FULL)

    with pytest.raises(InvalidRequest), database.begin() as connection:
        connection.execute(text(f"update movies set {column}"))  # noqa: S608


def test_the_longest_title_of_the_widest_letters_fits_the_index(
    database: TransactionalDatabase,
) -> None:
    title = "".join(chr(0x1F300 + n % 1000) for n in range(500))

    store(database, Movie(imdb_id="tt0000001", title=title, type="movie"))

    assert database.answer(movies.find_by_title(title, year=None))


def test_a_key_that_folding_makes_longer_is_cut() -> None:
    key = title_key("\ufdfa" * 100)

    assert 490 < len(key) <= 500
    assert title_key(key) == key


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Amélie", "amelie"),
        ("  The   Thing ", "the thing"),
        ("\u0301", "\u0301"),
        ("ǅ", "dz"),
    ],
)
def test_keys_are_folded_and_never_empty(title: str, key: str) -> None:
    assert title_key(title) == key
    assert 1 <= len(title_key(title)) <= 500
    assert title_key(title_key(title)) == title_key(title)
