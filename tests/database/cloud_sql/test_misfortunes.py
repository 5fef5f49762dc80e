"""What goes wrong on the way to Cloud SQL: every wait ends, one line says why, the next works."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import google.oauth2.credentials
import psutil
import pytest

from lib import limits
from lib.database import cloud_sql
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from local.cloud_sql.stand_in import INSTANCE, AccountCredentials, CloudSqlStandIn
from tests.database.cloud_sql.pools import SLEEP, Connect
from tests.support import ECHO, echo

TYPO = INSTANCE.replace("movies", "moveis")
ELSEWHERE = INSTANCE.replace("europe-west1", "us-east1")
FORBIDDEN = (
    "there is no such instance, or this account may not connect to it "
    "(roles/cloudsql.client), or the Cloud SQL Admin API is not enabled"
)


def sleep(milliseconds: int) -> Query[int]:
    return Query(statement=SLEEP, values={"milliseconds": milliseconds}, read=len)


def assert_unavailable(pool: Database) -> float:
    """Ask, be told to come back, and give how long that took."""
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as caught:
        pool.run(ECHO, value="x")
    assert caught.value.headers == {"Retry-After": "5"}
    assert caught.value.__cause__ is not caught.value
    return time.monotonic() - started


def reasons_told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the reasons logged, each in a line that the alarm for a lost database counts."""
    assert {record.getMessage() for record in caplog.records} <= {"database unreachable"}
    return [record.fields["reason"] for record in caplog.records]  # type: ignore[attr-defined]


