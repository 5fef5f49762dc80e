"""How many requests one process answers, against a function that only asks the database once."""

import statistics
from typing import Final

from local.bench import catalogue
from local.bench.calling import ask_repeatedly, make_get_requests, request
from local.bench.laboratory import MANY, Laboratory
from local.bench.report import Report, in_turn
from local.bench.serving import Served, Subject, ours, serve

CONNECTIONS: Final = 16
LOADS: Final = (1, CONNECTIONS, 64, 256)
ROUNDS: Final = 5
SECONDS: Final = 1.5

# The floor: the framework in ASGI mode, and one round trip of a prepared statement by pg8000.
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


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure rates at 16 connections against the floor, and the list's at others against that."""
    about = f"{CONNECTIONS} connections, {MANY:,} movies"
    report.begin(f"Throughput: requests a second to one process, {about}")
    variables = laboratory.variables(laboratory.many)
    floor = laboratory.scratch_folder / "floor.py"
    floor.write_text(FLOOR)
    some = catalogue.sample(laboratory.settings(laboratory.many), MANY)
    by_id = make_get_requests("imdb_id", some.ids)
    with (
        serve(Subject(name="floor", source=floor, target="floor"), variables) as on_floor,
        serve(ours("movies_list"), variables) as on_list,
        serve(ours("movies_get", by_id[0]), variables) as on_get,
    ):
        asks = {
            "floor": (on_floor, [request("/")]),
            "movies.list": (on_list, [request("/movies.list")]),
            "movies.get by title": (on_get, make_get_requests("title", some.titles)),
            "movies.get by id": (on_get, by_id),
        }
        for where, requests in asks.values():
            ask_repeatedly(where.port, requests, seconds=0.5, connections=CONNECTIONS)
        rates = in_turn(
            {
                name: lambda where=where, requests=requests: [_rate(where, requests, CONNECTIONS)]  # type: ignore[misc]
                for name, (where, requests) in asks.items()
            },
            rounds=ROUNDS,
        )
        for name, rate in rates.items():
            report.add(name, rate, "/s", against=("floor", rates["floor"]))
        _measure_loads(on_list, report)


def _measure_loads(on_list: Served, report: Report) -> None:
    requests = [request("/movies.list")]
    rates = in_turn(
        {
            str(count): lambda count=count: [_rate(on_list, requests, count)]  # type: ignore[misc]
            for count in LOADS
        },
        rounds=ROUNDS,
    )
    base = (f"{CONNECTIONS} connections", rates[str(CONNECTIONS)])
    for count, rate in rates.items():
        name = f"movies.list, {count} connection{'s' * (count != '1')}"
        report.add(name, rate, "/s", against=base)
    took = ask_repeatedly(on_list.port, requests, seconds=3 * SECONDS, connections=CONNECTIONS)
    cuts = statistics.quantiles(took, n=100)
    median = ("median", cuts[49] * 1e3)
    report.add(f"movies.list, median at {CONNECTIONS}", cuts[49] * 1e3, "ms")
    report.add(
        f"movies.list, 99th percentile at {CONNECTIONS}", cuts[98] * 1e3, "ms", against=median
    )


def _rate(where: Served, requests: list[bytes], connections: int) -> float:
    took = ask_repeatedly(where.port, requests, seconds=SECONDS, connections=connections)
    return len(took) / SECONDS
