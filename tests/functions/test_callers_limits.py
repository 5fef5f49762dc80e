"""How many calls to OMDb each caller of `POST /movies.create` may cause.

With MOVIES_FULL_SIZE=1 by some thousands of requests.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import functions_framework.aio
import httpx
import pytest
from sqlalchemy import text

from lib import limits
from lib.catalogue.movie import TYPES, Movie
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.limits import HANDLER_THREADS
from local.demo_omdb.server import DemoOmdb, read_films
from tests import held
from tests.importing import by_ids, carry_out, counts, make_importer
from tests.omdb_payloads import refusal

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MOST: Final = 3
Call = Callable[..., httpx.Response]
_numbers = itertools.count()


@contextlib.contextmanager
def served(environment: dict[str, str], **variables: str) -> Iterator[str]:
    """Serve the function behind a proxy, as an instance of its own."""
    source = ROOT / "functions" / "movies_create" / "main.py"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, "TRUSTED_PROXIES": "1", **variables}.items():
            patch.setenv(name, value)
        app = functions_framework.aio.create_asgi_app("movies_create", str(source))  # type: ignore[no-untyped-call]
    with held.serving(app, "movies_create") as server:
        yield server.url


@pytest.fixture(scope="module")
def instances(environment: dict[str, str]) -> Iterator[list[str]]:
    """Return the addresses of two instances."""
    few = {"OMDB_CALLS_PER_CALLER": str(MOST)}
    with served(environment, **few) as one, served(environment, **few) as other:
        yield [one, other]


@pytest.fixture
def call(
    instances: list[str],
    database: TransactionalDatabase,
    omdb: DemoOmdb,
) -> Iterator[Call]:
    """Ask for a title, by default one that nobody knows: `call("192.0.2.1", title="Dune")`."""
    assert database
    assert omdb
    with held.client("") as client:

        def ask(
            address: str,
            *,
            at: int = 0,
            headers: dict[str, str] | None = None,
            within: float = 20,
            **body: object,
        ) -> httpx.Response:
            return client.post(
                instances[at],
                json=body or {"title": f"Nobody knows {next(_numbers)}"},
                headers={"X-Forwarded-For": address, **(headers or {})},
                timeout=within,
            )

        yield ask


def statuses(call: Call, *addresses: str, **given: Any) -> list[int]:
    return [call(address, **given).status_code for address in addresses]


def test_beyond_its_calls_a_network_is_told_when_to_come_back(call: Call, omdb: DemoOmdb) -> None:
    assert statuses(call, *["192.0.2.1"] * MOST) == [404] * MOST
    refused = call("192.0.2.1")

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "TOO_MANY_REQUESTS"
    assert 3500 <= int(refused.headers["Retry-After"]) <= 3600
    assert "log in" in refused.json()["error"]["message"]
    assert len(omdb.calls) == MOST
    assert call("192.0.2.2").status_code == 404


def test_a_fault_of_omdbs_costs_one_call_and_is_not_asked_for_again(
    call: Call, omdb: DemoOmdb
) -> None:
    omdb.overrides["tt9900001"] = (503, b"down", {})

    answers = statuses(call, *["192.0.2.1"] * (MOST + 2), imdb_id="tt9900001")

    assert answers == [502] * MOST + [429] * 2
    assert len(omdb.calls) == MOST


def test_what_needs_no_call_is_not_limited(call: Call, omdb: DemoOmdb) -> None:
    for title in ("Casablanca", "Nobody knows this"):
        call("192.0.2.1", title=title)
    statuses(call, *["192.0.2.1"] * MOST)

    assert call("192.0.2.1").status_code == 429
    assert call("192.0.2.1", title="CASABLANCA").status_code == 200
    assert call("192.0.2.1", title="nobody knows this").status_code == 404
    assert len(omdb.calls) == MOST


def test_an_hour_after_the_first_call_there_are_calls_again(
    call: Call, database: TransactionalDatabase
) -> None:
    statuses(call, *["192.0.2.1"] * MOST)
    with database.begin() as connection:
        connection.execute(text("update omdb_callers set since = since - interval '50 minutes'"))
    assert int(call("192.0.2.1").headers["Retry-After"]) <= 600
    with database.begin() as connection:
        connection.execute(text("update omdb_callers set since = since - interval '10 minutes'"))

    assert statuses(call, *["192.0.2.1"] * (MOST + 1)) == [404] * MOST + [429]


def test_all_instances_count_together(call: Call) -> None:
    answers = [call("192.0.2.1", at=number % 2).status_code for number in range(MOST + 2)]

    assert answers == [404] * MOST + [429] * 2


def test_an_account_has_five_times_as_many_wherever_it_calls_from(
    call: Call, authorization: Callable[[str], dict[str, str]]
) -> None:
    viewer = authorization("viewer")
    statuses(call, *["192.0.2.1"] * (MOST + 1))
    answers = [
        call(f"192.0.2.{number}", headers=viewer).status_code for number in range(1, 5 * MOST + 2)
    ]

    assert answers == [404] * 5 * MOST + [429]
    assert call("192.0.2.2").status_code == 404  # its networks are not charged


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer", ""])
def test_a_token_that_is_none_is_401_and_costs_nothing(
    call: Call, omdb: DemoOmdb, header: str
) -> None:
    answer = call("192.0.2.1", headers={"Authorization": header}, title="Casablanca")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert omdb.calls == []


def test_a_token_whose_session_has_ended_is_401(
    call: Call, database: TransactionalDatabase, authorization: Callable[[str], dict[str, str]]
) -> None:
    editor = authorization("editor")
    assert call("192.0.2.1", headers=editor, title="Casablanca").status_code == 201
    with database.begin() as connection:
        connection.execute(text("delete from sessions"))

    assert call("192.0.2.1", headers=editor, title="Casablanca").status_code == 401


@pytest.mark.parametrize(
    "same",
    [
        ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3", "[2001:db8:1:2::4]:443"),
        ("192.0.2.9", "::ffff:192.0.2.9", "192.0.2.9:1234", "64:ff9b::c000:209"),
    ],
)
def test_addresses_of_one_network_count_together(call: Call, same: tuple[str, ...]) -> None:
    assert statuses(call, *same) == [404] * MOST + [429]


def test_who_has_many_networks_of_one_site_has_no_more_than_five_of_them(call: Call) -> None:
    networks = [f"2001:db8:7:{number:x}::1" for number in range(5 * MOST + 3)]
    assert statuses(call, *networks) == [404] * 5 * MOST + [429] * 3

    assert call("2001:db8:8::1").status_code == 404


def test_a_network_that_is_refused_uses_up_nothing_of_its_sites(call: Call) -> None:
    statuses(call, *["2001:db8:7:1::1"] * (5 * MOST + 3))

    assert call("2001:db8:7:2::1").status_code == 404


def test_counts_that_are_over_are_swept(call: Call, database: TransactionalDatabase) -> None:
    statuses(call, *(f"192.0.2.{number}" for number in range(12)))
    with database.begin() as connection:
        connection.execute(text("update omdb_callers set since = since - interval '1 hour'"))
    statuses(call, *["198.51.100.1"] * 2)
    with database.begin() as connection:
        left = connection.execute(text("select string_agg(caller, ',') from omdb_callers"))
        assert left.scalar_one() == "network 198.51.100.1"


def test_calls_that_come_at_once_are_counted_one_by_one(call: Call, omdb: DemoOmdb) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: call("192.0.2.1", at=n % 2).status_code, range(4 * MOST))
        )

    assert Counter(answers) == {404: MOST, 429: 3 * MOST}
    assert len(omdb.calls) == MOST


def test_who_is_refused_is_refused_alone(call: Call, omdb: DemoOmdb) -> None:
    statuses(call, *["192.0.2.1"] * MOST)
    omdb.latency = 0.3
    asking = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"] * 5
    with ThreadPoolExecutor(len(asking)) as threads:
        answers = list(
            threads.map(lambda who: (who, call(who, title="Casablanca").status_code), asking)
        )

    told = Counter(answers)
    assert told[("192.0.2.1", 201)] == told[("192.0.2.2", 429)] == told[("192.0.2.3", 429)] == 0
    assert sum(count for (_, status), count in told.items() if status == 201) == 1
    assert len(omdb.calls) == MOST + 1


def test_many_requests_of_one_caller_for_one_film_are_charged_once(
    call: Call, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    omdb.latency = 0.3
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: call("192.0.2.1", title="Casablanca"), range(40)))
    with database.begin() as connection:
        charged = connection.execute(text("select calls from omdb_callers")).scalar_one()

    assert charged == 1


def test_a_call_that_our_own_budget_forbids_is_not_charged(
    environment: dict[str, str], database: TransactionalDatabase, omdb: DemoOmdb
) -> None:
    with (
        served(environment, OMDB_DAILY_BUDGET="1", OMDB_CALLS_PER_CALLER="5") as url,
        held.client(url, headers={"X-Forwarded-For": "2001:db8::1"}) as client,
    ):
        answers = [client.post("/", json={"title": f"Nobody {n}"}).status_code for n in range(9)]
    with database.begin() as connection:
        charged = connection.execute(text("select caller, calls from omdb_callers")).all()

    assert answers == [404] + [503] * 8
    assert len(omdb.calls) == 1
    assert dict(map(tuple, charged)) == {
        "network 2001:db8::/64": 1,
        "network 2001:db8::/48": 1,
    }


def charged(database: TransactionalDatabase, address: str) -> int:
    with database.begin() as connection:
        calls: int = connection.execute(
            text("select calls from omdb_callers where caller = :caller"),
            {"caller": f"network {address}"},
        ).scalar_one()
    return calls


@contextlib.contextmanager
def every_turn_taken(call: Call, omdb: DemoOmdb) -> Iterator[None]:
    """Have OMDb keep as many callers waiting as there are turns."""
    omdb.latency = 1.5
    with ThreadPoolExecutor(HANDLER_THREADS) as threads:
        for number in range(HANDLER_THREADS):
            threads.submit(call, f"198.51.100.{number}")
        while len(omdb.calls) < HANDLER_THREADS:
            time.sleep(0.01)
        yield


def test_a_call_that_could_not_be_begun_in_time_is_not_charged(
    call: Call, omdb: DemoOmdb, database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TURN_TIMEOUT", 0.2)
    with every_turn_taken(call, omdb):
        with ThreadPoolExecutor(4) as threads:
            refused = list(threads.map(lambda _: call("192.0.2.1", title="Dune"), range(4)))
        assert {answer.json()["error"]["code"] for answer in refused} == {"OVERLOADED"}
        assert charged(database, "192.0.2.1") == 0

    assert charged(database, "198.51.100.0") == 1


def test_a_call_that_nobody_waited_for_any_more_is_not_charged(
    call: Call, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    with every_turn_taken(call, omdb), pytest.raises(httpx.ReadTimeout):
        call("192.0.2.1", title="Dune", within=0.3)
    deadline = time.monotonic() + 5
    while charged(database, "192.0.2.1") and time.monotonic() < deadline:
        time.sleep(0.01)

    assert charged(database, "192.0.2.1") == 0
    assert len(omdb.calls) == HANDLER_THREADS


def test_a_no_to_one_spelling_is_no_answer_to_another_that_waits(
    call: Call, omdb: DemoOmdb
) -> None:
    omdb.latency = 0.2
    omdb.overrides["tt0034583"] = refusal("Movie not found!")
    titles = ["Casablanca", "Cásablanca", "Casáblanca"]
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda title: call("192.0.2.1", title=title), titles))

    assert [answer.status_code for answer in answers] == [404] * 3
    assert sorted(call["t"] for call in omdb.calls) == sorted(titles)


FILMS: Final = read_films()
# At the least beyond the calls of all, and of one caller.
TIMES: Final = 2_100 if os.environ.get("MOVIES_FULL_SIZE") else 150


@pytest.mark.parametrize("addresses", [1, 50])
def test_very_many_creates_of_fifteen_titles_cost_fifteen_calls(
    environment: dict[str, str],
    settings: DatabaseSettings,
    omdb: DemoOmdb,
    store: Callable[..., Movie],
    addresses: int,
) -> None:
    """And an import beside them goes on."""
    titles = [film["Title"] for film in FILMS[:10]]
    for film in FILMS[:10]:
        store(film["imdbID"], film["Title"])
    titles += [f"Nobody knows this one, {number}" for number in range(5)]
    budget = {"OMDB_DAILY_BUDGET": "100", "OMDB_CALLS_PER_CALLER": "60"}
    importer = make_importer(settings, omdb.url, daily_budget=100, import_share=40)
    others = [film["imdbID"] for film in FILMS[20:50]]
    with served(environment, **budget) as url, ThreadPoolExecutor(1) as beside:
        imported = beside.submit(carry_out, importer, by_ids(*others, types=TYPES))
        answers = asyncio.run(create_all(url, titles, times=TIMES, addresses=addresses))
        imported.result()
    importer.close()
    importer.database.close()

    assert answers == {200: TIMES * 2 // 3, 404: TIMES // 3}
    assert counts(imported.result()) == {"imported": 30}
    asked = Counter(call["t"] for call in omdb.calls if "t" in call)
    assert asked == Counter(titles)


async def create_all(
    url: str, titles: Sequence[str], *, times: int, addresses: int
) -> Counter[int]:
    async def create(number: int) -> int:
        body = {"title": titles[number % len(titles)]}
        address = {"X-Forwarded-For": f"198.51.100.{number % addresses}"}
        async with at_once:
            return (await client.post(url, json=body, headers=address)).status_code

    at_once = asyncio.Semaphore(40)
    async with httpx.AsyncClient(timeout=60) as client:
        return Counter(await asyncio.gather(*(create(number) for number in range(times))))
