"""`fields=…` on every read of movies: as much of each movie as its caller wants to see."""

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import httpx
import pytest

from lib.catalogue.document import MEMBERS
from lib.catalogue.movie import Movie, Rating
from tests.support import is_served

Store = Callable[..., Movie]
READS: Final = [
    target
    for target in (
        "/movies.list?page=1&number_of_records=2",
        "/movies.get?title=Alien",
        "/movies.get?imdb_id=tt0078748",
        "/movies.get_many?imdb_ids=tt0078748,tt0000002",
        "/movies.search?query=alien&number_of_records=2",
    )
    if is_served(target)
]
every_read: Final = pytest.mark.parametrize("target", READS)


@pytest.fixture(autouse=True)
def two(store: Store) -> None:
    store(
        "tt0078748",
        "Alien",
        year=1979,
        released=date(1979, 5, 25),
        genres=("Horror", "Sci-Fi"),
        ratings=(Rating(source="Metacritic", value="89/100"),),
        plot='A "crew" \\ meets\tsomething \u2028 \U0001f47d.',
        imdb_rating=8.0,
        imdb_votes=900_000,
    )
    store("tt0000002", "Alien Number 2", type="game")


def movies(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the movies of an answer, be it one or several, in a fixed order."""
    found = answer.raise_for_status().json()["data"]
    return sorted([found] if isinstance(found, dict) else found, key=lambda one: one["title"])


@every_read
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("title", ["imdb_id", "title"]),
        ("title,year", ["imdb_id", "title", "year"]),
        ("year,title", ["imdb_id", "title", "year"]),
        ("ratings,title,genres", ["imdb_id", "title", "genres", "ratings"]),
        ("imdb_id,title", ["imdb_id", "title"]),
        ("title%2Cyear", ["imdb_id", "title", "year"]),
        (",".join(MEMBERS), list(MEMBERS)),
    ],
)
def test_the_id_and_what_is_named_is_shown_in_the_order_of_the_movie(
    client: httpx.Client, target: str, asked: str, given: list[str]
) -> None:
    whole = movies(client.get(target))

    narrowed = movies(client.get(f"{target}&fields={asked}"))

    assert [list(movie) for movie in narrowed] == [given] * len(whole)
    assert narrowed == [{name: movie[name] for name in given} for movie in whole]


@every_read
def test_ids_alone_can_be_had(client: httpx.Client, target: str) -> None:
    answer = client.get(f"{target}&fields=imdb_id").raise_for_status().json()["data"]

    for movie in [answer] if isinstance(answer, dict) else answer:
        assert list(movie) == ["imdb_id"]


@every_read
def test_all_else_of_an_answer_is_as_without(client: httpx.Client, target: str) -> None:
    whole = client.get(target).raise_for_status().json()
    narrowed = client.get(f"{target}&fields=title").raise_for_status().json()

    assert {**whole, "data": None} == {**narrowed, "data": None}


@every_read
def test_numbers_and_texts_are_written_as_in_a_whole_movie(
    client: httpx.Client, target: str
) -> None:
    written = re.compile(
        rb'"(?:title|plot|imdb_rating|imdb_votes|released)":(?:"(?:\\.|[^"])*"|[^,}]+)'
    )
    whole = client.get(target).raise_for_status().content
    asked = "fields=title,released,plot,imdb_rating,imdb_votes"
    narrowed = client.get(f"{target}&{asked}").raise_for_status().content

    assert written.findall(narrowed) == written.findall(whole)
    assert b'"imdb_rating":8.0' in narrowed


@every_read
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", "each once"),
        (",", "each once"),
        ("title,", "each once"),
        (",title", "each once"),
        ("title,,year", "each once"),
        ("title,title", "each once"),
        ("titel", "Unknown field 'titel'"),
        ("titel", "Did you mean title?"),
        ("titel", "box_office_usd"),
        ("title,production", "Unknown field 'production'"),
        ("Title", "Unknown field 'Title'"),
        ("title, year", "Unknown field ' year'"),
        ("title;year", "Unknown field"),
        ("title|year", "Unknown field"),
        ("*", "Unknown field '*'"),
        ("document", "Unknown field"),
        ("sort_key", "Unknown field"),
        ("x" * 4_000, "Unknown field"),
        ("," * 4_000, "each once"),
    ],
)
def test_what_no_movie_has_is_refused_with_what_it_has(
    client: httpx.Client, target: str, asked: str, told: str
) -> None:
    answer = client.get(f"{target}&fields={asked}")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "INVALID_REQUEST")
    assert list(error["fields"]) == ["fields"]
    assert told in error["message"]


def test_an_answer_has_a_tag_of_its_own_and_knows_it_again(client: httpx.Client) -> None:
    target = "/movies.get?imdb_id=tt0078748"
    whole, narrowed = client.get(target), client.get(f"{target}&fields=title")
    again = client.get(
        f"{target}&fields=title", headers={"If-None-Match": narrowed.headers["ETag"]}
    )

    assert whole.headers["ETag"] != narrowed.headers["ETag"]
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("asked", "is_shared"),
    [
        ("title", True),
        ("title,year", True),
        ("imdb_id", True),
        ("year,title", False),
        ("imdb_id,title", False),
        (",".join(MEMBERS), False),
        (",".join(MEMBERS[1:]), False),
        (",".join(MEMBERS[2:]), True),
    ],
)
@pytest.mark.parametrize(
    "target", ["/movies.list?page=1", "/movies.get?title=Alien", "/movies.get?imdb_id=tt0078748"]
)
def test_the_same_of_a_movie_has_one_address(
    client: httpx.Client, target: str, asked: str, *, is_shared: bool
) -> None:
    kept = client.get(f"{target}&fields={asked}").headers["Cache-Control"]

    assert kept.startswith("public" if is_shared else "private")


def test_the_links_of_a_list_lead_to_as_much_of_the_others(client: httpx.Client) -> None:
    first = client.get("/movies.list?number_of_records=1&fields=year,title")
    following = client.get(first.links["next"]["url"])
    by_cursor = client.get(
        "/movies.list",
        params={
            "cursor": first.json()["pagination"]["next_cursor"],
            "number_of_records": "1",
            "fields": "title",
        },
    )
    back = client.get(by_cursor.links["prev"]["url"])

    assert first.links["next"]["url"].endswith("page=2&number_of_records=1&fields=title,year")
    assert following.headers["Cache-Control"].startswith("public")
    assert [list(movie) for movie in movies(following)] == [["imdb_id", "title", "year"]]
    assert movies(by_cursor) == [{"imdb_id": "tt0000002", "title": "Alien Number 2"}]
    assert movies(back) == [{"imdb_id": "tt0078748", "title": "Alien"}]


def test_the_members_are_those_of_a_movie(client: httpx.Client) -> None:
    movie = json.loads(client.get("/movies.get?imdb_id=tt0078748").content)["data"]

    assert tuple(movie) == MEMBERS
