"""What the event loop makes of an answer, however it arrives."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, Self

import pytest

from lib import limits
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.errors import DatabaseUnavailable, InvalidRequest
from tests.support import ECHO, echo

ROW: Final = Statement(
    repeatable=True,
    sql="select cast(:text as text), cast(:number as integer), null, true, cast('[1]' as json)",
)
# What Postgres tells between BindComplete and the rows: that a setting changed.
CHANGE: Final = Statement(
    repeatable=True, sql="select set_config('application_name', cast(:name as text), false)"
)
NOTICE: Final = Statement(repeatable=True, sql="drop table if exists there_is_no_such_table")
HALFWAY: Final = Statement(
    repeatable=True,
    sql="select 1 / (3 - number) from generate_series(cast(:first as integer), 5) as number",
)
MANY: Final = Statement(
    repeatable=True,
    sql="select repeat('é', 5000), number from generate_series(1, cast(:rows as integer)) number",
)
STATEMENTS: Final = (ECHO, ROW, CHANGE, NOTICE, HALFWAY, MANY)


class Relay:
    """Stands before Postgres and passes on what both say, as slowly as it is told to.

    Attributes:
        cuts: Where the next answer is cut; each part is sent on its own.
        is_deaf: Whether what the client says is left lying for now.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
        self._wires: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.cuts: list[int] = []
        self.is_deaf = False
        self.answers: list[bytes] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._settings.host, self._settings.port))
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._wires += [near, far]
                for way in (self._pass_questions, self._pass_answers):
                    threading.Thread(target=way, args=(near, far), daemon=True).start()

    def _pass_questions(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                while self.is_deaf:
                    time.sleep(0.01)
                data = near.recv(65536)
                far.sendall(data)
                if not data:
                    return

    def _pass_answers(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                self.answers.append(data)
                cuts, self.cuts = [*self.cuts, len(data)], []
                for begin, end in zip([0, *cuts], cuts, strict=False):
                    near.sendall(data[begin:end])
                    time.sleep(0.002 if len(cuts) > 1 else 0)
            near.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(settings: DatabaseSettings) -> Iterator[Relay]:
    with Relay(settings) as relay:
        yield relay


@pytest.fixture
def slow(relay: Relay, settings: DatabaseSettings) -> Iterator[Database]:
    """Return a database of one connection, which goes through the relay."""
    through = replace(settings, host="127.0.0.1", port=relay.port, connections=1)
    database = Database(through, statements=STATEMENTS)
    yield database
    database.close()


@pytest.fixture
def plain(settings: DatabaseSettings) -> Iterator[Database]:
    database = Database(replace(settings, connections=1), statements=STATEMENTS)
    yield database
    database.close()


def rows(statement: Statement, **values: str | int | None) -> Query[Any]:
    return Query(statement=statement, values=values, read=lambda rows: rows)


def test_an_answer_may_be_cut_at_every_byte(slow: Database, relay: Relay) -> None:
    async def ask() -> None:
        question = rows(ROW, text="é'\\ü", number=-7)
        await slow.ask(question)
        relay.answers.clear()
        expected = await slow.ask(question)
        [answer] = relay.answers
        for cut in range(1, len(answer)):
            relay.cuts = [cut]
            assert await slow.ask(question) == expected, cut
        relay.cuts = list(range(1, len(answer)))
        assert await slow.ask(question) == expected

    asyncio.run(ask())


@pytest.mark.parametrize(
    "question",
    [
        rows(ECHO, value="x" * 1_000_000),
        rows(ECHO, value=None),
        rows(ECHO, value=""),
        rows(ROW, text="é", number=2**31 - 1),
        rows(CHANGE, name="somebody"),
        rows(NOTICE),
        rows(MANY, rows=0),
        rows(MANY, rows=300),
    ],
)
def test_the_loop_reads_what_pg8000_reads(plain: Database, question: Query[Any]) -> None:
    expected = plain.answer(question)
    for _ in range(2):
        assert asyncio.run(plain.ask(question)) == expected
    assert plain.answer(question) == expected


def test_a_fault_in_the_middle_of_an_answer_leaves_nothing_for_the_next(plain: Database) -> None:
    async def ask() -> str:
        with pytest.raises(InvalidRequest):
            await plain.ask(rows(HALFWAY, first=1))
        return await plain.ask(echo("next"))

    assert asyncio.run(ask()) == "next"


def test_a_large_parameter_does_not_hold_up_the_loop(slow: Database, relay: Relay) -> None:
    value = os.urandom(4_000_000).hex()

    async def ask() -> tuple[str, float]:
        await slow.ask(echo("before"))
        relay.is_deaf = True
        asked = asyncio.create_task(slow.ask(echo(value)))
        longest, ends = 0.0, time.monotonic() + 0.5
        while time.monotonic() < ends:
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)
        relay.is_deaf = False
        return await asked, longest

    answer, longest = asyncio.run(ask())
    assert answer == value
    assert longest < 0.4


def test_a_server_that_takes_nothing_does_not_hold_a_caller(
    slow: Database, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> float:
        await slow.ask(echo("before"))
        for wait in ("SOCKET_TIMEOUT", "CONNECT_TIMEOUT"):
            monkeypatch.setattr(limits, wait, 0.3)
        relay.is_deaf = True
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await slow.ask(echo("x" * 20_000_000))
        return time.monotonic() - started

    assert asyncio.run(ask()) < 5
    relay.is_deaf = False


def test_threads_and_the_loop_take_turns_on_one_connection(plain: Database) -> None:
    async def ask() -> list[str]:
        said = []
        for number in range(5):
            said += [await plain.ask(echo(f"loop {number}"))]
            [[word]] = await asyncio.to_thread(plain.run, ECHO, value=str(number))
            said += [word]
        return said

    expected = [word for number in range(5) for word in (f"loop {number}", str(number))]
    assert asyncio.run(ask()) == expected
    assert asyncio.run(ask()) == expected  # another loop


LATE: Final = Statement(repeatable=True, sql="select 'late' where :value::text <> ''")


def test_the_loop_goes_on_while_a_statement_is_prepared(slow: Database, relay: Relay) -> None:
    async def ask() -> tuple[float, list[Any]]:
        await slow.ask(echo("before"))
        relay.is_deaf = True
        await slow.ask(echo("what it waited for already"))
        threading.Timer(0.5, setattr, (relay, "is_deaf", False)).start()
        asked = asyncio.create_task(slow.ask(rows(LATE, value="x")))
        started, longest = time.monotonic(), 0.0
        while not asked.done():
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)
            started = time.monotonic()
        return longest, [await asked, await slow.ask(rows(LATE, value="x"))]

    longest, answers = asyncio.run(ask())
    assert answers == [[["late"]]] * 2
    assert longest < 0.3


def test_who_gives_up_while_a_statement_is_prepared_leaves_the_connection_in_step(
    slow: Database, relay: Relay
) -> None:
    async def ask() -> list[Any]:
        await slow.ask(echo("before"))
        relay.is_deaf = True
        await slow.ask(echo("what it waited for already"))
        asked = asyncio.create_task(slow.ask(rows(LATE, value="x")))
        await asyncio.sleep(0.05)
        asked.cancel()
        next_one = asyncio.create_task(slow.ask(rows(LATE, value="y")))
        await asyncio.sleep(0.05)
        relay.is_deaf = False
        assert isinstance((await asyncio.gather(asked, return_exceptions=True))[0], BaseException)
        return [await next_one, await slow.ask(rows(ROW, text="b", number=2))]

    late, row = asyncio.run(ask())
    assert late == [["late"]]
    assert row[0][:2] == ["b", 2]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  of Linux only, and no folder


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux lists them")  # noqa: PTH112
def test_connections_that_the_loop_has_used_leave_no_file_open(settings: DatabaseSettings) -> None:
    async def use_and_close() -> None:
        database = Database(settings, statements=STATEMENTS)
        await asyncio.gather(*(database.ask(echo(str(number))) for number in range(20)))
        await asyncio.to_thread(database.close)
        await asyncio.sleep(0.05)

    async def use_and_close_on_the_loop() -> None:
        database = Database(settings, statements=STATEMENTS)
        await database.ask(echo("x"))
        database.close()
        await asyncio.sleep(0.05)

    def use_and_close_after_the_loop() -> None:
        database = Database(settings, statements=STATEMENTS)
        asyncio.run(database.ask(echo("x")))
        database.close()

    asyncio.run(use_and_close())
    before = open_files()
    for _ in range(3):
        asyncio.run(use_and_close())
        asyncio.run(use_and_close_on_the_loop())
        use_and_close_after_the_loop()

    assert open_files() <= before


def test_a_connection_that_says_what_nobody_waits_for_does_not_keep_the_loop_busy(
    slow: Database, relay: Relay
) -> None:
    async def rest() -> float:
        await slow.ask(echo("before"))
        relay.__exit__()  # the connection ends while it rests
        started = time.thread_time()
        await asyncio.sleep(0.3)
        return time.thread_time() - started

    assert asyncio.run(rest()) < 0.1