def threads_of_connectors() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "cloud-sql"]


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_before_it_is_asked_a_pool_starts_no_thread_and_calls_nobody(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    connect()

    assert threads_of_connectors() == []
    assert (stand_in.calls, stand_in.proxy.accepted) == ([], 0)


def test_closing_a_pool_ends_its_thread_and_the_next_use_starts_another(connect: Connect) -> None:
    pool = connect()
    pool.run(ECHO, value="x")
    assert len(threads_of_connectors()) == 1
    pool.close()
    assert threads_of_connectors() == []

    assert pool.run(ECHO, value="again") == [["again"]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instance": TYPO}, f"CLOUD_SQL_INSTANCE is {TYPO!r}: there is no such instance"),
        (
            {"instance": ELSEWHERE},
            f"CLOUD_SQL_INSTANCE is {ELSEWHERE!r}: the instance is in another region",
        ),
        ({"ip_type": "PRIVATE"}, "DB_IP_TYPE is 'PRIVATE': the instance has no such address"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_that_names_it(
    connect: Connect, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], reason: str
) -> None:
    pool = connect(**changes)
    pool.warm()
    assert reasons_told(caplog) == [reason]

    assert_unavailable(pool)
    assert reasons_told(caplog) == [reason] * 2


@pytest.mark.parametrize(
    ("status", "reason"), [(403, FORBIDDEN), (429, "Google's API answers 429")]
)
def test_what_google_s_api_answers_is_told_in_one_line(
    connect: Connect,
    stand_in: CloudSqlStandIn,
    caplog: pytest.LogCaptureFixture,
    status: int,
    reason: str,
) -> None:
    stand_in.status = status
    pool = connect()
    assert_unavailable(pool)
    stand_in.status = 200

    assert reasons_told(caplog) == [f"CLOUD_SQL_INSTANCE is {INSTANCE!r}: {reason}"]
    assert pool.run(ECHO, value="after") == [["after"]]


def test_without_credentials_one_line_says_so_and_no_thread_is_left(
    stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/account.json")
    pool = Database(stand_in.settings(), statements=[ECHO])
    assert_unavailable(pool)

    assert reasons_told(caplog) == [
        "this process has no Google credentials, or they do not work just now"
    ]
    assert threads_of_connectors() == []


def test_a_person_must_set_the_database_user(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    person = google.oauth2.credentials.Credentials("token")  # type: ignore[no-untyped-call]
    assert_unavailable(connect(credentials=person))

    assert reasons_told(caplog) == [
        "DB_USER is not set, and this process runs as no service account"
    ]


def test_an_outage_is_503_and_the_first_request_after_it_works(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    pool = connect()
    assert pool.run(ECHO, value="before") == [["before"]]
    stand_in.proxy.cut()
    assert assert_unavailable(pool) < 1
    stand_in.proxy.recover()

    assert pool.run(ECHO, value="after") == [["after"]]


def test_a_failover_between_two_requests_is_not_noticed(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    pool = connect()

    async def ask_before_and_after() -> list[str]:
        await asyncio.gather(*(pool.ask(echo("before")) for _ in range(4)))
        stand_in.proxy.cut()
        stand_in.proxy.recover()
        return await asyncio.gather(*(pool.ask(echo(str(n))) for n in range(4)))

    assert asyncio.run(ask_before_and_after()) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("kind", [Database, TransactionalDatabase])
def test_a_failover_is_seen_before_a_statement_that_may_not_be_repeated(
    stand_in: CloudSqlStandIn, kind: type[Database]
) -> None:
    once = Statement(repeatable=False, sql="select cast(:value as text)")
    options = {
        "sqladmin_api_endpoint": stand_in.endpoint,
        "credentials": AccountCredentials(stand_in),
    }
    pool = kind(stand_in.settings(), statements=[once], connector_options=options)

    def question(value: str) -> Query[str]:
        return Query(statement=once, values={"value": value}, read=lambda rows: str(rows[0][0]))

    async def ask_before_and_after() -> list[str]:
        await asyncio.gather(*(pool.ask(question("before")) for _ in range(4)))
        stand_in.proxy.cut()
        stand_in.proxy.recover()
        return await asyncio.gather(*(pool.ask(question(str(n))) for n in range(4)))

    assert asyncio.run(ask_before_and_after()) == ["0", "1", "2", "3"]
    stand_in.proxy.cut()
    stand_in.proxy.recover()
    assert [pool.run(once, value=str(n)) for n in range(4)] == [[[str(n)]] for n in range(4)]
    pool.close()


def test_a_connection_that_rests_in_tls_says_nothing(connect: Connect) -> None:
    pool = connect()
    pool.run(ECHO, value="x")
    taken = pool._open_pool().take()

    assert taken._word.poll(100) == []
    taken.close()


def test_a_long_outage_does_not_ask_google_s_api_again_for_every_request(
    connect: Connect, stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_sql, "_PAUSE", 0.5)
    stand_in.status = 429
    pool = connect()
    for _ in range(20):
        assert_unavailable(pool)
    assert stand_in.calls.count("connectSettings") == 2
    stand_in.status = 200
    time.sleep(0.5)

    assert pool.run(ECHO, value="after") == [["after"]]


@pytest.mark.parametrize("when", ["before the handshake", "after the handshake"])
def test_an_instance_that_hangs_holds_its_callers_for_one_time_out_together(
    connect: Connect, stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT", 0.4)
    pool = connect()
    if when == "before the handshake":
        stand_in.proxy.be_silent()
    else:
        stand_in.proxy.hold()
    started = time.monotonic()
    with ThreadPoolExecutor(8) as callers:
        waits = list(callers.map(lambda _: assert_unavailable(pool), range(8)))
    assert max(waits) < time.monotonic() - started < 1.2
    stand_in.proxy.recover()

    assert pool.run(ECHO, value="after") == [["after"]]


def test_a_google_api_that_hangs_does_not_hold_a_caller(
    connect: Connect,
    stand_in: CloudSqlStandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool = connect()
    with monkeypatch.context() as patch:
        patch.setattr(limits, "CLOUD_SQL_TIMEOUT", 0.3)
        stand_in.hanging = True
        assert assert_unavailable(pool) < 1
    assert reasons_told(caplog) == [
        f"CLOUD_SQL_INSTANCE is {INSTANCE!r}: it, or Google's API, did not answer in time"
    ]
    assert eventually(lambda: threads_of_connectors() == [])
    stand_in.hanging = False

    assert pool.run(ECHO, value="after") == [["after"]]


def test_failed_attempts_leave_no_thread_and_no_socket(
    connect: Connect, stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_sql, "_PAUSE", 0.0)
    pool = connect()
    pool.run(ECHO, value="x")
    pool._open_pool().dispose()
    socket.setdefaulttimeout(0.05)  # for the connector's sockets, now that one connection was made

    def misfortunes() -> None:
        for befall in (stand_in.proxy.cut, stand_in.proxy.be_silent, stand_in.proxy.hold):
            stand_in.proxy.recover()
            befall()
            assert_unavailable(pool)
        stand_in.proxy.cut()

    misfortunes()
    before = threading.active_count(), psutil.Process().num_fds()
    for _ in range(4):
        misfortunes()

    assert eventually(lambda: psutil.Process().num_fds() <= before[1])
    assert eventually(lambda: threading.active_count() <= before[0] + 1)


def test_a_hang_in_a_statement_holds_only_its_own_caller(
    connect: Connect, stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 0.3)
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT", 0.3)
    pool = connect()

    async def ask() -> tuple[float, int]:
        await pool.ask(echo("before"))
        stand_in.proxy.hold()
        started = time.monotonic()
        asked = asyncio.create_task(pool.ask(echo("lost")))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(DatabaseUnavailable):
            await asked
        return time.monotonic() - started, turns

    seconds, turns = asyncio.run(ask())
    assert seconds < 1.5
    assert turns > 10
    stand_in.proxy.recover()
    assert pool.run(ECHO, value="after") == [["after"]]


def test_a_hang_in_a_statement_ends_for_a_thread_as_well(
    connect: Connect, stand_in: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 0.3)
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT", 0.3)
    pool = connect()
    pool.run(ECHO, value="before")
    stand_in.proxy.hold()

    assert assert_unavailable(pool) < 1.5


def test_half_an_answer_does_not_hold_up_the_loop(
    connect: Connect, stand_in: CloudSqlStandIn
) -> None:
    pool = connect()

    async def ask() -> tuple[str, float]:
        await pool.ask(echo("before"))
        stand_in.proxy.first_bytes, stand_in.proxy.pause = 7, 0.4
        asked = asyncio.create_task(pool.ask(echo("late")))
        longest = 0.0
        while not asked.done():
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)
        return await asked, longest

    answer, longest = asyncio.run(ask())
    assert answer == "late"
    assert longest < 0.3


@pytest.mark.parametrize("size", [1, 8_191, 16_384, 300_000])
def test_an_answer_of_many_tls_records_arrives_whole(connect: Connect, size: int) -> None:
    pool = connect()
    value = "é" * size

    async def ask() -> list[str]:
        return [await pool.ask(echo(value)), await pool.ask(echo("next"))]

    assert asyncio.run(ask()) == [value, "next"]


def test_the_loop_asks_many_questions_at_once(connect: Connect, stand_in: CloudSqlStandIn) -> None:
    pool = connect()

    async def ask() -> list[str]:
        slow = asyncio.create_task(pool.ask(sleep(200)))
        answers = await asyncio.gather(*(pool.ask(echo(str(n))) for n in range(100)))
        await slow
        return answers

    assert asyncio.run(ask()) == [str(n) for n in range(100)]
    assert stand_in.logins == [stand_in.user] * DatabaseSettings().connections
