"""`GET /movies.get_many`."""

from collections.abc import Callable

import httpx
import pytest

from lib.catalogue.many import MOST_IDS
from lib.catalogue.movie import Movie

Store = Callable[..., Movie]
ROUTE = "/movies.get_many"


def ask(client: httpx.Client, *ids: str, **others: str) -> httpx.Response:
    return client.get(ROUTE, params={"imdb_ids": ",".join(ids), **others})


@pytest.fixture
def five(store: Store) -> None:
    for number in range(1, 6):
        store(f"tt000000{number}", f"Film {number}", year=1990 + number)


@pytest.mark.usefixtures("five")
def test_movies_come_whole_and_in_the_order_asked(client: httpx.Client) -> None:
    answer = ask(client, "tt0000004", "tt0000001", "tt0000005")

    assert answer.status_code == 200
    assert [movie["title"] for movie in answer.json()["data"]] == ["Film 4", "Film 1", "Film 5"]
    assert answer.json()["missing"] == []
    for movie in answer.json()["data"]:
        alone = client.get("/movies.get", params={"imdb_id": movie["imdb_id"]}).json()["data"]
        assert movie == alone


@pytest.mark.usefixtures("five")
def test_ids_under_which_there_is_none_are_named_in_their_order(client: httpx.Client) -> None:
    answer = ask(client, "tt9999999", "tt0000002", "tt0000009", "tt0000001").json()

    assert [movie["imdb_id"] for movie in answer["data"]] == ["tt0000002", "tt0000001"]
    assert answer["missing"] == ["tt9999999", "tt0000009"]


def test_where_none_is_found_all_are_missing(client: httpx.Client) -> None:
    answer = ask(client, "tt0000009", "tt9999999999")

    assert answer.status_code == 200
    assert answer.json() == {"data": [], "missing": ["tt0000009", "tt9999999999"]}


def test_an_alias_has_its_movie_at_its_place(client: httpx.Client, store: Store) -> None:
    store("tt0000001", "Merged", aliases=("tt0000008", "tt0000003"))
    store("tt0000002", "Another")
    store("tt0000003", "Stored Under That Very Id")

    answer = ask(client, "tt0000002", "tt0000008", "tt0000003", "tt0000001").json()

    assert [movie["title"] for movie in answer["data"]] == [
        "Another",
        "Merged",
        "Stored Under That Very Id",
        "Merged",
    ]
    assert answer["data"][1]["aliases"] == ["tt0000008", "tt0000003"]
    assert answer["missing"] == []


def test_a_hundred_are_answered_in_any_order(client: httpx.Client, store: Store) -> None:
    ids = [f"tt00{number * 7919 % 100_003:05}" for number in range(1, MOST_IDS + 1)]
    for number, imdb_id in enumerate(ids[::2]):
        store(imdb_id, f"Film {number}")

    answer = ask(client, *ids).json()

    assert [movie["imdb_id"] for movie in answer["data"]] == ids[::2]
    assert answer["missing"] == ids[1::2]


def many(count: int) -> str:
    return ",".join(f"tt{number:07}" for number in range(count))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", f"1 to {MOST_IDS} IMDb ids"),
        (",", f"1 to {MOST_IDS} IMDb ids"),
        ("tt0000001,", f"1 to {MOST_IDS} IMDb ids"),
        ("tt0000001,,tt0000002", f"1 to {MOST_IDS} IMDb ids"),
        ("tt0000001,tt0000001", "tt0000001 stands more than once"),
        ("tt0000001, tt0000002", "' tt0000002' is none"),
        ("tt0000001|tt0000002", "'tt0000001|tt0000002' is none"),
        ("TT0000001", "'TT0000001' is none"),
        ("tt٠٠٨٧١٨٢", "is none"),
        ("tt000001", "'tt000001' is none"),
        ("tt00000000001", "is none"),
        ("tt0000001'", "is none"),
        ("{tt0000001}", "is none"),
        (many(MOST_IDS + 1), f"here are {MOST_IDS + 1}"),
        (many(600), "here are 600"),
    ],
)
def test_what_are_no_ids_is_named(client: httpx.Client, asked: str, told: str) -> None:
    answer = client.get(ROUTE, params={"imdb_ids": asked})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "INVALID_REQUEST")
    assert list(error["fields"]) == ["imdb_ids"]
    assert told in error["message"]


def test_ids_have_to_be_given(client: httpx.Client) -> None:
    assert list(client.get(ROUTE).json()["error"]["fields"]) == ["imdb_ids"]


@pytest.mark.usefixtures("five")
def test_what_leads_to_movies_is_shared_and_what_anybody_can_make_up_is_not(
    client: httpx.Client,
) -> None:
    # Written as our own documents have it, not as an encoder may.
    complete = client.get(f"{ROUTE}?imdb_ids=tt0000002,tt0000001")
    encoded = client.get(f"{ROUTE}?imdb_ids=tt0000002%2Ctt0000001")
    incomplete = client.get(f"{ROUTE}?imdb_ids=tt0000002,tt0000009")
    odd = client.get(f"{ROUTE}?fields=title&imdb_ids=tt0000002,tt0000001")

    assert complete.headers["Cache-Control"].startswith("public")
    assert encoded.headers["Cache-Control"].startswith("public")
    assert incomplete.headers["Cache-Control"] == "private, no-cache"
    assert odd.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.usefixtures("five")
def test_a_movie_that_comes_changes_the_tag(client: httpx.Client, store: Store) -> None:
    before = ask(client, "tt0000001", "tt0000009")
    known = {"If-None-Match": before.headers["ETag"]}
    again = client.get(before.url, headers=known)
    store("tt0000009", "Late")
    after = client.get(before.url, headers=known)

    assert (again.status_code, after.status_code) == (304, 200)
    assert after.json()["missing"] == []
