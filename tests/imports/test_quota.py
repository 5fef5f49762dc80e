"""The budget that all instances share, and what becomes of an import when it is spent."""

import logging
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from lib.db_transactions import TransactionalDatabase
from lib.errors import OmdbKeyRefused, OmdbQuotaExceeded
from lib.imports.orders import TICK
from lib.imports.service import Importer
from lib.omdb_budget import Budget, BudgetSpent, kept_back, key_digest
from lib.settings import Secret
from local.demo_omdb.server import DemoOmdb
from tests.imports.support import (
    by_ids,
    carry_out,
    change,
    counts,
    film_ids,
    omdb_settings,
    rows,
)

MakeImporter = Callable[..., Importer]


def let_probe(database: TransactionalDatabase) -> None:
    """Let the moment of the next probe come."""
    change(database, "update omdb_budget set probe_at = now()")


def make_budget(
    importer: Importer, *, daily: int, block: int = 1, for_import: bool = False
) -> Budget:
    settings = omdb_settings("http://127.0.0.1:1/", daily_budget=daily)
    return Budget(importer.database, settings, block=block, for_import=for_import)


def take(budget: Budget, calls: int) -> None:
    for _ in range(calls):
        budget.take()


def test_a_quota_spent_half_way_stops_fails_nothing_and_resumes(
    importers: MakeImporter, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    importer = importers(films.url, concurrency=16)
    films.quota = 300
    content = carry_out(importer, by_ids(*film_ids(1000)))

    assert content["run"]["stopped_by"] == "quota"
    assert counts(content) == {"imported": 300, "pending": 700}
    assert (content["state"], content["waits_for"]) == ("waiting", "quota")
    assert content["expected_at"] is not None
    refused = len(films.calls) - 300
    assert refused <= 16
    assert rows(database, "select distinct attempts, losses, last_error from import_items") == [
        (0, 0, None)
    ]
    change(database, "update omdb_budget set probe_at = now() + interval '1 second'")
    content = carry_out(importer, TICK)  # it waits for the first probe, which is refused as well
    assert len(films.calls) == 300 + refused + 1
    assert counts(content) == {"imported": 300, "pending": 700}

    films.quota = None
    let_probe(database)
    content = carry_out(importer, TICK)

    assert content["state"] == "done"
    assert counts(content) == {"imported": 1000}
    assert films.fetches.total() == len(set(films.fetches)) == 1000
    assert rows(database, "select state from omdb_budget") == [("open",)]


def test_one_process_that_is_refused_stops_the_others(
    importers: MakeImporter, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    first, second = importers(films.url), importers(films.url)
    films.quota = 0
    carry_out(first, by_ids(*film_ids(20)))
    films.forget_calls()
    change(database, "update omdb_budget set probe_at = now() + interval '10 minutes'")
    content = carry_out(second, by_ids(*film_ids(10)))

    assert content["run"]["stopped_by"] == "quota"
    assert not films.calls
    with pytest.raises(BudgetSpent) as refusal:
        make_budget(second, daily=1_000_000).take()
    assert 500 <= refusal.value.retry_after_seconds <= 600


def test_a_key_that_is_refused_is_an_alarm_and_no_quota(
    importer: Importer,
    films: DemoOmdb,
    database: TransactionalDatabase,
    caplog: pytest.LogCaptureFixture,
) -> None:
    films.key = "another"
    with caplog.at_level(logging.INFO, logger="lib"):
        content = carry_out(importer, by_ids(*film_ids(50)))

    assert content["run"]["stopped_by"] == "key_refused"
    assert counts(content) == {"pending": 50}
    assert content["waits_for"] == "key"
    alarms = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert sorted(alarms) == ["OMDb refuses the API key", "import stopped by refused key"]
    assert not [record for record in caplog.records if "quota" in record.message]
    films.forget_calls()
    carry_out(importer, TICK)
    assert len(films.calls) == 1  # one call is enough to know that it still is

    films.key = "0a1b2c3d"
    assert counts(carry_out(importer, TICK)) == {"imported": 50}
    assert rows(database, "select state from omdb_budget") == [("open",)]


def test_our_own_count_ends_an_import_before_the_reserve(
    importers: MakeImporter, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    importer = importers(films.url, daily_budget=100)
    content = carry_out(importer, by_ids(*film_ids(120)))

    assert counts(content) == {"imported": 95, "pending": 25}
    assert content["run"]["stopped_by"] == content["waits_for"] == "quota"
    assert len(films.calls) == 95
    make_budget(importer, daily=100).take()  # a single movie may still be added
    change(database, "update omdb_budget set window_started_at = now() - interval '25 hours'")

    assert counts(carry_out(importer, TICK)) == {"imported": 120}
    assert rows(
        database,
        "select extract(epoch from now() - window_started_at) between 3500 and 3700"
        " from omdb_budget",
    ) == [(True,)]  # the window stays where it began: it does not move with the calls


def test_what_was_reserved_and_not_used_is_given_back(
    importer: Importer, films: DemoOmdb, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(5)))

    assert len(films.calls) == 5
    assert rows(database, "select used from omdb_budget") == [(5,)]


def test_threads_of_many_budgets_never_reserve_more_than_there_is(
    importer: Importer, database: TransactionalDatabase
) -> None:
    taken: list[int] = []

    def take_all(budget: Budget) -> None:
        while True:
            try:
                budget.take()
            except BudgetSpent:
                return
            taken.append(1)

    budgets = [make_budget(importer, daily=97, block=8) for _ in range(3)]
    threads = [threading.Thread(target=take_all, args=(budget,)) for budget in budgets * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 97
    assert rows(database, "select used from omdb_budget") == [(97,)]


def test_probes_come_less_and_less_often(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=100)
    budget.note(OmdbQuotaExceeded("spent", retry_after_seconds=1))
    waits = []
    for _ in range(9):
        budget._refusal = None
        let_probe(database)
        budget.take()
        [(wait,)] = rows(
            database, "select round(extract(epoch from probe_at - now()))::int from omdb_budget"
        )
        waits.append(wait)

    assert waits == pytest.approx([10, 20, 40, 80, 160, 320, 640, 900, 900], abs=1)


def test_only_one_of_many_gets_the_probe(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budgets = [make_budget(importer, daily=100) for _ in range(3)]
    budgets[0].note(OmdbQuotaExceeded("spent", retry_after_seconds=1))
    let_probe(database)
    refused = 0
    for budget in budgets:
        try:
            budget.take()
        except BudgetSpent:
            refused += 1

    assert refused == 2


def test_the_end_of_a_quota_begins_a_new_window(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=10)
    take(budget, 10)
    with pytest.raises(BudgetSpent, match="day's budget"):
        budget.take()
    budget.note(OmdbQuotaExceeded("spent", retry_after_seconds=1))
    let_probe(database)
    budget._refusal = None
    budget.take()
    budget.note(None)

    take(budget, 9)  # the probe was the first of ten
    with pytest.raises(BudgetSpent):
        budget.take()


def test_another_key_has_a_budget_of_its_own(importer: Importer) -> None:
    take(make_budget(importer, daily=3), 3)
    settings = omdb_settings("http://127.0.0.1:1/", daily_budget=3, api_key=Secret("another"))
    Budget(importer.database, settings).take()


def test_the_key_cannot_be_read_from_the_budget() -> None:
    assert len(key_digest(omdb_settings("http://127.0.0.1:1/"))) == 4


@pytest.mark.parametrize(("daily", "kept"), [(1, 0), (20, 1), (1000, 50), (100_000, 100)])
def test_a_twentieth_is_kept_back_up_to_a_hundred(daily: int, kept: int) -> None:
    assert kept_back(daily) == kept


def test_a_refused_key_is_tried_again_at_once(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=100)
    budget.note(OmdbKeyRefused("refused"))
    assert rows(database, "select state from omdb_budget") == [("refused",)]
    budget.take()
    budget.note(None)
    assert rows(database, "select state from omdb_budget") == [("open",)]


def test_create_says_when_to_come_back(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    omdb.quota = 0
    first = client.post("/movies.create", json={"imdb_id": "tt0111161"})
    calls = len(omdb.calls)
    second = client.post("/movies.create", json={"imdb_id": "tt0111161"})

    assert (first.status_code, second.status_code) == (503, 503)
    assert second.json()["error"]["code"] == "OMDB_QUOTA_EXCEEDED"
    assert 1 <= int(second.headers["Retry-After"]) <= 6
    assert len(omdb.calls) == calls
    omdb.quota = None
    let_probe(database)

    time.sleep(1.1)  # for which a refusal is remembered
    assert client.post("/movies.create", json={"imdb_id": "tt0111161"}).status_code == 201
    assert client.post("/movies.create", json={"imdb_id": "tt0068646"}).status_code == 201
