"""The budget that all instances share, and what becomes of an import when it is spent."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import httpx
import pytest

from lib.database.transactions import TransactionalDatabase
from lib.imports.orders import TICK
from lib.imports.service import Importer
from lib.omdb.budget import Budget, BudgetSpent, key_digest
from lib.omdb.faults import OmdbKeyRefused, OmdbQuotaExceeded
from lib.settings import Secret
from local.demo_omdb.server import DemoOmdb
from tests.importing import (
    by_ids,
    carry_out,
    change,
    counts,
    film_ids,
    omdb_settings,
    rows,
)
from tests.support import asks

MakeImporter = Callable[..., Importer]


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no refusal of the test before answer this one's calls."""
    monkeypatch.setattr("lib.omdb.budget._REFUSAL_SECONDS", 0.0)


def let_probe(database: TransactionalDatabase) -> None:
    """Let the moment of the next probe come."""
    change(database, "update omdb_budget set probe_at = now()")


def make_budget(
    importer: Importer, *, daily: int, share: int = 0, block: int = 1, for_import: bool = False
) -> Budget:
    settings = omdb_settings("http://127.0.0.1:1/", daily_budget=daily, import_share=share)
    return Budget(importer.database, settings, block=block, for_import=for_import)


def take_all(budget: Budget) -> int:
    taken = 0
    while True:
        try:
            budget.take()
        except BudgetSpent:
            return taken
        taken += 1


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
    importer = importers(films.url, daily_budget=100, import_share=5)
    content = carry_out(importer, by_ids(*film_ids(120)))

    assert counts(content) == {"imported": 95, "pending": 25}
    assert content["run"]["stopped_by"] == content["waits_for"] == "quota"
    assert len(films.calls) == 95
    make_budget(importer, daily=100, share=5).take()  # a single movie may still be added
    change(database, "update omdb_budget set window_started_at = now() - interval '25 hours'")

    assert counts(carry_out(importer, TICK)) == {"imported": 120}
    assert rows(
        database,
        "select extract(epoch from now() - window_started_at) between 3500 and 3700"
        " from omdb_budget",
    ) == [(True,)]  # the window stays where it began: it does not move with the calls


@pytest.mark.parametrize(
    ("share", "imports_first", "creates_first"),
    [(40, (60, 40), (40, 60)), (0, (100, 0), (0, 100)), (50, (50, 50), (50, 50))],
)
def test_each_side_has_its_share_whoever_comes_first(
    importer: Importer,
    database: TransactionalDatabase,
    share: int,
    imports_first: tuple[int, int],
    creates_first: tuple[int, int],
) -> None:
    imports = make_budget(importer, daily=100, share=share, block=8, for_import=True)
    creates = make_budget(importer, daily=100, share=share)

    assert (take_all(imports), take_all(creates)) == imports_first
    assert rows(database, "select used, used_by_imports from omdb_budget") == [
        (100, imports_first[0])
    ]
    change(database, "update omdb_budget set window_started_at = now() - interval '25 hours'")
    assert (take_all(creates), take_all(imports)) == creates_first[::-1]


def test_strangers_who_use_up_what_they_may_leave_the_import_its_share(
    importers: MakeImporter, films: DemoOmdb
) -> None:
    importer = importers(films.url, daily_budget=50, import_share=40)
    assert take_all(make_budget(importer, daily=50, share=40)) == 30
    content = carry_out(importer, by_ids(*film_ids(30)))

    assert counts(content) == {"imported": 20, "pending": 10}
    assert content["waits_for"] == "quota"


def test_what_an_import_gives_back_is_its_own_again(
    importer: Importer, database: TransactionalDatabase
) -> None:
    imports = make_budget(importer, daily=100, share=40, block=8, for_import=True)
    make_budget(importer, daily=100, share=40).take()
    imports.take()
    imports.give_back()

    assert rows(database, "select used, used_by_imports from omdb_budget") == [(2, 1)]


