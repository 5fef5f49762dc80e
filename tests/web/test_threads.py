"""Work in threads: how many at once, how long anybody waits, and for whom nothing is begun."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from lib import limits
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.database.transactions import TransactionalDatabase
from lib.web import endpoint, threads
from lib.web.inputs import Input, Inputs
from lib.web.rules import Text
from local import gateway
from local.environment import ROOT
from local.servers import Server
from tests.misbehaving_server import MisbehavingServer
from tests.support import ECHO, asks, echo

AT_ONCE = limits.HANDLER_THREADS
SLEEP = Statement(repeatable=True, sql="select pg_sleep(cast(:seconds as double precision))")
MEMBERS = Inputs({"title": Input(rule=Text(longest=100), about="What to work on.")})


class Work:
    """Work that lasts until it may end, and knows who began it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.stored: list[str] = []
        self.may_end = threading.Event()

    def fetch(self, title: str) -> str:
        """Take as long as the test wants."""
        self.begun.append(title)
        self.may_end.wait(10)
        self.ended.append(title)
        return title

    def fetch_and_store(self, title: str) -> None:
        """Fetch, and keep what was fetched."""
        self.stored.append(self.fetch(title))

    async def serve(self, request: endpoint.Request) -> endpoint.Answer:
        """Do so once for all who ask at once."""
        title = request.body["title"]
        await threads.once_at_a_time(title, lambda: self.fetch_and_store(title))
        return endpoint.data(title, status=201)


@pytest.fixture
def work() -> Iterator[Work]:
    """Return work whose end the test decides on."""
    work = Work()
    yield work
    work.may_end.set()


@pytest.fixture
def served(work: Work, capsys: pytest.CaptureFixture[str]) -> Iterator[Server]:  # noqa: ARG001
    """Serve that work; what is logged is captured, as it is read where the log begins."""
    handler = endpoint.endpoint("POST", members=MEMBERS, body="required")(work.serve)
    with Server(Starlette(routes=[Route("/", handler, methods=["POST"])])) as server:
        yield server
        work.may_end.set()


@contextlib.contextmanager
def callers(server: Server, path: str, titles: list[str]) -> Iterator[None]:
    """Ask for each title, and leave without an answer at the end."""
    asking = []
    for title in titles:
        body = b'{"title": "%s"}' % title.encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        wire = socket.create_connection(("127.0.0.1", server.port))
        wire.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        asking.append(wire)
    yield
    for wire in asking:
        wire.close()


