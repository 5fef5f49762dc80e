"""Callers of one page at once: few statements, a short wait, and each their own answer.

What was just written is read 200 times; with MOVIES_FULL_SIZE=1 10,000 times.
"""

import contextlib
import json
import os
import socket
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from lib.catalogue.movie import Movie
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from local.bench.calling import ask_repeatedly, request
from tests import support
from tests.deployed import Deployed, Reply, deployed, receive
from tests.schema.test_rights import address
from tests.slow_way import SlowWay

Store = Callable[..., Movie]
WRITES: Final = 10_000 if os.environ.get("MOVIES_FULL_SIZE") else 200
WRITERS: Final = 4
CALLERS: Final = 64
WARMING: Final = {"movies_list": "/?page={}", "movies_get": "/?title=nobody{}"}


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A function whose database answers late."""

    server: Deployed
    way: SlowWay


@pytest.fixture
def slow(
    environment: dict[str, str], settings: DatabaseSettings, tmp_path: Path
) -> Iterator[Callable[..., Slow]]:
    """Serve a function on a database that takes a while to answer: `slow("movies_list")`."""
    with contextlib.ExitStack() as stack:

        def serve(name: str, seconds: float = 0.3) -> Slow:
            way = stack.enter_context(SlowWay(settings.port, seconds=0.05))
            url = {"DATABASE_URL": address(replace(settings, port=way.port))}
            server = stack.enter_context(deployed(name, {**environment, **url}, tmp_path))
            # All connections are open by now, as each of these needs one.
            ask_at_once(server, [request(WARMING[name].format(n)) for n in range(1, 9)])
            way.seconds, way.asked = seconds, 0
            return Slow(server=server, way=way)

        yield serve


def ask_at_once(server: Deployed, requests: Sequence[bytes]) -> list[Reply]:
    """Send all of these at one moment, each on a connection of its own; return their answers."""
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 15))
            for _ in requests
        ]
        for wire, asked in zip(wires, requests, strict=True):
            wire.sendall(asked)
        return [
            receive(wire, asked.partition(b" ")[0].decode())
            for wire, asked in zip(wires, requests, strict=True)
        ]


def test_many_callers_of_one_page_cause_few_statements_and_wait_for_two_at_most(
    slow: Callable[..., Slow], store: Store
) -> None:
    store("tt0000001", "A Film")
    list_ = slow("movies_list", 0.1)
    took = ask_repeatedly(
        list_.server.port, [request("/movies.list")], seconds=3, connections=CALLERS
    )

    assert len(took) > 5 * CALLERS
    assert list_.way.asked < len(took) / 10
    assert statistics.quantiles(took, n=20)[-1] < 2 * list_.way.seconds + 0.3


def test_each_caller_of_a_shared_page_has_their_own_headers(
    slow: Callable[..., Slow], store: Store
) -> None:
    for number in range(3):
        store(f"tt000000{number}", f"Film {number}")
    asked = {
        "in the way": request("/movies.list?page=1&number_of_records=2"),
        "plain": request("/movies.list?page=1&number_of_records=2"),
        "versioned": request("/v1/movies.list?page=1&number_of_records=2"),
        "in another order": request("/movies.list?number_of_records=2&page=1"),
        "encoded": request("/movies.list?page=%31&number_of_records=2"),
        "head": request("/movies.list?page=1&number_of_records=2", method="HEAD"),
    }
    list_ = slow("movies_list")
    told = dict(zip(asked, ask_at_once(list_.server, list(asked.values())), strict=True))
    tag = told["plain"].headers["ETag"]
    known = request("/movies.list?page=1&number_of_records=2", headers={"If-None-Match": tag})
    again = ask_at_once(list_.server, [asked["plain"], known, asked["encoded"]])

    assert list_.way.asked < len(told) + len(again)
    for name, reply in told.items():
        is_private = name in {"in another order", "encoded"}
        assert reply.status == 200
        assert reply.headers["Cache-Control"].startswith("private" if is_private else "public")
        assert ("X-Request-Id" in reply.headers) == is_private
        assert reply.headers["ETag"] == tag
        assert reply.headers["Content-Length"] == told["plain"].headers["Content-Length"]
        assert reply.body == (b"" if name == "head" else told["plain"].body)
        prefix = "/v1" if name == "versioned" else ""
        assert f"<{prefix}/movies.list?page=2&number_of_records=2>" in reply.headers["Link"]
    assert [reply.status for reply in again] == [200, 304, 200]


def test_more_records_than_are_given_share_the_page_but_not_its_place_in_caches(
    slow: Callable[..., Slow], store: Store
) -> None:
    store("tt0000001", "A Film")
    list_ = slow("movies_list")
    sizes = [100, 100, 1000, 100, 101]
    told = ask_at_once(list_.server, [request(f"/?number_of_records={size}") for size in sizes])

    assert list_.way.asked < len(told)
    assert len({reply.body for reply in told}) == 1
    kept = [reply.headers["Cache-Control"].split(",")[0] for reply in told]
    assert kept == ["public", "public", "private", "public", "private"]


def test_two_spellings_of_a_title_share_the_movie_but_not_its_place_in_caches(
    slow: Callable[..., Slow], store: Store
) -> None:
    store("tt0000001", "Amélie")
    get = slow("movies_get")
    titles = ["Am%C3%A9lie", "Am%C3%A9lie", "amelie", "AMELIE", "Am%C3%A9lie"]
    told = ask_at_once(get.server, [request(f"/movies.get?title={title}") for title in titles])

    assert get.way.asked < len(told)
    matches = [json.loads(reply.body)["match"] for reply in told]
    assert matches == ["exact", "exact", "folded", "folded", "exact"]
    assert len({(reply.body, reply.headers["ETag"]) for reply in told}) == len(set(matches))
    kept = [reply.headers["Cache-Control"].split(",")[0] for reply in told]
    assert kept == ["public", "public", "private", "private", "public"]


@pytest.mark.usefixtures("database")
def test_a_shared_refusal_is_told_and_logged_for_each_under_their_own_id(
    slow: Callable[..., Slow],
) -> None:
    get = slow("movies_get")
    ids = [f"caller-{number}" for number in range(20)]
    told = ask_at_once(
        get.server,
        [request("/?imdb_id=tt0000001", headers={"X-Request-Id": one}) for one in ids],
    )
    lines = [json.loads(line) for line in get.server.logged().splitlines() if line[:1] == "{"]

    assert get.way.asked < len(told)
    assert [(reply.status, reply.error["request_id"]) for reply in told] == [
        (404, one) for one in ids
    ]
    assert all(reply.headers["Cache-Control"] == "no-store" for reply in told)
    refused = [line["request_id"] for line in lines if line["message"] == "request refused"]
    assert sorted(one for one in refused if one in ids) == sorted(ids)


def test_a_database_that_is_cut_in_the_middle_costs_nobody_the_page(
    slow: Callable[..., Slow], store: Store
) -> None:
    store("tt0000001", "A Film")
    list_ = slow("movies_list")
    cut = threading.Timer(0.15, list_.way.cut)
    cut.start()
    told = ask_at_once(list_.server, [request("/movies.list")] * 20)
    cut.join()

    assert [reply.status for reply in told] == [200] * 20
    assert "database unavailable" not in list_.server.logged()


def test_whoever_has_just_written_reads_it_however_many_read_the_same(
    environment: dict[str, str], database: TransactionalDatabase, tmp_path: Path
) -> None:
    done = threading.Event()

    def write_and_read(number: int) -> int:
        imdb_id = f"tt000000{number}"
        pages = [request("/movies.list"), request(f"/movies.get?imdb_id={imdb_id}")]
        ports = [on_list.port, on_get.port]
        seen = 0
        with contextlib.ExitStack() as stack:
            wires = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 15))
                for port in ports
            ]
            for turn in range(WRITES // WRITERS):
                title = f"Film {number} as of {turn}"
                support.store(database, Movie(imdb_id=imdb_id, title=title, type="movie"))
                for wire, page in zip(wires, pages, strict=True):
                    wire.sendall(page)
                    movies = json.loads(receive(wire).body)["data"]
                    listed = movies if isinstance(movies, list) else [movies]
                    seen += title in {movie["title"] for movie in listed}
        return seen

    def load(port: int, requests: list[bytes]) -> int:
        answered = 0
        while not done.is_set():
            answered += len(ask_repeatedly(port, requests, seconds=0.5, connections=16))
        return answered

    for number in range(WRITERS):
        movie = Movie(imdb_id=f"tt000000{number}", title="A Film", type="movie")
        support.store(database, movie)
    with (
        deployed("movies_list", environment, tmp_path) as on_list,
        deployed("movies_get", environment, tmp_path) as on_get,
        ThreadPoolExecutor(WRITERS + 2) as threads,
    ):
        gets = [request(f"/movies.get?imdb_id=tt000000{number}") for number in range(WRITERS)]
        loads = [
            threads.submit(load, on_list.port, [request("/movies.list")]),
            threads.submit(load, on_get.port, gets),
        ]
        try:
            seen = list(threads.map(write_and_read, range(WRITERS)))
        finally:
            done.set()

    assert seen == [2 * (WRITES // WRITERS)] * WRITERS
    assert all(one.result() > WRITES for one in loads)
