"""`GET /movies.get`."""

from collections.abc import Callable
from datetime import date

import httpx
import pytest

from lib.catalogue.movie import TITLE_LENGTH, Movie, Rating

Store = Callable[..., Movie]


def test_a_movie_is_answered_with_every_detail_typed(client: httpx.Client, store: Store) -> None:
    store(
        "tt0111161",
        "The Shawshank Redemption",
        year=1994,
        rated="R",
        released=date(1994, 10, 14),
        runtime_minutes=142,
        genres=("Drama",),
        directors=("Frank Darabont",),
        writers=("Stephen King", "Frank Darabont"),
        actors=("Tim Robbins", "Morgan Freeman"),
        plot="A banker is sent to prison.",
        languages=("English",),
        countries=("United States",),
        awards="Nominated for 7 Oscars",
        poster_url="https://example.org/poster.jpg",
        ratings=(Rating(source="Metacritic", value="82/100"),),
        metascore=82,
        imdb_rating=9.3,
        imdb_votes=2_800_000,
        box_office_usd=28_767_189,
    )

    movie = client.get("/movies.get", params={"imdb_id": "tt0111161"}).json()["data"]

    assert movie.pop("fetched_at").endswith("Z")
    assert movie == {
        "imdb_id": "tt0111161",
        "title": "The Shawshank Redemption",
        "type": "movie",
        "year": 1994,
        "year_end": None,
        "rated": "R",
        "released": "1994-10-14",
        "runtime_minutes": 142,
        "genres": ["Drama"],
        "directors": ["Frank Darabont"],
        "writers": ["Stephen King", "Frank Darabont"],
        "actors": ["Tim Robbins", "Morgan Freeman"],
        "plot": "A banker is sent to prison.",
        "languages": ["English"],
        "countries": ["United States"],
        "awards": "Nominated for 7 Oscars",
        "poster_url": "https://example.org/poster.jpg",
        "ratings": [{"source": "Metacritic", "value": "82/100"}],
        "metascore": 82,
        "imdb_rating": 9.3,
        "imdb_votes": 2_800_000,
        "box_office_usd": 28_767_189,
        "total_seasons": None,
        "website": None,
        "aliases": [],
    }


@pytest.mark.parametrize(
    "asked",
    [
        "Amélie",
        "amelie",
        "AMÉLIE",
        "Ame\u0301lie",
        "  Amélie ",
        "Am\u200bélie",
        "Ａｍｅｌｉｅ",
    ],
)
def test_a_title_is_found_whatever_its_case_accents_and_form(
    client: httpx.Client, store: Store, asked: str
) -> None:
    store("tt0211915", "Amélie")

    answer = client.get("/movies.get", params={"title": asked})

    assert answer.status_code == 200
    assert answer.json()["data"]["title"] == "Amélie"


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("Smørrebrød", "smorrebrod"),
        ("WALL·E", "wall·e"),
        ("Ocean’s Eleven", "ocean's eleven"),
        ("Blade  Runner", "blade runner"),
        ("8½", "8½"),
        ("千と千尋の神隠し", "千と千尋の神隠し"),
        ("🎬", "🎬"),
    ],
)
def test_spelling_differences_that_keyboards_make_do_not_hide_a_title(
    client: httpx.Client, store: Store, stored: str, asked: str
) -> None:
    store("tt0000001", stored)

    assert client.get("/movies.get", params={"title": asked}).json()["data"]["title"] == stored


def test_of_films_that_share_a_title_the_one_with_most_votes_is_answered(
    client: httpx.Client, store: Store
) -> None:
    store("tt0087182", "Dune", year=1984, imdb_votes=190_000)
    store("tt1160419", "Dune", year=2021, imdb_votes=900_000)
    store("tt0142032", "Dune", year=2000)

    answer = client.get("/movies.get", params={"title": "dune"}).json()

    assert answer["data"]["imdb_id"] == "tt1160419"
    assert answer["alternatives"] == [
        {"imdb_id": "tt0087182", "title": "Dune", "year": 1984},
        {"imdb_id": "tt0142032", "title": "Dune", "year": 2000},
    ]


def test_a_year_narrows_a_title(client: httpx.Client, store: Store) -> None:
    store("tt0087182", "Dune", year=1984, imdb_votes=190_000)
    store("tt1160419", "Dune", year=2021, imdb_votes=900_000)

    answer = client.get("/movies.get", params={"title": "Dune", "year": "1984"}).json()

    assert answer["data"]["imdb_id"] == "tt0087182"
    assert answer["alternatives"] == []