def test_a_day_that_the_former_revision_began_counts_no_imports_of_the_day_before(
    importer: Importer, database: TransactionalDatabase
) -> None:
    imports = make_budget(importer, daily=100, share=40, for_import=True)
    assert take_all(imports) == 60
    # It knows only the older columns.
    change(database, "update omdb_budget set window_started_at = now(), used = 5")

    assert take_all(imports) == 55
    assert take_all(make_budget(importer, daily=100, share=40)) == 40


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

    budgets = [make_budget(importer, daily=97, block=8) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda budget: taken.append(take_all(budget)), args=(budget,))
        for budget in budgets * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(taken) == 97
    assert rows(database, "select used from omdb_budget") == [(97,)]


def test_a_reservation_older_than_the_window_leaves_the_window_where_it_is(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=100)
    budget.take()
    # To a statement that waited for the one that began the window, the beginning is yet to come.
    change(database, "update omdb_budget set window_started_at = now() + interval '1 second'")
    budget.take()
    change(database, "update omdb_budget set window_started_at = window_started_at - interval '2s'")
    budget.take()

    assert rows(database, "select used from omdb_budget") == [(3,)]


def test_probes_come_less_and_less_often(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=100)
    budget.note(OmdbQuotaExceeded("spent", retry_after_seconds=1))
    waits = []
    for _ in range(9):
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


def test_a_refused_key_is_tried_again_at_once(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=100)
    budget.note(OmdbKeyRefused("refused"))
    assert rows(database, "select state from omdb_budget") == [("refused",)]
    budget.take()
    budget.note(None)
    assert rows(database, "select state from omdb_budget") == [("open",)]


@asks("/movies.create")
def test_a_spent_quota_tells_every_caller_the_same_wait(
    client: httpx.Client, omdb: DemoOmdb, database: TransactionalDatabase
) -> None:
    omdb.quota = 0
    answers = [
        client.post("/movies.create", json={"imdb_id": imdb_id})
        for imdb_id in ("tt0111161", "tt0111161", "tt0068646")
    ]

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["error"]["code"] for answer in answers} == {"OMDB_QUOTA_EXCEEDED"}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    waits = [int(answer.headers["Retry-After"]) for answer in answers]
    assert 4 <= min(waits) <= max(waits) <= 5
    assert len(omdb.calls) == 1
    omdb.quota = None
    let_probe(database)

    assert client.post("/movies.create", json={"imdb_id": "tt0111161"}).status_code == 201
    assert client.post("/movies.create", json={"imdb_id": "tt0068646"}).status_code == 201


TEN_MINUTES: Final = "a date in ten minutes"


@asks("/movies.create")
@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("120", 120),
        (TEN_MINUTES, 600),
        ("31536000", 86_400),
        ("0", 1),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1),
        ("soon", 5),
        (None, 5),
    ],
)
def test_a_429_of_omdbs_is_told_to_every_caller_with_its_own_wait(
    client: httpx.Client, omdb: DemoOmdb, told: str | None, wait: int
) -> None:
    if told == TEN_MINUTES:
        told = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    headers = {} if told is None else {"Retry-After": told}
    for imdb_id in ("tt0111161", "tt0068646"):
        omdb.overrides[imdb_id] = (429, b"<html>Too Many Requests</html>", headers)
    answers = [
        client.post("/movies.create", json={"imdb_id": imdb_id}) for imdb_id in omdb.overrides
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[1].json()["error"]["code"] == "OMDB_QUOTA_EXCEEDED"
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    waits = [int(answer.headers["Retry-After"]) for answer in answers]
    assert waits == pytest.approx([wait, wait], abs=2)
    assert len(omdb.calls) == 1 or wait == 1


def test_a_call_to_slow_down_is_no_new_day(
    importer: Importer, database: TransactionalDatabase
) -> None:
    budget = make_budget(importer, daily=10)
    take(budget, 8)
    budget.note(OmdbQuotaExceeded("later", retry_after_seconds=60, is_told=True))
    let_probe(database)
    take(budget, 1)
    budget.note(None)

    assert take_all(budget) == 1


def test_a_longer_wait_that_omdb_tells_goes_before_a_shorter_one(importer: Importer) -> None:
    budget = make_budget(importer, daily=10)
    waits = [
        budget.note(OmdbQuotaExceeded("later", retry_after_seconds=seconds, is_told=told))
        for seconds, told in ((3600, False), (60, True), (20, True), (3600, False))
    ]

    assert [fault and fault.headers["Retry-After"] for fault in waits] == ["5", "60", "60", "60"]
