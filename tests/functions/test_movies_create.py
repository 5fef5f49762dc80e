"""`POST /movies.create`."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.movie import TITLE_LENGTH
from lib.database.transactions import TransactionalDatabase
from local.demo_omdb.server import DemoOmdb
from tests.omdb_payloads import details


def test_a_movie_that_is_new_is_stored_and_answered_with_201(client: httpx.Client) -> None:
    answer = client.post("/movies.create", json={"title": "Casablanca"})

    assert answer.status_code == 201
    assert answer.json()["data"]["imdb_id"] == "tt0034583"
    assert client.get("/movies.get", params={"title": "casablanca"}).json()["data"]["year"] == 1942


def test_a_movie_that_was_there_and_is_due_is_refreshed_with_200(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    omdb.overrides["tt7000001"] = details()
    created = client.post("/movies.create", json={"imdb_id": "tt7000001"})
    with database.begin() as connection:
        connection.execute(text("update movie_checks set due_at = now()"))
    omdb.overrides["tt7000001"] = details(imdbVotes="2,000", Plot="N/A", Ratings=[])
    refreshed = client.post("/movies.create", json={"imdb_id": "tt7000001"})

    assert (created.status_code, refreshed.status_code) == (201, 200)
    assert refreshed.json()["data"]["imdb_votes"] == 2000
    assert refreshed.json()["data"]["plot"] == "Things happen."
    assert refreshed.json()["data"]["ratings"] == [{"source": "Metacritic", "value": "50/100"}]


def test_a_year_chooses_between_films_of_one_title(client: httpx.Client) -> None:
    answers = [
        client.post("/movies.create", json={"title": "Dune", "year": year}) for year in (1984, 2021)
    ]

    assert [a.json()["data"]["imdb_id"] for a in answers] == ["tt0087182", "tt1160419"]


@pytest.mark.parametrize("body", [{"title": "No Such Film Exists"}, {"imdb_id": "tt9999999"}])
def test_what_omdb_does_not_know_is_404(client: httpx.Client, body: dict[str, str]) -> None:
    answer = client.post("/movies.create", json=body)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "OMDB_MOVIE_NOT_FOUND"


def test_racing_creates_of_one_film_make_one_row(client: httpx.Client) -> None:
    def create(_: int) -> int:
        return client.post("/movies.create", json={"imdb_id": "tt0034583"}).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = sorted(threads.map(create, range(20)))

    assert statuses == [200] * 19 + [201]
    assert client.get("/movies.list").json()["pagination"]["total_records"] == 1


def test_creates_of_one_film_at_once_share_one_call_to_omdb(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    omdb.latency = 0.5

    def create(_: int) -> int:
        return client.post("/movies.create", json={"title": "Casablanca"}).status_code

    with ThreadPoolExecutor(50) as threads:
        statuses = sorted(threads.map(create, range(50)))

    assert statuses == [200] * 49 + [201]
    assert len(omdb.calls) <= 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ((503, b"<html>The service is unavailable.</html>", {}), 502, "OMDB_UNAVAILABLE"),
        ((200, b"", {}), 502, "OMDB_UNAVAILABLE"),
        ((200, b"<html>blocked</html>", {"content-type": "text/html"}), 502, "OMDB_UNAVAILABLE"),
        ((302, b"", {"location": "http://192.0.2.1/"}), 502, "OMDB_UNAVAILABLE"),
        ((200, b'{"Response":"True"}', {}), 502, "OMDB_UNAVAILABLE"),
        ((200, details(Title="#DUPE#"), {}), 404, "OMDB_MOVIE_NOT_FOUND"),
    ],
)
def test_a_fault_of_omdbs_is_told_and_nothing_is_stored(
    client: httpx.Client,
    omdb: DemoOmdb,
    fault: tuple[int, bytes, dict[str, str]],
    status: int,
    code: str,
) -> None:
    omdb.overrides["tt7000001"] = fault

    answer = client.post("/movies.create", json={"imdb_id": "tt7000001"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert client.get("/movies.list").json()["data"] == []
    assert omdb.key not in answer.text
    assert omdb.url not in answer.text


def test_a_spent_quota_says_when_to_come_back(client: httpx.Client, omdb: DemoOmdb) -> None:
    omdb.quota = 0

    answer = client.post("/movies.create", json={"title": "Casablanca"})

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "OMDB_QUOTA_EXCEEDED"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_year_that_omdb_leaves_out_is_no_other_year(client: httpx.Client, omdb: DemoOmdb) -> None:
    omdb.overrides["tt0034583"] = details(imdbID="tt0034583", Year="N/A")

    assert client.post("/movies.create", json={"title": "Casablanca", "year": 1942}).is_success


def test_a_refused_key_is_our_fault_and_not_the_callers(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    omdb.key = "another"

    answer = client.post("/movies.create", json={"title": "Casablanca"})

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "OMDB_UNAVAILABLE"


def test_an_alias_is_stored_under_the_id_that_omdb_answers(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    omdb.overrides["tt7000002"] = details()

    answer = client.post("/movies.create", json={"imdb_id": "tt7000002"})

    assert answer.status_code == 201
    assert answer.json()["data"]["imdb_id"] == "tt7000001"


def test_a_series_keeps_its_years_and_seasons(client: httpx.Client) -> None:
    series = client.post("/movies.create", json={"imdb_id": "tt0903747"}).json()["data"]

    assert (series["type"], series["year"], series["year_end"]) == ("series", 2008, 2013)
    assert series["total_seasons"] == 5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": "Dune", "imdb_id": "tt0087182"}, "title"),
        ({"title": ["Dune"]}, "title"),
        ({"title": 5}, "title"),
        ({"title": None}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * (TITLE_LENGTH + 1)}, "title"),
        ({"title": "Dune", "year": "1984"}, "year"),
        ({"title": "Dune", "year": True}, "year"),
        ({"title": "Dune", "year": 1984.0}, "year"),
        ({"title": "Dune", "year": 99999}, "year"),
        ({"imdb_id": 87182}, "imdb_id"),
        ({"title": "Dune", "plot": "long"}, "plot"),
    ],
)
def test_wrong_members_are_named(
    client: httpx.Client, omdb: DemoOmdb, body: dict[str, object], field: str
) -> None:
    answer = client.post("/movies.create", json=body)

    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]
    assert omdb.calls == []
