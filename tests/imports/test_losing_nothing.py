"""Processes that are killed, that end early, and that work on the same ids at once."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from lib.database.transactions import TransactionalDatabase
from lib.imports.orders import TICK
from lib.imports.service import Importer
from lib.imports.stopping import WorkingTime
from local.demo_omdb.server import DemoOmdb
from tests.importing import by_ids, carry_out, change, counts, film_ids, hurry, rows

ROOT: Final = Path(__file__).resolve().parents[2]
FULL: Final = bool(os.environ.get("MOVIES_FULL_SIZE"))
KILLS, KILLED_IDS = (20, 2000) if FULL else (5, 400)
SHARED_IDS: Final = 2000 if FULL else 400
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(database_url: str, database: TransactionalDatabase, films: DemoOmdb) -> Start:
    """Start a process that imports."""
    assert database

    def start_process(order: str, imdb_ids: Sequence[str], **settings: Any) -> Any:
        given = {"database": database_url, "url": films.url, "imdb_ids": imdb_ids, **settings}
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.imports.process", order],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "IMPORT_PROCESS": json.dumps(given)},
            stdout=subprocess.PIPE,
            text=True,
        )

    return start_process


def leased(database: TransactionalDatabase) -> list[str]:
    found = rows(database, "select imdb_id from import_items where state = 'leased'")
    return [imdb_id for (imdb_id,) in found]


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    content: dict[str, Any] = json.loads(output)
    return content


def test_kills_at_random_moments_lose_and_repeat_nothing(
    start: Start, database: TransactionalDatabase, films: DemoOmdb, importer: Importer
) -> None:
    imdb_ids = film_ids(KILLED_IDS)
    films.latency = 0.05
    in_hand: Counter[str] = Counter()
    for kill in range(KILLS):
        process = start("tick" if kill else "ids", imdb_ids, lease_seconds=1)
        while rows(database, "select count(*) from import_items") == [(0,)]:
            time.sleep(0.02)  # until the order is there, the caller would have to repeat it
        time.sleep(random.uniform(0.0, 1.2))  # noqa: S311
        process.send_signal(signal.SIGKILL)
        process.communicate()
        time.sleep(0.2)  # what the server had already received, it carries out
        in_hand.update(leased(database))
    deadline = time.monotonic() + 60
    while counts(carry_out(importer, TICK)).get("pending") and time.monotonic() < deadline:
        time.sleep(0.1)

    states = rows(database, "select state, count(*) from import_items group by state")
    assert dict(states).keys() <= {"imported", "unchanged"}
    assert sum(number for _, number in states) == KILLED_IDS
    assert rows(database, "select count(*) from movies") == [(KILLED_IDS,)]
    [(state, total, done)] = rows(
        database, "select state, total, imported + unchanged from imports"
    )
    assert (state, total, done) == ("done", KILLED_IDS, KILLED_IDS)
    repeated = {imdb_id for imdb_id, calls in films.fetches.items() if calls > 1 + in_hand[imdb_id]}
    assert not repeated
    assert set(films.fetches) == set(imdb_ids)


def test_two_processes_with_the_same_ids_fetch_each_once(
    start: Start, database: TransactionalDatabase, films: DemoOmdb
) -> None:
    imdb_ids = film_ids(SHARED_IDS)
    films.latency = 0.05
    first = start("ids", imdb_ids)
    second = start("ids", imdb_ids[::-1])
    shares = [told(process)["run"]["items"].get("imported", 0) for process in (first, second)]

    assert films.fetches == dict.fromkeys(imdb_ids, 1)
    assert sum(shares) == SHARED_IDS
    assert all(shares)
    assert rows(database, "select count(*), sum(imported) from imports") == [(1, SHARED_IDS)]


def test_sigterm_finishes_what_is_under_way_and_leaves_the_rest(
    start: Start, database: TransactionalDatabase, films: DemoOmdb
) -> None:
    films.latency = 0.2
    process = start("ids", film_ids(400))
    while sum(films.fetches.values()) < 30:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    content = told(process)

    assert content["run"]["stopped_by"] == "shutdown"
    assert content["imported"] == sum(films.fetches.values())
    assert content["imported"] + content["pending"] == 400
    assert not leased(database)


def test_a_deadline_stops_between_items(importer: Importer, films: DemoOmdb) -> None:
    films.latency = 0.1
    working_time = WorkingTime(ends_at=time.monotonic() + 0.5)
    content = carry_out(importer, by_ids(*film_ids(100)), working_time)

    assert content["run"]["stopped_by"] == "deadline"
    assert content["run"]["seconds"] < 2
    assert content["imported"] == sum(films.fetches.values())
    films.latency = 0.0
    assert counts(carry_out(importer, TICK)) == {"imported": 100}


def test_a_lost_lease_is_taken_up_once_it_ends(
    importer: Importer, database: TransactionalDatabase, films: DemoOmdb
) -> None:
    content = carry_out(importer, by_ids(*film_ids(3)), WorkingTime(ends_at=time.monotonic()))
    assert counts(content) == {"pending": 3}
    change(
        database,
        "update import_items set state = 'leased', leased_by = 'the dead',"
        " next_try_at = now() + interval '1 hour'",
    )
    content = carry_out(importer, by_ids(*film_ids(3)))
    assert content["run"]["stopped_by"] == "others_working"
    hurry(database)

    assert counts(carry_out(importer, TICK)) == {"imported": 3}
    assert rows(database, "select distinct losses from import_items") == [(1,)]
    assert films.fetches == dict.fromkeys(film_ids(3), 1)


def test_an_item_that_ends_its_process_again_and_again_is_parked(
    importer: Importer, database: TransactionalDatabase, films: DemoOmdb
) -> None:
    carry_out(importer, by_ids(*film_ids(2)), WorkingTime(ends_at=time.monotonic()))
    change(
        database,
        "update import_items set losses = 20 where imdb_id = :imdb_id",
        imdb_id=film_ids(1)[0],
    )
    content = carry_out(importer, TICK)

    assert counts(content) == {"imported": 1, "failed": 1}
    assert content["errors"] == {"process_lost": 1}
    assert list(films.fetches) == [film_ids(2)[1]]


def test_a_long_run_goes_on_holding_what_it_has_in_hand(
    importers: Callable[..., Importer], database: TransactionalDatabase, films: DemoOmdb
) -> None:
    films.latency = 1.0
    slow = importers(films.url, lease_seconds=2, concurrency=1)
    other = importers(films.url, lease_seconds=2, concurrency=1)
    order = by_ids(*film_ids(4))
    thread = threading.Thread(target=carry_out, args=(slow, order))
    thread.start()
    while not films.calls:
        time.sleep(0.02)
    carry_out(other, order)
    thread.join()

    assert films.fetches == dict.fromkeys(film_ids(4), 1)
    assert rows(database, "select imported from imports") == [(4,)]
