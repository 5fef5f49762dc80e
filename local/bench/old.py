"""`./dev bench`: throughput and start-up as ratios measured in one run.

Ratios, because machines are noisy and differ: each round measures every subject once, one after
the other, and the medians of the rounds are compared. The floor of a read is a function that only
makes one prepared round trip to the same database; that of a start is a function that does nothing.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from lib import movies
from lib.db import Database
from lib.migrations.runner import migrate
from lib.movie import Movie, Rating
from lib.settings import AdminSettings, DatabaseSettings, require
from local.environment import ROOT, prepared
from local.failure import Failure

MOVIES: Final = 1000
CONNECTIONS: Final = 16
ROUNDS: Final = 5
SECONDS: Final = 2.0
STARTS: Final = 9
DATABASE: Final = "bench"

FLOOR: Final = """
import functions_framework.aio
import os, queue
from urllib.parse import urlsplit, unquote
import pg8000.dbapi
from pg8000.native import PreparedStatement
from starlette.responses import Response

url = urlsplit(os.environ["DATABASE_URL"])
idle = queue.SimpleQueue()

def connect():
    connection = pg8000.dbapi.connect(
        url.username, host=url.hostname, port=url.port, database=url.path[1:],
        password=unquote(url.password or ""))
    connection.autocommit = True
    return PreparedStatement(connection, "select 1")

@functions_framework.aio.http
def floor(request):
    try:
        statement = idle.get_nowait()
    except queue.Empty:
        statement = connect()
    rows = statement.run()
    idle.put(statement)
    return Response(b'{"data": %d}' % rows[0][0], media_type="application/json")
"""
HELLO: Final = """
import functions_framework.aio
from starlette.responses import Response

@functions_framework.aio.http
def hello(request):
    return Response(b"hello")
"""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function to be measured: where it is, and how it is asked."""

    name: str
    source: Path
    target: str
    path: str = "/"
    method: str = "GET"
    variables: Mapping[str, str] = field(default_factory=dict)


def run() -> None:
    """Measure, and print one table."""
    with prepared() as environment, tempfile.TemporaryDirectory() as scratch:
        if environment.postgres is None:
            raise Failure("the benchmarks use the embedded database: unset DATABASE_URL")
        if environment.postgres.has_database(DATABASE):
            environment.postgres.drop_database(DATABASE)
        environment.postgres.create_database(DATABASE)
        url = environment.postgres.url(DATABASE)
        variables = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
        _fill(url)
        folder = Path(scratch)
        _print_throughput(folder, variables)
        _print_starts(folder, variables)
        environment.postgres.drop_database(DATABASE)


def _fill(url: str) -> None:
    settings = require(DatabaseSettings, {"DATABASE_URL": url})
    empty = Database(settings, transactions=True)
    migrate(empty, AdminSettings(username="admin", password=None))
    empty.close()
    database = Database(settings, statements=[movies.UPSERT])
    for number in range(MOVIES):
        movies.store(database, _film(number))
    database.close()


def _film(number: int) -> Movie:
    return Movie(
        imdb_id=f"tt{number:07}",
        title=f"The {number * 7919 % MOVIES}th Film of the Séance",
        type="movie",
        year=1950 + number % 75,
        rated="PG-13",
        runtime_minutes=90 + number % 60,
        genres=("Comedy", "Drama"),
        directors=("Ada Director",),
        writers=("Bob Writer", "Cleo Writer"),
        actors=("Dan Actor", "Eve Actor", "Finn Actor"),
        plot="Someone wants something, someone else does not, and in the end it rains. " * 2,
        languages=("English",),
        countries=("United States",),
        awards="3 wins & 5 nominations total",
        poster_url="https://example.org/posters/" + "x" * 90 + ".jpg",
        ratings=(
            Rating(source="Internet Movie Database", value="7.5/10"),
            Rating(source="Metacritic", value="70/100"),
        ),
        metascore=70,
        imdb_rating=7.5,
        imdb_votes=number,
    )


def _print_throughput(folder: Path, variables: Mapping[str, str]) -> None:
    (folder / "floor.py").write_text(FLOOR)
    title = "The%207th%20Film%20of%20the%20S%C3%A9ance"
    subjects = [
        Subject(name="floor", source=folder / "floor.py", target="floor"),
        _ours("movies_list", "/movies.list"),
        _ours("movies_get", f"/movies.get?title={title}", name="movies_get by title"),
        _ours("movies_get", "/movies.get?imdb_id=tt0000007", name="movies_get by id"),
    ]

    def measure(subject: Subject) -> float:
        with _served(subject, variables) as port:
            uvloop.run(_load(port, subject.path, seconds=0.5))
            return uvloop.run(_load(port, subject.path, seconds=SECONDS))

    print(
        f"\nRequests a second, {CONNECTIONS} connections, {MOVIES:,} movies, one process, "
        f"median of {ROUNDS} rounds"
    )
    _print_table(subjects, _rounds(subjects, measure, ROUNDS), unit="/s", scale=1)


