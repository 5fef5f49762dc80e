"""The database's misfortunes."""

import asyncio
import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pg8000.dbapi
import pytest
from sqlalchemy import text

from lib import limits
from lib.accounts.users import AdminSettings
from lib.catalogue.movie import Movie
from lib.database import connections
from lib.database import database as database_module
from lib.database import pool as pool_module
from lib.database.database import Database
from lib.database.faults import translate_fault
from lib.database.pool import PoolExhausted
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, InternalError, InvalidRequest, ServiceError
from lib.omdb.memory import STORE
from lib.schema.migrating import migrate
from lib.settings import Secret
from local import gateway
from local.postgres import EmbeddedPostgres
from tests import held
from tests.support import ECHO, asks, database_settings, echo, store

SLEEP = Statement(repeatable=True, sql="select pg_sleep(cast(:seconds as double precision))")
PID = Statement(repeatable=True, sql="select pg_backend_pid()")
CONNECTIONS = DatabaseSettings().connections


@pytest.fixture(params=[Database, TransactionalDatabase])
def kind(request: pytest.FixtureRequest) -> type[Database]:
    """Return each kind of database, as one of them shares its pool with SQLAlchemy."""
    return cast("type[Database]", request.param)


@pytest.fixture
def plain(settings: DatabaseSettings, kind: type[Database]) -> Iterator[Database]:
    """Return a pool of the test's own."""
    database = kind(settings, statements=[ECHO, SLEEP, PID])
    yield database
    database.close()


@pytest.fixture
def transactional(settings: DatabaseSettings) -> Iterator[TransactionalDatabase]:
    """Return a pool of the test's own that takes transactions."""
    database = TransactionalDatabase(settings, statements=[ECHO, SLEEP, PID])
    yield database
    database.close()


def is_there(database: TransactionalDatabase, pid: int) -> bool:
    """Tell whether a connection still has its backend."""
    with database.begin() as connection:
        found = connection.execute(
            text("select count(*) from pg_stat_activity where pid = :pid"), {"pid": pid}
        )
        return bool(found.scalar_one())


def terminate_others(database: TransactionalDatabase) -> None:
    with database.begin() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid() "
                "and application_name = 'simple-movie-database'"
            )
        )


