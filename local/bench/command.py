"""`./dev bench`: measure, and print one table."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final

from local.bench import scale, throughput
from local.bench.laboratory import Laboratory, set_up
from local.bench.report import Report

SECTIONS: Final = MappingProxyType[str, Callable[[Laboratory, Report], None]](
    {"throughput": throughput.measure, "scale": scale.measure}
)


def run(sections: Sequence[str], *, as_json: bool) -> None:
    """Measure these sections, or all of them."""
    report = Report()
    with set_up() as laboratory:
        for name in sections or SECTIONS:
            SECTIONS[name](laboratory, report)
    print(report.as_json() if as_json else report.as_table())