def _print_starts(folder: Path, variables: Mapping[str, str]) -> None:
    (folder / "hello.py").write_text(HELLO)
    subjects = [
        Subject(name="hello world", source=folder / "hello.py", target="hello"),
        _ours("brew_coffee", "/brew-coffee", method="POST"),
        _ours("movies_list", "/movies.list"),
        _ours("movies_get", "/movies.get?imdb_id=tt0000007"),
        _ours("movies_create", "/movies.create", method="POST"),
        _ours("movies_delete", "/movies.delete/tt0000007", method="DELETE"),
        _ours("movies_import", "/movies.import", method="POST"),
        _ours("login", "/login", method="POST"),
        _ours("migrate", "/migrate", method="POST"),
    ]

    def measure(subject: Subject) -> float:
        started = time.perf_counter()
        with _served(subject, variables):
            return time.perf_counter() - started

    print(f"\nFrom start to first answer, median of {STARTS} rounds")
    with _through_cloud_sql(variables) as movies_list:
        subjects.append(movies_list)
        _print_table(subjects, _rounds(subjects, measure, STARTS), unit=" ms", scale=1000)


@contextlib.contextmanager
def _through_cloud_sql(variables: Mapping[str, str]) -> Iterator[Subject]:
    """Run the tests' stand-in for Cloud SQL, as the program that it also is."""
    command = [sys.executable, "-m", "tests.cloud_sql.stand_in", variables["DATABASE_URL"]]
    with subprocess.Popen(
        command, env=variables, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as stand_in:
        if stand_in.stdout is None:
            raise Failure("the stand-in for Cloud SQL has no output")
        told = stand_in.stdout.readline()
        if not told:
            raise Failure("the stand-in for Cloud SQL did not start")
        yield Subject(
            name="movies_list, Cloud SQL",
            source=ROOT / "tests" / "cloud_sql" / "launch.py",
            target="movies_list",
            path="/movies.list",
            variables=json.loads(told),
        )
        # Its input ends with the block, and that ends it.


def _ours(target: str, path: str, *, method: str = "GET", name: str | None = None) -> Subject:
    source = ROOT / "functions" / target / "main.py"
    return Subject(name=name or target, source=source, target=target, path=path, method=method)


def _rounds(
    subjects: Sequence[Subject], measure: Callable[[Subject], float], rounds: int
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for _ in range(rounds):
        for subject in subjects:
            figures[subject.name].append(measure(subject))
    return figures


def _print_table(
    subjects: Sequence[Subject], figures: Mapping[str, list[float]], *, unit: str, scale: float
) -> None:
    first = statistics.median(figures[subjects[0].name])
    for subject in subjects:
        median = statistics.median(figures[subject.name])
        print(f"  {subject.name:<22} {median * scale:>8,.0f}{unit} {median / first:>6.2f}")


@contextlib.contextmanager
def _served(subject: Subject, variables: Mapping[str, str]) -> Iterator[int]:
    """Serve a function as it is deployed, until its first answer and for the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("functions-framework")), "--host", "127.0.0.1"]
    command += ["--source", str(subject.source), "--target", subject.target, "--port", str(port)]
    environment = {**variables, **subject.variables}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True)
    try:
        _await_answer(port, subject, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _await_answer(port: int, subject: Subject, process: subprocess.Popen[bytes]) -> None:
    request = f"{subject.method} {subject.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    while process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 10) as wire,
        ):
            wire.sendall(request)
            if wire.recv(64):
                return
        time.sleep(0.002)
    raise Failure(f"{subject.name} did not start")


async def _load(port: int, path: str, *, seconds: float) -> float:
    """Keep every connection busy for a while, and give the requests answered in a second."""
    ends = time.perf_counter() + seconds
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    clients = [_Client(request, ends) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda c=client: c, "127.0.0.1", port) for client in clients)  # type: ignore[misc]
    )
    await asyncio.gather(*(client.done for client in clients))
    return sum(client.answers for client in clients) / seconds


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it was answered.

    Written against the bytes: an HTTP library would take more of the machine than what it measures.
    """

    def __init__(self, request: bytes, ends: float) -> None:
        self._request, self._ends = request, ends
        self._received = b""
        self.answers = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(Failure(f"answered {head.splitlines()[0].decode()}"))
            return
        self._received = b""
        if time.perf_counter() < self._ends:
            self.answers += 1
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(json.dumps(str(exc)) if exc else None)