def eventually(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def ask(server: Server, title: str) -> httpx.Response:
    return httpx.post(server.url, json={"title": title}, timeout=12)


def test_so_many_are_at_work_at_once_and_who_waits_too_long_is_told_when_to_return(
    served: Server, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TURN_TIMEOUT", 0.3)
    with callers(served, "/", [f"film {n}" for n in range(AT_ONCE)]):
        assert eventually(lambda: len(work.begun) == AT_ONCE)
        started = time.monotonic()
        refused = ask(served, "one more")

    assert 0.2 < time.monotonic() - started < 2
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "OVERLOADED")
    assert int(refused.headers["Retry-After"]) > 0
    assert "one more" not in work.begun


def test_who_waits_begins_in_the_order_of_arrival(served: Server, work: Work) -> None:
    titles = [f"film {n:02}" for n in range(3 * AT_ONCE)]
    with callers(served, "/", titles[:AT_ONCE]):
        assert eventually(lambda: len(work.begun) == AT_ONCE)
        with contextlib.ExitStack() as others:
            for title in titles[AT_ONCE:]:
                others.enter_context(callers(served, "/", [title]))
                time.sleep(0.01)
            work.may_end.set()
            assert eventually(lambda: len(work.stored) == len(titles))

    # Threads that take their work at the same moment may note it the other way round.
    assert work.begun.index(titles[AT_ONCE]) < work.begun.index(titles[-1])


def test_work_whose_caller_has_left_is_not_begun_and_what_was_begun_is_finished_and_kept(
    served: Server,
    work: Work,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = [f"film {n}" for n in range(AT_ONCE)]
    with callers(served, "/", first):
        assert eventually(lambda: len(work.begun) == AT_ONCE)
        with callers(served, "/", [f"never {n}" for n in range(50)]):
            time.sleep(0.2)
    time.sleep(0.1)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(ask, served, "next")
        time.sleep(0.1)
        work.may_end.set()
        assert answer.result().status_code == 201

    assert eventually(lambda: set(work.stored) == {*first, "next"})
    assert set(work.begun) == {*first, "next"}
    assert capsys.readouterr().out == ""
    assert caplog.text == ""  # asyncio says there what nobody has asked about


def test_work_for_several_is_begun_while_one_of_them_is_there(served: Server, work: Work) -> None:
    with callers(served, "/", [f"film {n}" for n in range(AT_ONCE)]):
        assert eventually(lambda: len(work.begun) == AT_ONCE)
        with ThreadPoolExecutor(1) as thread:
            with callers(served, "/", ["shared"] * 20):
                time.sleep(0.1)
                answer = thread.submit(ask, served, "shared")
                time.sleep(0.1)
            time.sleep(0.1)
            work.may_end.set()
            assert answer.result().status_code == 201

    assert work.begun.count("shared") == 1


def test_what_many_asked_for_is_stored_once_when_all_have_left(served: Server, work: Work) -> None:
    with callers(served, "/", ["shared"] * 20):
        assert eventually(lambda: work.begun == ["shared"])
        time.sleep(0.1)
    time.sleep(0.1)
    work.may_end.set()
    assert ask(served, "next").status_code == 201

    assert work.stored == ["shared", "next"]


def test_who_joins_when_all_others_have_left_is_served(served: Server, work: Work) -> None:
    with callers(served, "/", [f"film {n}" for n in range(AT_ONCE)]):
        assert eventually(lambda: len(work.begun) == AT_ONCE)
        with callers(served, "/", ["shared"] * 3):
            time.sleep(0.1)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(ask, served, "shared")
            time.sleep(0.1)
            work.may_end.set()
            assert answer.result().status_code == 201


def test_a_piece_that_is_given_up_frees_its_turn_only_when_it_ends() -> None:
    work = Work()

    async def give_up_and_ask() -> tuple[int, str]:
        given_up = [
            asyncio.create_task(threads.in_thread(work.fetch, str(n))) for n in range(AT_ONCE)
        ]
        while len(work.begun) < AT_ONCE:  # noqa: ASYNC110  threads set no event of the loop's
            await asyncio.sleep(0.01)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        asked = asyncio.create_task(threads.in_thread(work.fetch, "next"))
        await asyncio.sleep(0.1)
        begun_early = len(work.begun)
        work.may_end.set()
        return begun_early, await asked

    assert asyncio.run(give_up_and_ask()) == (AT_ONCE, "next")


@asks("/movies.create")
def test_the_next_caller_is_answered_though_two_hundred_left_while_omdb_hangs(
    environment: dict[str, str],
    database: TransactionalDatabase,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with MisbehavingServer(lambda peer: peer.hang()) as omdb:
        for name, value in (environment | {"OMDB_URL": omdb.url}).items():
            monkeypatch.setenv(name, value)
        with Server(gateway.build(ROOT)) as server:
            started = time.monotonic()
            with callers(server, "/movies.create", [f"Film {n}" for n in range(200)]):
                time.sleep(0.5)
            left = time.monotonic()
            answer = httpx.post(f"{server.url}/movies.create", json={"title": "Next"}, timeout=12)
            answered = time.monotonic()

    assert left - started < 5
    assert answered - left < 12
    assert answer.status_code in {201, 503, 504}
    assert 1 <= len(omdb.requests) <= 16
    logged = capsys.readouterr().out + caplog.text
    assert "OMDb call failed" in logged
    assert "Traceback" not in logged
    assert "unforeseen" not in logged


def test_a_question_whose_caller_left_while_it_waited_is_not_put_to_the_database(
    settings: DatabaseSettings,
) -> None:
    database = Database(settings, statements=[ECHO, SLEEP])
    busy = Query(statement=SLEEP, values={"seconds": "1.3"}, read=len)
    asked: list[str] = []

    async def serve(request: endpoint.Request) -> endpoint.Answer:
        title = request.body["title"]
        if title == "busy":
            asked.append(title)
            await database.ask(busy)
        else:
            asked.append(await database.ask(echo(title)))
        return endpoint.data(title)

    handler = endpoint.endpoint("POST", members=MEMBERS, body="required")(serve)
    app = Starlette(routes=[Route("/", handler, methods=["POST"])])
    with Server(app) as server, callers(server, "/", ["busy"] * AT_ONCE):
        assert eventually(lambda: len(asked) == AT_ONCE)
        with callers(server, "/", ["left"] * 50):
            time.sleep(0.1)
        answer = ask(server, "next")
    database.close()

    assert answer.status_code == 200
    assert asked == ["busy"] * AT_ONCE + ["next"]