def assert_ends(database: TransactionalDatabase, pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_there(database, pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_there(database, pid)


def test_half_a_surrogate_pair_is_refused_and_the_next_statement_is_answered_right(
    plain: Database,
) -> None:
    with pytest.raises(InvalidRequest):
        plain.run(ECHO, value="\ud800")

    assert [plain.run(ECHO, value=str(n)) for n in range(20)] == [[[str(n)]] for n in range(20)]


def test_half_a_surrogate_pair_in_a_transaction_does_not_poison_the_pool(
    transactional: TransactionalDatabase,
) -> None:
    with pytest.raises(InvalidRequest), transactional.begin() as connection:
        connection.execute(text("select cast(:value as text)"), {"value": "\ud800"})

    for n in range(20):
        with transactional.begin() as connection:
            assert connection.execute(text("select :n + 0"), {"n": n}).scalar_one() == n
        assert transactional.run(ECHO, value=str(n)) == [[str(n)]]


def test_a_connection_that_was_cut_while_it_rested_is_not_noticed_by_callers(
    plain: Database, database: TransactionalDatabase
) -> None:
    plain.run(ECHO, value="before")
    terminate_others(database)

    assert plain.run(ECHO, value="after") == [["after"]]


def test_when_all_were_cut_while_they_rested_no_caller_notices(
    plain: Database, database: TransactionalDatabase
) -> None:
    many = range(CONNECTIONS)
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in range(3):
            list(threads.map(lambda _: plain.run(SLEEP, seconds="0.2"), many))
            terminate_others(database)
            assert [plain.run(ECHO, value=str(n)) for n in many] == [[[str(n)]] for n in many]


def test_after_a_rest_a_cut_connection_is_replaced_even_for_what_may_not_be_repeated(
    settings: DatabaseSettings, database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_IDLE_SECONDS", 0.0)
    once = Statement(repeatable=False, sql="select cast(:value as text)")
    pool = Database(settings, statements=[once])
    pool.run(once, value="before")
    terminate_others(database)

    assert pool.run(once, value="after") == [["after"]]
    pool.close()


@pytest.fixture
def tries(database: TransactionalDatabase) -> Iterator[Callable[[], int]]:
    """Tell how often a statement took a number, whatever became of it then."""
    with database.begin() as connection:
        connection.execute(text("create sequence tries start 1"))
        connection.execute(
            text("""
                create function fail_once(state text) returns bigint language plpgsql as $$
                declare this bigint := nextval('tries');
                begin
                    if this = 1 then
                        raise exception using errcode = state;
                    end if;
                    return this;
                end $$
            """)
        )

    def count() -> int:
        with database.begin() as connection:
            told: int = connection.execute(
                text("select case when is_called then last_value else 0 end from tries")
            ).scalar_one()
        return told

    yield count
    with database.begin() as connection:
        connection.execute(text("drop function fail_once; drop sequence tries"))


def ask_in(way: str, pool: Database, statement: Statement, **values: str) -> list[list[Any]]:
    """Ask from a thread or from an event loop."""
    if way == "run":
        return pool.run(statement, **values)
    return asyncio.run(pool.ask(Query(statement=statement, values=values, read=list)))


@pytest.mark.parametrize("way", ["run", "ask"])
@pytest.mark.parametrize("expected", [1, 2])
def test_what_is_cut_under_way_is_tried_again_only_where_it_may_be(
    settings: DatabaseSettings,
    kind: type[Database],
    tries: Callable[[], int],
    way: str,
    expected: int,
) -> None:
    ends = Statement(
        repeatable=expected > 1,
        sql="select pg_terminate_backend(pg_backend_pid()) from nextval('tries')",
    )
    pool = kind(settings, statements=[ends, ECHO])
    with pytest.raises(DatabaseUnavailable):
        ask_in(way, pool, ends)

    assert tries() == expected
    assert pool.run(ECHO, value="after") == [["after"]]
    pool.close()


@pytest.mark.parametrize("way", ["run", "ask"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_what_was_rolled_back_for_others_is_tried_again_even_if_it_may_not_be_repeated(
    settings: DatabaseSettings,
    kind: type[Database],
    tries: Callable[[], int],
    way: str,
    state: str,
) -> None:
    once = Statement(repeatable=False, sql="select fail_once(:state)")
    pool = kind(settings, statements=[once])

    assert ask_in(way, pool, once, state=state) == [[2]]
    assert tries() == 2
    pool.close()


@pytest.mark.parametrize("way", ["run", "ask"])
def test_what_fails_for_another_reason_is_not_tried_again(
    settings: DatabaseSettings, kind: type[Database], tries: Callable[[], int], way: str
) -> None:
    once = Statement(repeatable=True, sql="select fail_once(:state)")
    pool = kind(settings, statements=[once])
    with pytest.raises(DatabaseUnavailable):
        ask_in(way, pool, once, state="55P03")

    assert tries() == 1
    pool.close()


def cut_all(pool: Database, database: TransactionalDatabase) -> None:
    """Cut as many connections as the pool holds, while they rest, and see them go."""
    taken = [pool._open_pool().take() for _ in range(CONNECTIONS)]
    pids = [one.prepared[PID].run()[0][0] for one in taken]
    for one in taken:
        one.close()
    terminate_others(database)
    for pid in pids:
        assert_ends(database, pid)


@pytest.mark.parametrize("way", ["run", "ask"])
def test_a_cut_is_seen_before_the_first_statement_after_it_even_if_that_may_not_be_repeated(
    settings: DatabaseSettings, database: TransactionalDatabase, kind: type[Database], way: str
) -> None:
    once = Statement(repeatable=False, sql="select cast(:value as text)")
    pool = kind(settings, statements=[once, PID])
    for _ in range(2):
        cut_all(pool, database)
        told = [ask_in(way, pool, once, value=str(n)) for n in range(CONNECTIONS)]
        assert told == [[[str(n)]] for n in range(CONNECTIONS)]
    pool.close()


def test_a_cut_is_seen_by_all_who_ask_at_once_after_it(
    settings: DatabaseSettings, database: TransactionalDatabase, kind: type[Database]
) -> None:
    once = Statement(repeatable=False, sql="select cast(:value as text)")
    pool = kind(settings, statements=[once, PID])
    many = [str(n) for n in range(CONNECTIONS)]
    cut_all(pool, database)
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        told = list(threads.map(lambda value: pool.run(once, value=value), many))
    assert told == [[[value]] for value in many]
    cut_all(pool, database)

    async def ask_all() -> list[Any]:
        questions = [Query(statement=once, values={"value": n}, read=list) for n in many]
        return await asyncio.gather(*(pool.ask(question) for question in questions))

    assert asyncio.run(ask_all()) == [[[value]] for value in many]
    pool.close()


def test_a_transaction_sees_a_cut_before_it_begins(
    transactional: TransactionalDatabase, database: TransactionalDatabase
) -> None:
    [[pid]] = transactional.run(PID)
    terminate_others(database)
    assert_ends(database, pid)

    with transactional.begin() as connection:
        assert connection.exec_driver_sql("select 1").scalar_one() == 1


def test_a_connection_that_is_told_something_unasked_is_tried_and_kept(
    settings: DatabaseSettings, database: TransactionalDatabase, kind: type[Database]
) -> None:
    pool = kind(settings, statements=[PID])
    [[pid]] = pool.run(PID)
    taken = pool._open_pool().take()
    taken.driver.execute_simple("listen news")
    word = taken._word
    taken.close()
    with database.begin() as connection:
        connection.exec_driver_sql("notify news")
    assert word.poll(2000)

    assert pool.run(PID) == [[pid]]
    pool.close()


def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.SERVER_SETTINGS, "statement_timeout", "100")

    with pytest.raises(DatabaseUnavailable) as caught:
        plain.run(SLEEP, seconds=10)

    assert caught.value.headers == {"Retry-After": "5"}
    assert plain.run(ECHO, value="after") == [["after"]]


def test_an_exhausted_pool_answers_after_a_bounded_wait(
    settings: DatabaseSettings, kind: type[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "POOL_TIMEOUT", 0.1)
    pool = kind(replace(settings, connections=1), statements=[ECHO, SLEEP, PID])
    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(pool.run, SLEEP, seconds=1)
        time.sleep(0.5)
        with pytest.raises(DatabaseUnavailable):
            pool.run(ECHO, value="waits")
        holding.result()

    assert pool.run(ECHO, value="after") == [["after"]]
    pool.close()


def test_an_exhausted_pool_holds_up_a_transaction_as_long_and_no_longer(
    settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "POOL_TIMEOUT", 0.1)
    pool = TransactionalDatabase(replace(settings, connections=1), statements=[ECHO])
    with pool.begin(), pytest.raises(DatabaseUnavailable), pool.begin():
        pass

    assert pool.run(ECHO, value="after") == [["after"]]
    pool.close()


def test_a_connection_that_is_in_use_when_the_pool_closes_is_closed_when_it_comes_back(
    settings: DatabaseSettings, database: TransactionalDatabase
) -> None:
    pool = Database(settings, statements=[ECHO, SLEEP, PID])
    [[pid]] = pool.run(PID)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(pool.run, SLEEP, seconds=1)
        time.sleep(0.5)
        pool.close()
        assert is_there(database, pid)
        answer.result()

    assert_ends(database, pid)
    assert pool.run(ECHO, value="after") == [["after"]]
    pool.close()


def test_a_server_that_accepts_and_never_speaks_does_not_hold_a_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = Database(
            DatabaseSettings(host="127.0.0.1", port=silent.getsockname()[1], user="nobody"),
            statements=[ECHO],
        )
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            pool.run(ECHO, value="never")

    assert time.monotonic() - started < 2


def test_a_server_that_falls_silent_in_a_statement_does_not_hold_a_caller(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 0.2)

    with pytest.raises(DatabaseUnavailable):
        plain.run(SLEEP, seconds=3)


def test_nobody_listening_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pool = TransactionalDatabase(DatabaseSettings(host="127.0.0.1", port=port, user="nobody"))
    with pytest.raises(DatabaseUnavailable), pool.begin():
        pass


def test_a_wrong_password_is_unavailable_and_not_shown(
    settings: DatabaseSettings, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = DatabaseSettings(
        host=settings.host,
        port=settings.port,
        name=settings.name,
        user=settings.user,
        password=Secret("open sesame"),
    )
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(wrong, statements=[ECHO]).run(ECHO, value="x")

    assert "sesame" not in str(caught.value) + caplog.text


def test_a_password_that_is_missing_is_unavailable_and_named_in_the_log(
    settings: DatabaseSettings, kind: type[Database], caplog: pytest.LogCaptureFixture
) -> None:
    without = dataclasses.replace(settings, password=None)
    with pytest.raises(DatabaseUnavailable):
        kind(without, statements=[ECHO]).run(ECHO, value="x")

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info is None
    assert vars(record)["fields"]["reason"] == (
        "the server asks for a password, and DATABASE_URL holds none"
    )


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("08006", DatabaseUnavailable),  # connection failure
        ("25006", DatabaseUnavailable),  # read-only after a failover
        ("28000", DatabaseUnavailable),  # login refused
        ("40001", DatabaseUnavailable),  # serialization failure
        ("40P01", DatabaseUnavailable),  # deadlock
        ("53300", DatabaseUnavailable),  # too many connections
        ("55P03", DatabaseUnavailable),  # lock not available
        ("57014", DatabaseUnavailable),  # statement time-out
        ("57P01", DatabaseUnavailable),  # shutdown
        ("57P03", DatabaseUnavailable),  # starting up
        ("42P01", DatabaseUnavailable),  # schema not there yet
        ("42501", DatabaseUnavailable),  # rights not there yet
        ("22021", InvalidRequest),  # NUL in a text
        ("22003", InvalidRequest),  # out of range
        ("23514", InvalidRequest),  # check violated
        ("54000", InvalidRequest),  # index row too large
        ("42601", InternalError),  # syntax error
        ("XX000", InternalError),
    ],
)
def test_every_sqlstate_means_one_of_our_faults(state: str, fault: type[ServiceError]) -> None:
    error = pg8000.dbapi.DatabaseError({"C": state, "M": "select secret from users"})

    fault_told = translate_fault(error)

    assert type(fault_told) is fault
    assert "secret" not in fault_told.message


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (pg8000.dbapi.InterfaceError("Can't create a connection to host db"), DatabaseUnavailable),
        (PoolExhausted("all in use"), DatabaseUnavailable),
        (TimeoutError("timed out"), DatabaseUnavailable),
        (ConnectionResetError(), DatabaseUnavailable),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), InvalidRequest),
        (InvalidRequest("ours"), InvalidRequest),
        (ValueError("anything"), InternalError),
    ],
)
def test_faults_without_a_sqlstate_are_told_apart(
    error: Exception, fault: type[ServiceError]
) -> None:
    assert type(translate_fault(error)) is fault


