"""`./dev bench`: measure, and print one table."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local.bench import footprint, queues, scale, search, starts, throughput, writes
from local.bench.flame import draw
from local.bench.laboratory import Laboratory, set_up
from local.bench.machine import describe
from local.bench.report import Report, combine
from local.failure import Failure

SECTIONS: Final = MappingProxyType[str, Callable[[Laboratory, Report], None]](
    {
        "throughput": throughput.measure,
        "scale": scale.measure,
        "search": search.measure,
        "writes": writes.measure,
        "footprint": footprint.measure,
        "starts": starts.measure,
        "queues": queues.measure,
    }
)


def run(
    sections: Sequence[str], *, as_json: bool = False, flame: Path | None = None, runs: int = 1
) -> None:
    """Measure these sections, or all of them.

    Args:
        flame: Where to draw a flame graph, instead of measuring.
        runs: How many times; of several the table has medians, and how far ratios went.
    """
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        raise Failure(f"no section {min(unknown)!r}: there are {', '.join(SECTIONS)}")
    if flame is not None and (sections or as_json or runs != 1):
        raise Failure("--flame draws and measures nothing: give it alone")
    if runs < 1:
        raise Failure("--runs must be 1 at least")
    reports: list[Report] = []
    with set_up() as laboratory:
        if flame is not None:
            draw(laboratory, flame)
            return
        machine = describe(laboratory)
        try:
            for _ in range(runs):
                reports.append(Report(machine))
                for name in sections or SECTIONS:
                    SECTIONS[name](laboratory, reports[-1])
        finally:  # what was measured before a fault took minutes
            complete = [one for one in reports if len(one.figures) == len(reports[0].figures)]
            report = combine(complete) if complete else Report(machine)
            print(report.as_json() if as_json else report.as_table())
