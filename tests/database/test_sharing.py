"""Equal questions, asked once for all who wait: what each gets, when, and what is left behind."""

import asyncio
import contextlib
import gc
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from lib import limits
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.sharing import Run, Sharing
from lib.database.statement import Query, Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, MovieNotFound
from lib.web import callers
from lib.web.callers import Caller
from tests.slow_way import SlowWay
from tests.support import ECHO, echo

PLACE = Statement(repeatable=True, sql="select nextval('places')")
FIRST_HANGS = Statement(
    repeatable=True, sql="select case nextval('places') when 1 then pg_sleep(4)::text end"
)
FIRST_IS_CUT = Statement(
    repeatable=True,
    sql="""
        select case place when 1 then pg_terminate_backend(pg_backend_pid()) end, place
        from nextval('places') place
    """,
)
ALL_ARE_CUT = Statement(repeatable=True, sql="select pg_terminate_backend(pg_backend_pid())")
ENOUGH_STEPS = 6  # of the loop, for all that is ready to happen


class Failed(Exception):
    """What a question meets."""


@dataclass(eq=False)
class Question:
    """One that was put, and goes on when the test says so."""

    key: str
    turn: asyncio.Future[None]
    answer: asyncio.Future[int]
    sent: bool = False
    ended: bool = False


@dataclass(eq=False)
class Asker:
    """Somebody who waits: what was written when they asked, how many questions had ended."""

    key: str
    version: int = 0
    ended_before: int = 0
    gave_up: bool = False
    task: asyncio.Task[int] = field(init=False)


@dataclass
class Stage:
    """A sharing, what it shares, and whoever asks, all led by the test."""

    sharing: Sharing = field(default_factory=Sharing)
    version: int = 0
    put: list[Question] = field(default_factory=list)
    askers: list[Asker] = field(default_factory=list)

    async def _put(self, key: str, run: Run) -> int:
        loop = asyncio.get_running_loop()
        question = Question(key, loop.create_future(), loop.create_future())
        self.put.append(question)
        try:
            await question.turn
            run.note_sent()
            question.sent, read = True, self.version
            return read + await question.answer
        finally:
            question.ended = True

    def under_way(self, key: str) -> list[Question]:
        """Return the questions that were put and have not ended."""
        return [one for one in self.put if one.key == key and not one.ended]

    def ended(self, key: str) -> int:
        """Return how many questions have ended."""
        return sum(one.ended for one in self.put if one.key == key)

    def ask(self, key: str) -> None:
        """Have somebody ask."""

        async def ask() -> int:
            asker.version, asker.ended_before = self.version, self.ended(key)
            return await self.sharing.ask(key, lambda run: self._put(key, run))

        asker = Asker(key)
        asker.task = asyncio.ensure_future(ask())
        self.askers.append(asker)

    def step(self, act: str, key: str, number: int) -> None:
        """Do one thing."""
        open_ones = self.under_way(key)
        waiting = [one for one in self.askers if one.key == key and not one.task.done()]
        if act == "ask":
            self.ask(key)
        elif act == "write":
            self.version += 1
        elif act == "give up" and waiting:
            chosen = waiting[number % len(waiting)]
            chosen.gave_up = True
            chosen.task.cancel()
        elif open_ones and act == "send" and not open_ones[0].turn.done():
            open_ones[0].turn.set_result(None)
        elif open_ones and act in {"answer", "fail"}:
            future = open_ones[0].answer
            if open_ones[0].sent and not future.done():
                settle_it = future.set_result if act == "answer" else future.set_exception
                settle_it(0 if act == "answer" else Failed())  # type: ignore[arg-type]

    def check(self) -> None:
        """Hold what is promised: the database hears one at a time, nobody gets what is older."""
        for key in "ab":
            assert len(self.under_way(key)) <= 1
        for one in self.askers:
            if one.task.done() and not one.gave_up and not one.task.exception():
                assert one.task.result() >= one.version
            if not one.task.done():
                given_up = sum(other.gave_up for other in self.askers if other.key == one.key)
                assert self.ended(one.key) - one.ended_before <= 1 + given_up

    async def end(self) -> None:
        """Answer all that is still under way."""
        await settle()
        for _ in self.askers:
            for act in ("send", "answer"):
                self.step(act, "a", 0)
                self.step(act, "b", 0)
                await settle()
                self.check()
        assert all(one.task.done() for one in self.askers)


