"""`./dev bench`: measure, and print one table."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from local.bench import footprint, queues, scale, starts, throughput, writes
from local.bench.flame import draw
from local.bench.laboratory import Laboratory, set_up
from local.bench.report import Report
from local.failure import Failure

SECTIONS: Final = MappingProxyType[str, Callable[[Laboratory, Report], None]](
    {
        "throughput": throughput.measure,
        "scale": scale.measure,
        "writes": writes.measure,
        "footprint": footprint.measure,
        "starts": starts.measure,
        "queues": queues.measure,
    }
)


def run(sections: Sequence[str], *, as_json: bool, flame: Path | None) -> None:
    """Measure these sections, or all of them.

    Args:
        flame: Where to draw a flame graph, instead of measuring.
    """
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        raise Failure(f"no section {min(unknown)!r}: there are {', '.join(SECTIONS)}")
    if flame is not None and (sections or as_json):
        raise Failure("--flame draws and measures nothing: give it alone")
    report = Report()
    with set_up() as laboratory:
        if flame is not None:
            draw(laboratory, flame)
            return
        try:
            for name in sections or SECTIONS:
                SECTIONS[name](laboratory, report)
        finally:  # what was measured before a fault took minutes
            print(report.as_json() if as_json else report.as_table())
