"""How many requests one process answers, against what does less behind the same framework.

The floor asks the database `select 1`, from a thread. The limit asks the very statement of a read,
by a driver that is written in C, and does nothing else. Addresses are spread, so that hardly two of
those that are asked at once are equal, or it is one page that all want: who asks for that together
is answered together.
"""

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lib.catalogue import movies
from lib.database.statement import Query
from local.bench import catalogue, rivals
from local.bench.calling import (
    ask_beside,
    ask_repeatedly,
    make_get_requests,
    make_page_requests,
    request,
)
from local.bench.laboratory import MANY, Laboratory
from local.bench.processes import cpu_seconds
from local.bench.report import Measure, Report, Value, in_turn
from local.bench.serving import Served, Subject, ours, serve

CONNECTIONS: Final = 16
LOADS: Final = (1, CONNECTIONS, 64, 256)
HOT_LOADS: Final = (CONNECTIONS, 64, 256)
ROUNDS: Final = 5
SECONDS: Final = 1.2
HOT: Final = request("/movies.list")


@dataclass(frozen=True, kw_only=True)
class Load:
    """Requests that go round and round, and who is asked.

    Attributes:
        busy: How much of a CPU those took who asked, each time.
        used: Seconds of a CPU that the function took for an answer, each time.
        refused: How long those waited that were answered 503: there was no connection for them.
    """

    where: Served
    requests: Iterator[bytes]
    busy: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def rate(self, connections: int) -> float:
        """Let so many ask for a while; return how many were answered a second."""
        began, by_function = time.process_time(), cpu_seconds(self.where.pid)
        took = ask_repeatedly(
            self.where.port,
            self.requests,
            seconds=SECONDS,
            connections=connections,
            refused=self.refused,
        )
        self.busy.append((time.process_time() - began) / SECONDS)
        self.used.append((cpu_seconds(self.where.pid) - by_function) / len(took))
        return len(took) / SECONDS

    def measure(self, connections: int) -> Measure:
        """Return what measures the rate of so many."""
        return lambda: [self.rate(connections)]


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure rates against floor and limit, then what more callers and other callers do."""
    with contextlib.ExitStack() as stack:
        loads = _serve_all(stack, laboratory)
        rates = _measure_rates(loads, report)
        _compare_with_the_limit(loads, rates, report)
        _measure_loads(loads, report)
        _measure_latencies(loads, report)
        # Of so many callers some are, where others have the machine for seconds.
        refused = sum(len(load.refused) for load in loads.values())
        report.add("answered 503", refused, "in all")
        busy = max(share for load in loads.values() for share in load.busy)
        report.add("callers: of one CPU, at the most", busy * 100, "%")


def _serve_all(stack: contextlib.ExitStack, laboratory: Laboratory) -> dict[str, Load]:
    variables = laboratory.variables(laboratory.many)
    settings = laboratory.settings(laboratory.many)
    catalogue.warm(settings)
    some = catalogue.sample(settings, MANY)
    by_title, by_id = (
        make_get_requests("title", some.titles),
        make_get_requests("imdb_id", some.ids),
    )

    def serve_one(subject: Subject) -> Served:
        return stack.enter_context(serve(subject, variables))

    def load(where: Served, requests: Sequence[bytes]) -> Load:
        return Load(where=where, requests=itertools.cycle(requests))

    def bare(queries: Sequence[Query[Any]]) -> Load:
        return load(serve_one(rivals.bare(queries[0])), rivals.make_bare_requests(queries))

    on_list, on_get = serve_one(ours("movies_list")), serve_one(ours("movies_get", by_id[0]))
    pages = [page(number) for number in some.pages]
    loads = {
        "floor": load(serve_one(rivals.floor(laboratory.scratch_folder)), [request("/")]),
        "movies.list": load(on_list, [HOT]),
        "movies.list, spread": load(on_list, make_page_requests(some.pages)),
        "movies.get by title": load(on_get, by_title),
        "movies.get by id": load(on_get, by_id),
        "asyncpg, spread": bare(pages),
        "asyncpg, by title": bare(
            [movies.find_by_title(title, year=None) for title in some.titles]
        ),
        "asyncpg, by id": bare([movies.find_by_id(some_id) for some_id in some.ids]),
    }
    hot = rivals.make_bare_requests([page(1)])
    loads["asyncpg"] = load(loads["asyncpg, spread"].where, hot)
    return loads


def page(number: int) -> Query[Any]:
    """Ask for a page as `movies.list` does."""
    skipped = (number - 1) * catalogue.PAGE
    return movies.find_page_at(skipped=skipped, records=catalogue.PAGE)


def _measure_rates(loads: dict[str, Load], report: Report) -> dict[str, float]:
    about = f"{CONNECTIONS} connections, {MANY:,} movies"
    report.begin(f"Throughput: requests a second to one process, {about}")
    for load in loads.values():
        ask_repeatedly(load.where.port, load.requests, seconds=0.5, connections=CONNECTIONS)
    rates = in_turn(
        {name: load.measure(CONNECTIONS) for name, load in loads.items()}, rounds=ROUNDS
    )
    for name in ("floor", "movies.list", "movies.get by title", "movies.get by id"):
        report.add(name, rates[name], "/s", against=("floor", rates["floor"]))
    return rates


def _compare_with_the_limit(
    loads: dict[str, Load], rates: dict[str, float], report: Report
) -> None:
    about = f"{CONNECTIONS} connections, {catalogue.SAMPLED:,} addresses"
    report.begin(f"Throughput against the same statement asked by bare asyncpg, {about}")
    compared = {
        "lists, spread pages": ("movies.list, spread", "asyncpg, spread"),
        "lists, one hot page": ("movies.list", "asyncpg"),
        "single movies, by title": ("movies.get by title", "asyncpg, by title"),
        "single movies, by id": ("movies.get by id", "asyncpg, by id"),
    }
    for name, (here, there) in compared.items():
        parts = {
            "CPU by asyncpg": Value(statistics.median(loads[there].used) * 1e3, "ms"),
            "CPU here": Value(statistics.median(loads[here].used) * 1e3, "ms"),
            "by asyncpg": Value(rates[there], "/s"),
            "here": Value(rates[here], "/s"),
        }
        report.add_parts(name, parts, against=("asyncpg", rates[there]))


def _measure_loads(loads: dict[str, Load], report: Report) -> None:
    report.begin("Throughput: more and more connections, spread pages and one hot page")
    spread, hot = loads["movies.list, spread"], loads["movies.list"]
    rates = in_turn(
        {
            **{f"spread {count}": spread.measure(count) for count in LOADS},
            **{f"hot {count}": hot.measure(count) for count in HOT_LOADS},
        },
        rounds=ROUNDS,
    )
    base = (f"{CONNECTIONS} connections", rates[f"spread {CONNECTIONS}"])
    for count in LOADS:
        name = f"movies.list, {count} connection{'s' * (count != 1)}"
        report.add(name, rates[f"spread {count}"], "/s", against=base)
    for count in HOT_LOADS:
        name = f"movies.list, one hot page, {count}"
        report.add(name, rates[f"hot {count}"], "/s", against=("spread", rates[f"spread {count}"]))


def _measure_latencies(loads: dict[str, Load], report: Report) -> None:
    spread = loads["movies.list, spread"]
    port = spread.where.port
    took = ask_repeatedly(port, spread.requests, seconds=3 * SECONDS, connections=CONNECTIONS)
    cuts = statistics.quantiles(took, n=100)
    median = ("median", cuts[49] * 1e3)
    report.add(f"movies.list, median at {CONNECTIONS}", cuts[49] * 1e3, "ms")
    report.add(
        f"movies.list, 99th percentile at {CONNECTIONS}", cuts[98] * 1e3, "ms", against=median
    )

    def beside_others(others: Iterator[bytes]) -> Measure:
        return lambda: ask_beside(port, [HOT], others, seconds=SECONDS, connections=CONNECTIONS)

    beside = in_turn(
        {"page 1": beside_others(itertools.cycle([HOT])), "any": beside_others(spread.requests)},
        rounds=ROUNDS,
    )
    report.add(
        f"page 1 beside {CONNECTIONS} callers of any page",
        beside["any"] * 1e3,
        "ms",
        against=("beside as many of page 1", beside["page 1"] * 1e3),
    )