async def settle() -> None:
    for _ in range(ENOUGH_STEPS):
        await asyncio.sleep(0)


STEPS = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "write", "send", "send", "answer", "fail", "give up"]),
    st.sampled_from("ab"),
    st.integers(0, 5),
    st.booleans(),
)


@given(st.lists(STEPS, min_size=30, max_size=80))
def test_whatever_happens_in_whatever_order_nobody_gets_what_was_read_before_they_asked(
    steps: list[tuple[str, str, int, bool]],
) -> None:
    async def play() -> Stage:
        stage = Stage()
        for act, key, number, is_settled in steps:
            stage.step(act, key, number)
            if is_settled:
                await settle()
                stage.check()
        await stage.end()
        return stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "EQUAL_TIMEOUT", 60.0)  # however busy this machine is
        stage = asyncio.run(play())

    assert all(one.task.cancelled() for one in stage.askers if one.gave_up)
    for one in stage.askers:
        if not one.gave_up:
            assert isinstance(one.task.exception(), Failed | None)
    assert not stage.sharing._newest


@pytest.fixture
def places(database: TransactionalDatabase) -> Iterator[Callable[[], int]]:
    """Tell how many places were taken, each by a statement that was run."""
    with database.begin() as connection:
        connection.execute(text("create sequence places"))

    def count() -> int:
        with database.begin() as connection:
            told: int = connection.execute(
                text("select case when is_called then last_value else 0 end from places")
            ).scalar_one()
        return told

    yield count
    with database.begin() as connection:
        connection.execute(text("drop sequence places"))


@contextlib.contextmanager
def opened(settings: DatabaseSettings, *statements: Statement) -> Iterator[Database]:
    """Open a pool of the test's own, with a connection that rests in it."""
    database = Database(settings, statements=[ECHO, *statements])
    database.run(ECHO, value="to open it")
    yield database
    database.close()


@contextlib.contextmanager
def asking(settings: DatabaseSettings, statement: Statement) -> Iterator[Callable[[int], Any]]:
    """Ask one question so many times at once; return what each got, and when."""
    database = Database(settings, statements=[statement])
    query = Query(statement=statement, read=lambda rows: rows[0][-1])

    async def one() -> tuple[object, float]:
        started = time.monotonic()
        try:
            got = await database.ask_together(query)
        except DatabaseUnavailable as error:
            got = error
        return got, time.monotonic() - started

    async def all_of_them(count: int) -> list[tuple[object, float]]:
        return await asyncio.gather(*(one() for _ in range(count)))

    yield lambda count: asyncio.run(all_of_them(count))
    database.close()


def test_a_hundred_who_ask_at_once_are_answered_by_two_statements(
    settings: DatabaseSettings, places: Callable[[], int]
) -> None:
    with asking(settings, PLACE) as ask:
        got = [answer for answer, _ in ask(100)]

    assert got == [1] + [2] * 99
    assert places() == 2


def test_a_connection_that_is_cut_under_way_costs_nobody_the_answer(
    settings: DatabaseSettings, places: Callable[[], int]
) -> None:
    with asking(settings, FIRST_IS_CUT) as ask:
        got = [answer for answer, _ in ask(20)]

    assert got == [2] + [3] * 19
    assert places() == 3


def test_who_shares_a_fault_is_told_so_each_and_the_next_question_is_put(
    settings: DatabaseSettings,
) -> None:
    with asking(settings, ALL_ARE_CUT) as ask:
        faults = [fault for fault, _ in ask(20)]
        assert ask(1)

    assert all(isinstance(fault, DatabaseUnavailable) for fault in faults)


@pytest.mark.usefixtures("places")
def test_a_question_that_hangs_holds_up_who_comes_after_it_for_a_moment_only(
    settings: DatabaseSettings,
) -> None:
    with asking(settings, FIRST_HANGS) as ask:
        waited = [seconds for _, seconds in ask(20)]

    assert waited[0] >= 4
    assert max(waited[1:]) < limits.EQUAL_TIMEOUT + 1.5