def test_the_title_itself_goes_before_its_folded_form_and_that_before_more_votes(
    client: httpx.Client, store: Store
) -> None:
    store("tt0000001", "Tár", year=2022, imdb_votes=100)
    store("tt0000002", "Tar", year=2020, imdb_votes=900)
    store("tt0000003", "T.A.R.", year=2021, imdb_votes=5000)

    answers = {
        asked: client.get("/movies.get", params={"title": asked}).json()
        for asked in ("Tár", "TÁR", "t-a-r")
    }

    told = {
        asked: (
            answer["data"]["title"],
            answer["match"],
            [o["title"] for o in answer["alternatives"]],
        )
        for asked, answer in answers.items()
    }
    assert told == {
        "Tár": ("Tár", "exact", ["Tar", "T.A.R."]),
        "TÁR": ("Tar", "folded", ["Tár", "T.A.R."]),
        "t-a-r": ("T.A.R.", "loose", ["Tar", "Tár"]),
    }
    assert [list(answer) for answer in answers.values()] == 3 * [["data", "match", "alternatives"]]


def test_an_id_has_no_match(client: httpx.Client, store: Store) -> None:
    store("tt0000001", "Tár")

    assert list(client.get("/movies.get", params={"imdb_id": "tt0000001"}).json()) == ["data"]


def test_a_title_of_another_year_is_404_that_tells_the_years_there_are(
    client: httpx.Client, store: Store
) -> None:
    store("tt0087182", "Dune", year=1984, imdb_votes=190_000)
    store("tt1160419", "Dune", year=2021, imdb_votes=900_000)
    store("tt0142032", "Dune")

    answer = client.get("/movies.get", params={"title": "Dune", "year": "1985"})

    error = answer.json()["error"]
    assert answer.status_code == 404
    assert error["code"] == "MOVIE_NOT_FOUND"
    assert "1985" in error["message"]
    assert "1984 and 2021" in error["message"]
    assert error["suggestions"] == [
        {"imdb_id": "tt0087182", "title": "Dune", "year": 1984},
        {"imdb_id": "tt1160419", "title": "Dune", "year": 2021},
        {"imdb_id": "tt0142032", "title": "Dune", "year": None},
    ]


def test_at_most_five_films_are_suggested_the_nearest_first(
    client: httpx.Client, store: Store
) -> None:
    for number in range(8):
        store(f"tt000000{number}", f"Guide {number} for Hitchhikers", imdb_votes=number)
    store("tt0000009", "Hitchhikers Guides", imdb_votes=1)

    # Of what was stored just now no word is counted yet.
    answer = client.get("/movies.get", params={"title": "A hitchhikers guide"})

    suggested = [film["imdb_id"] for film in answer.json()["error"]["suggestions"]]
    assert suggested == ["tt0000009", "tt0000007", "tt0000006", "tt0000005", "tt0000004"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "title",
    [
        "it's ' || \\ :* & | ! <-> (", "'", "\\", "' | 'a':*", "~", "!'~'", "%_", "{a,b}",
        '["a"]', "null", "(((([1999", "()", "(1999)", "[2000] (2001)", "\U0001f3ac\u200d", "\ufffe",
        "ﷺ" * 400, "a " * 250, "(" * 500, "ii " * 160, "\u0300", "－＇＼＂：＊", "the", "the the",
        ", the", "&", "+ +",
    ],
)  # fmt: skip
def test_whatever_a_title_holds_is_data(client: httpx.Client, store: Store, title: str) -> None:
    store("tt0111161", "The Shawshank Redemption", year=1994)

    answer = client.get("/movies.get", params={"title": title})

    assert answer.status_code == 404
    assert answer.json()["error"]["suggestions"] == []
    assert client.get("/movies.get", params={"title": "Shawshank Redemption"}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [{"title": "No Such Film"}, {"imdb_id": "tt9999999"}, {"title": "Dune", "year": "1950"}],
)
def test_a_movie_that_is_not_there_is_404(client: httpx.Client, query: dict[str, str]) -> None:
    answer = client.get("/movies.get", params=query)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "MOVIE_NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "title"),
        ({"title": "Dune", "imdb_id": "tt0087182"}, "title"),
        ({"imdb_id": "tt0087182", "year": "1984"}, "year"),
        ({"title": "Dune", "year": "MMXX"}, "year"),
        ({"title": "Dune", "year": "-1"}, "year"),
        ({"title": "Dune", "year": "99999"}, "year"),
        ({"title": " "}, "title"),
        ({"title": "x" * (TITLE_LENGTH + 1)}, "title"),
        ({"imdb_id": "TT0087182"}, "imdb_id"),
        ({"imdb_id": "tt008718"}, "imdb_id"),
        ({"imdb_id": "tt٠٠٨٧١٨٢"}, "imdb_id"),
    ],
)
def test_wrong_input_is_named(client: httpx.Client, query: dict[str, str], field: str) -> None:
    answer = client.get("/movies.get", params=query)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"
    assert field in answer.json()["error"]["fields"]


def test_what_is_stored_stays_readable_when_omdb_is_gone(
    client: httpx.Client, store: Store, omdb: object
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    omdb.overrides["tt0111161"] = (503, b"down", {})  # type: ignore[attr-defined]

    assert client.get("/movies.get", params={"imdb_id": "tt0111161"}).status_code == 200
