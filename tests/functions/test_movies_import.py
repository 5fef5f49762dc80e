"""`POST /movies.import`, `GET /imports.get` and `GET /imports.list`."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest

from lib.database.transactions import TransactionalDatabase
from local.demo_omdb.server import DemoOmdb
from local.environment import ROOT
from local.servers import free_port, start
from tests.importing import change, film, film_ids, rows
from tests.support import OMDB_KEY

IDS: Final = ("tt0111161", "tt0068646", "tt0468569")
Authorization = Callable[[str], dict[str, str]]


def import_ids(client: httpx.Client, *imdb_ids: str, **headers: str) -> httpx.Response:
    return client.post("/movies.import", json={"imdb_ids": imdb_ids}, headers=headers)


def test_an_import_answers_with_its_counts(client: httpx.Client) -> None:
    answer = import_ids(client, *IDS)

    assert answer.status_code == 200
    content = answer.json()["data"]
    wanted = {"imported": 3, "updated": 0, "not_found": 0, "failed": 0, "pending": 0}
    assert {name: content[name] for name in wanted} == wanted
    assert (content["kind"], content["state"], content["total"]) == ("ids", "done", 3)
    assert content["run"]["stopped_by"] == "finished"
    assert content["requested_by"] == "request from 127.0.0.1"
    assert client.get("/movies.list").json()["pagination"]["total_records"] == 3


def test_a_tick_fills_the_empty_catalogue(client: httpx.Client) -> None:
    content = client.post("/movies.import", json={}).json()["data"]
    assert (content["kind"], content["imported"]) == ("fill", 100)
    content = client.post("/movies.import", json={}).json()["data"]
    assert (content["id"], content["state"], content["imported"]) == (None, "done", 0)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"imdb_ids": []}, "imdb_ids"),
        ({"imdb_ids": ["tt1"]}, "imdb_ids"),
        ({"ids": ["tt0111161"]}, "ids"),
        ({"search": "x", "refresh": True}, "refresh"),
        ({"refresh": "yes"}, "refresh"),
    ],
)
def test_wrong_input_names_the_member(
    client: httpx.Client, body: dict[str, Any], member: str, omdb: DemoOmdb
) -> None:
    answer = client.post("/movies.import", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"
    assert member in answer.json()["error"]["fields"]
    assert not omdb.calls
    assert import_ids(client, IDS[0]).status_code == 200


def test_bad_ids_among_many_are_named_with_their_place(
    client: httpx.Client, omdb: DemoOmdb
) -> None:
    answer = import_ids(client, "tt0111161", "tt0068646/", *IDS, "nm0000138")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "INVALID_REQUEST")
    told = "item 2, 'tt0068646/', is no IMDb id; 1 more is none either: each must be an IMDb id"
    assert error["fields"]["imdb_ids"].startswith(told)
    assert error["message"].startswith(f"imdb_ids: {told}")
    assert list(error["fields"]) == ["imdb_ids"]
    assert not omdb.calls


def test_a_search_that_omdb_refuses_has_one_answer_however_often_it_is_asked(
    client: httpx.Client, authorization: Authorization, omdb: DemoOmdb
) -> None:
    headers = {"Idempotency-Key": "a search"}
    body = {"search": "It"}
    answers = [client.post("/movies.import", json=body, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json()["data"] for answer in answers)
    assert first["run"].pop("seconds") >= second["run"].pop("seconds") >= 0
    assert first == second
    assert (first["state"], first["run"]["stopped_by"]) == ("failed", "search_refused")
    assert "too many titles: give a longer text" in first["reason"]
    assert len(omdb.calls) == 1
    listed = client.get("/imports.list", headers=authorization("editor")).json()["data"]
    assert [(one["state"], one["reason"]) for one in listed] == [("failed", first["reason"])]


@pytest.mark.parametrize("search", ["<", "\u200b", "\u200b <\u00ad< ", "\u2060"])
def test_a_search_without_letters_is_refused_at_once(
    client: httpx.Client, omdb: DemoOmdb, search: str
) -> None:
    content = client.post("/movies.import", json={"search": search}).json()["data"]

    assert (content["state"], content["run"]["stopped_by"]) == ("failed", "search_refused")
    assert content["reason"].startswith("OMDb refuses the search: ")
    assert omdb.calls == []


def test_a_repeated_key_answers_with_the_same_import(client: httpx.Client, omdb: DemoOmdb) -> None:
    first = import_ids(client, *IDS, **{"Idempotency-Key": "once"}).json()["data"]
    second = import_ids(client, *IDS, **{"Idempotency-Key": "once"}).json()["data"]
    third = import_ids(client, *IDS).json()["data"]

    assert second["id"] == first["id"] != third["id"]
    assert (second["imported"], third["unchanged"]) == (3, 3)
    assert omdb.fetches == dict.fromkeys(IDS, 2)


def test_a_key_of_another_request_is_422(client: httpx.Client) -> None:
    import_ids(client, *IDS, **{"Idempotency-Key": "once"})
    answer = import_ids(client, IDS[0], **{"Idempotency-Key": "once"})

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("keys", [[""], ["k" * 256], ["a\tb"], ["a", "b"]])
def test_a_key_out_of_form_is_400(client: httpx.Client, keys: list[str]) -> None:
    headers = [("Idempotency-Key", key) for key in keys]
    answer = client.post("/movies.import", json={"imdb_ids": IDS}, headers=headers)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]["fields"]


def test_one_key_at_once_is_one_import(client: httpx.Client, omdb: DemoOmdb) -> None:
    omdb.latency = 0.05
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(import_ids(client, *IDS, **{"Idempotency-Key": "at once"}))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert omdb.fetches == dict.fromkeys(IDS, 1)


def test_one_execution_of_the_scheduler_is_one_import(
    client: httpx.Client, database: TransactionalDatabase
) -> None:
    headers = {
        "X-CloudScheduler-JobName": "import",
        "X-CloudScheduler-ScheduleTime": "2026-11-23T11:00:00Z",
    }
    first = client.post("/movies.import", json={}, headers=headers).json()["data"]
    change(database, "update movie_checks set due_at = now()")
    second = client.post("/movies.import", json={}, headers=headers).json()["data"]

    assert first["id"] == second["id"]
    assert first["requested_by"] == "scheduler import"
    assert rows(database, "select count(*) from imports") == [(1,)]


def test_a_hundred_thousand_ids_are_taken_at_once(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    omdb.quota = 0
    answer = import_ids(client, *(f"tt{number:07d}" for number in range(100_000)))

    assert answer.status_code == 200
    assert answer.json()["data"]["pending"] == 100_000
    assert import_ids(client, *("tt0000001",) * 100_001).status_code == 400
    change(database, "truncate import_items cascade")


def test_an_import_tells_how_far_it_is(
    client: httpx.Client, omdb: DemoOmdb, authorization: Authorization
) -> None:
    omdb.overrides[IDS[0]] = (503, b"", {})
    omdb.overrides[IDS[1]] = b'{"Response":"False","Error":"Movie not found!"}'
    told = import_ids(client, *IDS).json()["data"]
    answer = client.get("/imports.get", params={"id": told["id"]}, headers=authorization("editor"))

    assert answer.status_code == 200
    content = answer.json()["data"]
    assert content["errors"] == {"omdb_unavailable": 1, "not_found": 1}
    assert (content["imported"], content["not_found"], content["pending"]) == (1, 1, 1)
    assert (content["state"], content["waits_for"]) == ("waiting", "retry")
    assert content["rate_per_second"] > 0
    assert content["expected_at"].endswith("Z")


@pytest.mark.parametrize("path", ["/imports.get?id=1", "/imports.list"])
def test_only_editors_see_imports_and_no_shared_cache_does(
    client: httpx.Client, authorization: Authorization, path: str
) -> None:
    import_ids(client, IDS[0])
    answers = [client.get(path), client.get(path, headers=authorization("viewer"))]
    answers.append(client.get(path, headers=authorization("admin")))
    private = [answer.headers["Cache-Control"] for answer in answers]

    assert [answer.status_code for answer in answers] == [401, 403, 200]
    assert private == ["no-store", "no-store", "private, no-cache"]


@pytest.mark.parametrize("query", ["", "id=0", "id=x", "id=1.0", "id=99999999999", "id=1&page=1"])
def test_an_import_is_asked_for_by_its_number(
    client: httpx.Client, authorization: Authorization, query: str
) -> None:
    answer = client.get(f"/imports.get?{query}", headers=authorization("editor"))
    assert answer.status_code == 400


def test_an_unknown_import_is_404(client: httpx.Client, authorization: Authorization) -> None:
    answer = client.get("/imports.get?id=12345", headers=authorization("editor"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "IMPORT_NOT_FOUND")


def test_imports_are_listed_the_newest_first(
    client: httpx.Client, authorization: Authorization
) -> None:
    ids = [import_ids(client, imdb_id).json()["data"]["id"] for imdb_id in IDS]
    headers = authorization("editor")
    first = client.get("/imports.list?number_of_records=2", headers=headers).json()
    cursor = first["pagination"]["next_cursor"]
    second = client.get(f"/imports.list?cursor={cursor}", headers=headers).json()

    assert [one["id"] for one in first["data"] + second["data"]] == ids[::-1]
    assert first["pagination"]["total_records"] == 3
    assert second["pagination"]["next_cursor"] is None
    assert first["data"][0]["imported"] == 1
    assert client.get("/imports.list?cursor=x", headers=headers).status_code == 400


@pytest.fixture
def own_process(
    environment: dict[str, str], database: TransactionalDatabase
) -> Iterator[tuple[str, Any, Any]]:
    """Run the function as it is deployed, with a demo OMDb that takes its time."""
    assert database
    with DemoOmdb([film(number) for number in range(300)], key=OMDB_KEY) as omdb:
        omdb.latency = 0.2
        port = free_port()
        source = ROOT / "functions" / "movies_import" / "main.py"
        variables = {**environment, "OMDB_URL": omdb.url, "PATH": os.environ["PATH"]}
        process = start(source, "movies_import", variables, port=port)
        yield f"http://127.0.0.1:{port}/", process, omdb
        process.kill()
        process.wait()


def test_sigterm_to_the_server_ends_the_run_with_an_answer(
    own_process: tuple[str, subprocess.Popen[bytes], DemoOmdb],
) -> None:
    url, process, omdb = own_process
    answers: list[httpx.Response] = []

    def ask() -> None:
        transport = httpx.HTTPTransport(retries=30)
        with httpx.Client(transport=transport, timeout=30) as client:
            answers.append(client.post(url, json={"imdb_ids": film_ids(300)}))

    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 20
    while sum(omdb.fetches.values()) < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    stopped = time.monotonic()
    thread.join(20)
    process.wait(10)

    assert time.monotonic() - stopped < 5
    [answer] = answers
    content = answer.json()["data"]
    assert (answer.status_code, content["run"]["stopped_by"]) == (200, "shutdown")
    assert content["imported"] == sum(omdb.fetches.values())
    assert content["imported"] + content["pending"] == 300
