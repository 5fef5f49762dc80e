"""What one process answers to more and more callers, and what the simulated queues make of it.

The simulation is told how long a read ran in function, database and caller in the very round that
it is compared with, and waited for a processor that others had. How many are answered a second,
and how long each takes, it has to find by itself.
"""

import itertools
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from local.bench import catalogue
from local.bench.calling import ask_repeatedly, make_get_requests, make_page_requests
from local.bench.laboratory import MANY, Laboratory
from local.bench.processes import Schedule, own_schedule, schedule
from local.bench.report import Report, Value
from local.bench.serving import Served, ours, serve
from local.failure import Failure
from local.scaling.queues import Outcome, Read, System, simulate_callers
from local.scaling.sizing import CONNECTIONS

CALLERS: Final = (1, 4, 16, 64)
ROUNDS: Final = 5
SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was measured, and what is simulated with the same use of the processors.

    Attributes:
        rate: Answers a second; `median` is how long one took.
        ran: How long a read ran in each part, its wait for a processor that others had included.
    """

    rate: float
    median: float
    ran: Read
    simulated: Outcome


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure lists and single films, and put beside each what the simulation says."""
    if sys.platform != "linux":
        raise Failure("queues can only be measured on Linux: name the other sections")
    report.begin(f"Queues: one process and its callers, measured and simulated, {MANY:,} movies")
    variables = laboratory.variables(laboratory.many)
    settings = laboratory.settings(laboratory.many)
    catalogue.warm(settings)
    some = catalogue.sample(settings, MANY)
    gets = make_get_requests("title", some.titles)
    with (
        serve(ours("movies_list"), variables) as on_list,
        serve(ours("movies_get", gets[0]), variables) as on_get,
    ):
        # Spread: equal ones would be asked once for several callers, which is not simulated.
        lists = make_page_requests(some.pages)
        asks = {
            "movies.list": (on_list, itertools.cycle(lists)),
            "movies.get": (on_get, itertools.cycle(gets)),
        }
        rounds: dict[str, list[Round]] = {}
        for _ in range(ROUNDS):
            for name, (where, requests) in asks.items():
                for callers in CALLERS:
                    one = measure_round(laboratory, where, requests, callers)
                    rounds.setdefault(f"{name}, callers: {callers}", []).append(one)
    for name, several in rounds.items():
        _tell(name, several, report)


def measure_round(
    laboratory: Laboratory, where: Served, requests: Iterable[bytes], callers: int
) -> Round:
    """Let so many callers ask for a while, and simulate the same."""

    def schedules() -> list[Schedule]:
        return [schedule(where.pid), schedule(laboratory.postgres.pid), own_schedule()]

    before = schedules()
    took = ask_repeatedly(where.port, requests, seconds=SECONDS, connections=callers)
    each = list(zip(before, schedules(), strict=True))
    function, database, caller = (
        (end.on - begin.on + end.waiting - begin.waiting) / len(took) for begin, end in each
    )
    ran = Read(function_cpu=function, database_cpu=database, network=caller)
    system = System(instances=1, connections=CONNECTIONS, database_cpus=CONNECTIONS)
    return Round(
        rate=len(took) / SECONDS,
        median=statistics.median(took),
        ran=ran,
        simulated=simulate_callers(ran, system, callers=callers, requests=5_000),
    )


def _tell(name: str, rounds: list[Round], report: Report) -> None:
    def value(number: float, unit: str) -> Value:
        return Value(number * (1e3 if unit == "ms" else 1), unit)

    median = statistics.median
    report.add_parts(
        name,
        {
            "ran in function": value(median(one.ran.function_cpu for one in rounds), "ms"),
            "in database": value(median(one.ran.database_cpu for one in rounds), "ms"),
            "at the caller": value(median(one.ran.network for one in rounds), "ms"),
            "measured": value(median(one.rate for one in rounds), "/s"),
            "simulated": value(median(one.simulated.rate for one in rounds), "/s"),
            "median": value(median(one.median for one in rounds), "ms"),
            "as simulated": value(median(one.simulated.percentile(50) for one in rounds), "ms"),
        },
    )