def test_on_the_loop_a_connection_in_use_when_the_pool_closes_is_closed_after_its_answer(
    settings: DatabaseSettings, database: TransactionalDatabase
) -> None:
    pool = Database(settings, statements=[PID, SLEEP])

    async def close_in_use() -> int:
        pid = await pool.ask(Query(statement=PID, read=lambda rows: int(rows[0][0])))
        sleep = Query(statement=SLEEP, values={"seconds": "0.5"}, read=len)
        answer = asyncio.create_task(pool.ask(sleep))
        await asyncio.sleep(0.2)
        pool.close()
        await answer
        return pid

    assert_ends(database, asyncio.run(close_in_use()))


def test_the_loop_asks_many_questions_over_few_connections(plain: Database) -> None:
    who = Query(statement=PID, read=lambda rows: int(rows[0][0]))

    async def ask_all() -> list[int]:
        return await asyncio.gather(*(plain.ask(who) for _ in range(200)))

    assert 1 < len(set(asyncio.run(ask_all()))) <= CONNECTIONS


def test_on_the_loop_a_cut_connection_is_not_noticed_by_callers(
    plain: Database, database: TransactionalDatabase
) -> None:
    async def ask_before_and_after() -> list[str]:
        await asyncio.gather(*(plain.ask(echo("before")) for _ in range(8)))
        await asyncio.to_thread(terminate_others, database)
        return await asyncio.gather(*(plain.ask(echo("after")) for _ in range(8)))

    assert asyncio.run(ask_before_and_after()) == ["after"] * 8