def test_those_who_give_up_take_the_answer_from_nobody(settings: DatabaseSettings) -> None:
    async def ask_and_leave(database: Database) -> list[str | BaseException]:
        asking = [asyncio.create_task(database.ask_together(echo("x"))) for _ in range(9)]
        await settle()
        for task in asking[::2]:  # the first among them, whose question is on the wire
            task.cancel()
        return await asyncio.gather(*asking, return_exceptions=True)

    with SlowWay(settings.port) as way, opened(replace(settings, port=way.port)) as database:
        way.seconds = 0.2
        got = asyncio.run(ask_and_leave(database))

    assert [isinstance(one, asyncio.CancelledError) for one in got] == [True, False] * 4 + [True]
    assert got[1::2] == ["x"] * 4


def test_what_all_have_given_up_leaves_nothing_and_says_nothing(
    settings: DatabaseSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask_and_leave(database: Database, query: Query[str]) -> list[str]:
        asking = [asyncio.create_task(database.ask_together(query)) for _ in range(9)]
        await asyncio.sleep(0.3)  # the first is answered, and the question of the others is put
        for task in asking[1:]:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        while database._sharing._newest:  # noqa: ASYNC110  nobody tells us that it is answered
            await asyncio.sleep(0.01)
        return [await database.ask_together(echo("after"))]

    def refuse(_: object) -> str:
        raise MovieNotFound("There is none.")

    with SlowWay(settings.port) as way, opened(replace(settings, port=way.port)) as database:
        way.seconds = 0.2
        assert asyncio.run(ask_and_leave(database, echo("x"))) == ["after"]
        assert asyncio.run(ask_and_leave(database, echo("x").then(refuse))) == ["after"]
        assert not database._sharing._newest
    gc.collect()  # when asyncio complains of faults that nobody has heard of

    assert caplog.text == ""


def test_a_fault_that_many_share_grows_with_none_of_them() -> None:
    depths: list[int] = []
    chained: list[BaseException | None] = []

    async def fail(run: Run) -> str:
        run.note_sent()
        await asyncio.sleep(0.01)
        raise MovieNotFound("There is none.")

    async def ask(sharing: Sharing) -> None:
        try:
            await sharing.ask("a question", fail)
        except MovieNotFound as error:
            depths.append(len(list(traceback.walk_tb(error.__traceback__))))
            chained.append(error.__context__)

    async def ask_all() -> None:
        sharing = Sharing()
        await asyncio.gather(*(ask(sharing) for _ in range(500)))

    asyncio.run(ask_all())

    assert len(depths) == 500
    assert max(depths) <= 8


def test_whose_turn_comes_late_is_not_put_when_all_who_asked_have_left(
    settings: DatabaseSettings, places: Callable[[], int]
) -> None:
    async def left() -> bool:
        return True

    async def stays() -> bool:
        return False

    async def ask(database: Database, has_left: Callable[[], Awaitable[bool]]) -> object:
        callers.current.set(Caller(has_left))
        query = Query(statement=PLACE, read=lambda rows: rows[0][0])
        try:
            return await database.ask_together(query)
        except callers.ClientDisconnect:
            return "left"

    async def ask_all(database: Database) -> list[object]:
        first = asyncio.create_task(ask(database, stays))  # has the only seat
        await asyncio.sleep(0.1)
        blocking = asyncio.create_task(database.ask(echo("for longer than a caller waits")))
        await settle()
        gone = [asyncio.create_task(ask(database, left)) for _ in range(5)]
        await asyncio.sleep(0)
        got = await asyncio.gather(first, *gone)
        await blocking
        return [*got, await ask(database, stays)]

    with (
        SlowWay(settings.port) as way,
        opened(replace(settings, port=way.port, connections=1), PLACE) as database,
    ):
        way.seconds = 1.2
        got = asyncio.run(ask_all(database))

    assert got == [1] + ["left"] * 5 + [2]
    assert places() == 2


def test_two_loops_share_nothing(settings: DatabaseSettings, places: Callable[[], int]) -> None:
    with asking(settings, PLACE) as ask:
        assert [ask(3), ask(3)]

    assert places() == 4