def test_on_the_loop_a_rested_connection_is_tried_before_it_is_used(
    settings: DatabaseSettings, database: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_IDLE_SECONDS", 0.0)
    once = Statement(repeatable=False, sql="select cast(:value as text)")
    pool = Database(settings, statements=[once])
    question = Query(statement=once, values={"value": "x"}, read=len)

    async def ask_before_and_after() -> tuple[int, int]:
        before = await pool.ask(question)
        await asyncio.to_thread(terminate_others, database)
        return before, await pool.ask(question)

    assert asyncio.run(ask_before_and_after()) == (1, 1)
    pool.close()


def test_on_the_loop_half_a_surrogate_pair_does_not_poison_the_next_answer(
    plain: Database,
) -> None:
    async def ask_all() -> list[str]:
        with pytest.raises(InvalidRequest):
            await plain.ask(echo("\ud800"))
        return [await plain.ask(echo(str(n))) for n in range(20)]

    assert asyncio.run(ask_all()) == [str(n) for n in range(20)]


def test_on_the_loop_a_silent_server_does_not_hold_a_caller_nor_the_others(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOCKET_TIMEOUT", 0.3)
    sleep = Query(statement=SLEEP, values={"seconds": 3}, read=len)

    async def ask_both() -> float:
        silent = asyncio.create_task(plain.ask(sleep))
        started = time.monotonic()
        await plain.ask(echo("meanwhile"))
        seconds = time.monotonic() - started
        with pytest.raises(DatabaseUnavailable):
            await silent
        return seconds

    assert asyncio.run(ask_both()) < 0.3
    plain.close()


def test_on_the_loop_the_wait_for_a_connection_ends(
    settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "POOL_TIMEOUT", 0.1)
    pool = Database(replace(settings, connections=1), statements=[ECHO, SLEEP, PID])

    async def ask_both() -> str:
        busy = asyncio.create_task(
            pool.ask(Query(statement=SLEEP, values={"seconds": 1}, read=len))
        )
        await asyncio.sleep(0.05)
        with pytest.raises(DatabaseUnavailable):
            await pool.ask(echo("waits"))
        await busy
        return await pool.ask(echo("after"))

    assert asyncio.run(ask_both()) == "after"
    pool.close()


def test_a_question_that_is_given_up_does_not_leave_its_answer_to_the_next(
    plain: Database,
) -> None:
    async def give_up_and_ask() -> str:
        given_up = asyncio.create_task(
            plain.ask(Query(statement=SLEEP, values={"seconds": 1}, read=len))
        )
        await asyncio.sleep(0.2)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await plain.ask(echo("mine"))

    assert asyncio.run(give_up_and_ask()) == "mine"


def test_a_question_that_is_given_up_while_its_connection_opens_leaves_that_to_the_next(
    settings: DatabaseSettings, kind: type[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = kind(replace(settings, connections=1), statements=[ECHO])
    connect = pool._connect

    def connect_slowly() -> pg8000.dbapi.Connection:
        time.sleep(0.3)
        return connect()

    monkeypatch.setattr(pool, "_connect", connect_slowly)

    async def give_up_and_ask() -> str:
        given_up = asyncio.create_task(pool.ask(echo("never")))
        await asyncio.sleep(0.1)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await pool.ask(echo("mine"))

    assert asyncio.run(give_up_and_ask()) == "mine"
    pool.close()


def test_a_second_use_does_not_open_a_second_connection(
    transactional: TransactionalDatabase,
) -> None:
    pids = set()
    for _ in range(5):
        with transactional.begin() as connection:
            pids.add(connection.execute(text("select pg_backend_pid()")).scalar_one())

    assert len(pids) == 1


def test_threads_the_loop_and_transactions_share_one_pool(settings: DatabaseSettings) -> None:
    pool = TransactionalDatabase(replace(settings, connections=1), statements=[PID])
    pids = []
    for _ in range(3):
        pids.append(pool.run(PID)[0][0])
        with pool.begin() as connection:
            pids.append(connection.exec_driver_sql("select pg_backend_pid()").scalar_one())
        pids.append(ask_in("ask", pool, PID)[0][0])
    pool.close()

    assert len(pids) == 9
    assert len(set(pids)) == 1


@pytest.mark.parametrize("sql", ["select 1", "select 1 / 0"])
def test_after_a_transaction_a_connection_is_in_none_and_in_autocommit(
    transactional: TransactionalDatabase, sql: str
) -> None:
    transactional.warm()
    for _ in range(2):
        taken = transactional._open_pool().take()
        assert (taken.driver.autocommit, taken.driver._transaction_status) == (True, b"I")
        taken.close()
        with contextlib.suppress(ServiceError), transactional.begin() as connection:
            connection.exec_driver_sql(sql)


def test_what_sqlalchemy_asks_of_its_first_connection_is_asked_while_that_is_warmed(
    transactional: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    transactional.warm()
    monkeypatch.setattr(transactional._engine.dialect, "initialize", asked.append)
    with transactional.begin() as connection:
        assert connection.exec_driver_sql("select 1").scalar_one() == 1

    assert asked == []


def test_a_connection_that_sqlalchemy_cannot_begin_with_leaves_its_place_to_the_next(
    settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = TransactionalDatabase(replace(settings, connections=1), statements=[ECHO])

    def fail(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(pool._engine.dialect, "initialize", fail)
        with pytest.raises(DatabaseUnavailable), pool.begin():
            pass
    with pool.begin() as connection:
        assert connection.exec_driver_sql("select 1").scalar_one() == 1
    assert pool.run(ECHO, value="after") == [["after"]]
    pool.close()


def test_a_failed_transaction_leaves_nothing_and_the_pool_in_order(
    transactional: TransactionalDatabase,
) -> None:
    with pytest.raises(ZeroDivisionError), transactional.begin() as connection:  # noqa: PT012
        connection.execute(text("create table gone (n integer)"))
        raise ZeroDivisionError

    with transactional.begin() as connection:
        there = connection.execute(text("select to_regclass('gone')")).scalar_one()
    assert there is None


def test_a_slow_statement_is_logged_without_its_values(
    plain: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database_module, "_SLOW_SECONDS", 0.0)
    with caplog.at_level("WARNING", logger="lib.database.database"):
        plain.run(ECHO, value="private words")

    assert "slow query" in caplog.text
    assert "private" not in caplog.text


def test_warming_opens_a_connection_and_survives_a_missing_database(
    plain: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = []
    connect = plain._connect

    def connect_and_count() -> pg8000.dbapi.Connection:
        opened.append(1)
        return connect()

    monkeypatch.setattr(plain, "_connect", connect_and_count)
    plain._warm_in_background()
    Database(DatabaseSettings(host="127.0.0.1", port=1, user="x")).warm()

    assert "no database yet" in caplog.text
    assert plain.run(ECHO, value="first") == [["first"]]
    assert opened == [1]


def test_a_fork_does_not_talk_on_its_parents_connections(plain: Database) -> None:
    inherited = plain._open_pool()
    plain.run(ECHO, value="before")
    plain._warm_in_background()  # what the hook does in the child

    assert plain.run(ECHO, value="after") == [["after"]]
    assert plain._pool is not inherited
    inherited.dispose()


def test_a_transaction_takes_the_connection_that_is_being_warmed(
    transactional: TransactionalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = transactional._connect

    def connect_slowly() -> pg8000.dbapi.Connection:
        opened.append(1)
        time.sleep(0.2)
        return connect()

    monkeypatch.setattr(transactional, "_connect", connect_slowly)
    transactional._warm_in_background()
    with transactional.begin() as connection:
        assert connection.exec_driver_sql("select 1").scalar_one() == 1

    assert opened == [1]


def test_a_fork_while_all_connections_are_in_use_leaves_none_of_that_to_the_child(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> str:
        sleep = Query(statement=SLEEP, values={"seconds": 1}, read=len)
        busy = [asyncio.create_task(plain.ask(sleep)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0.3)
        monkeypatch.setattr(limits, "POOL_TIMEOUT", 0.2)
        inherited = plain._open_pool()
        plain._warm_in_background()  # what the hook does in the child
        answer = await plain.ask(echo("child"))
        await asyncio.gather(*busy)
        inherited.dispose()
        return answer

    assert asyncio.run(ask()) == "child"


def test_what_the_loop_has_used_is_there_for_threads(
    plain: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_all() -> None:
        questions = (plain.ask(echo(str(n))) for n in range(2 * CONNECTIONS))
        await asyncio.gather(*questions)

    asyncio.run(ask_all())
    monkeypatch.setattr(limits, "POOL_TIMEOUT", 0.2)
    assert plain.run(ECHO, value="from a thread") == [["from a thread"]]


def test_a_connection_that_is_lost_in_a_transaction_is_told_once(
    transactional: TransactionalDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DatabaseUnavailable), transactional.begin() as connection:
        connection.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")

    assert [record.name for record in caplog.records] == ["lib.database.faults"]


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Run a server that the test may stop."""
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
def own_service(
    own_postgres: EmbeddedPostgres, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """Serve every function from that server."""
    own_postgres.create_database("movies")
    url = own_postgres.url("movies")
    empty = TransactionalDatabase(database_settings(url))
    migrate(empty, AdminSettings(username="admin", password=None))
    empty.close()
    database = Database(database_settings(url), statements=[STORE])
    store(database, Movie(imdb_id="tt0111161", title="A Film", type="movie"))
    database.close()
    for name, value in (environment | {"DATABASE_URL": url}).items():
        monkeypatch.setenv(name, value)
    app = gateway.build(Path(gateway.__file__).resolve().parent.parent)
    with held.serving(app) as server, held.client(server.url) as client:
        yield client


@asks("/movies.list")
def test_a_database_that_is_stopped_and_started_under_requests_is_503_and_then_200_again(
    own_service: httpx.Client, own_postgres: EmbeddedPostgres
) -> None:
    seen: list[tuple[float, int]] = []
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            answer = own_service.get("/movies.list")
            seen.append((time.monotonic(), answer.status_code))
            if answer.status_code == 503:
                assert answer.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
                assert int(answer.headers["Retry-After"]) > 0
            time.sleep(0.005)

    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(call) for _ in range(4)]
        time.sleep(0.3)
        own_postgres.stop()
        time.sleep(0.3)
        own_postgres.start()
        started = time.monotonic()
        time.sleep(0.5)
        done.set()
        for ended in calls:
            ended.result()

    statuses = [status for _, status in seen]
    assert statuses[0] == 200
    assert set(statuses) == {200, 503}
    assert {status for moment, status in seen if moment > started + 0.2} == {200}


@asks("/movies.list")
@pytest.mark.parametrize("path", ["/movies.list", "/movies.get?imdb_id=tt0111161"])
def test_without_a_database_reads_are_503_and_bad_requests_still_400(
    own_service: httpx.Client, own_postgres: EmbeddedPostgres, path: str
) -> None:
    assert own_service.get(path).status_code == 200
    own_postgres.stop()

    unavailable = own_service.get(path)
    refused = own_service.get("/movies.list?page=0")
    options = own_service.options(path)

    assert unavailable.status_code == 503
    assert unavailable.headers["Cache-Control"] == "no-store"
    assert (refused.status_code, options.status_code) == (400, 204)


@asks("/movies.create", "/movies.list")
def test_a_write_that_meets_a_restart_is_told_and_not_half_done(
    own_service: httpx.Client, own_postgres: EmbeddedPostgres
) -> None:
    own_service.post("/movies.create", json={"title": "Casablanca"})
    own_postgres.kill()
    failed = own_service.post("/movies.create", json={"title": "Psycho", "year": 1960})
    own_postgres.start()
    created = own_service.post("/movies.create", json={"title": "Psycho", "year": 1960})

    assert failed.status_code == 503
    assert created.status_code == 201
    total: Any = own_service.get("/movies.list").json()["pagination"]["total_records"]
    assert total == 3


@asks("/movies.create")
def test_the_first_write_after_a_restart_does_not_notice_it(
    own_service: httpx.Client, own_postgres: EmbeddedPostgres
) -> None:
    assert own_service.post("/movies.create", json={"title": "Casablanca"}).status_code == 201
    own_postgres.stop()
    own_postgres.start()
    created = own_service.post("/movies.create", json={"title": "Psycho", "year": 1960})

    assert created.status_code == 201
