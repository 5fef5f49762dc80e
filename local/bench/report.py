"""What was measured, as one table for people or as JSON for machines."""

import dataclasses
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        ratio: The value against that of the line which `against` names; None where it stands alone.
    """

    section: str
    name: str
    value: float
    unit: str
    against: str | None = None
    ratio: float | None = None


class Report:
    """The figures of a run, in the order they were measured."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self._section = ""

    def begin(self, section: str) -> None:
        """Begin a part of the table, and tell who waits for it."""
        self._section = section
        print(f"{section} ...", file=sys.stderr, flush=True)

    def add(
        self, name: str, value: float, unit: str, *, against: tuple[str, float] | None = None
    ) -> None:
        """Add a line.

        Args:
            against: The name and the value of what it is compared with.
        """
        figure = Figure(section=self._section, name=name, value=value, unit=unit)
        if against is not None:
            base, base_value = against
            figure = dataclasses.replace(figure, against=base, ratio=value / base_value)
        self.figures.append(figure)

    def as_json(self) -> str:
        """Give every figure, unrounded."""
        return json.dumps([dataclasses.asdict(figure) for figure in self.figures], indent=1)

    def as_table(self) -> str:
        """Give the table, a heading for each section."""
        lines: list[str] = []
        section = None
        for figure in self.figures:
            if figure.section != section:
                section = figure.section
                lines += ["", section]
            value = f"{_rounded(figure.value):>9} {figure.unit:<10}"
            ratio = "" if figure.ratio is None else f"{figure.ratio:>7.2f} x {figure.against}"
            lines.append(f"  {figure.name:<38} {value} {ratio}".rstrip())
        return "\n".join(lines)


def in_turn(
    subjects: Mapping[str, Callable[[], Sequence[float]]], *, rounds: int
) -> dict[str, float]:
    """Measure each subject once a round, and give the median of each."""
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            figures[name] += measure()
    return {name: statistics.median(values) for name, values in figures.items()}


def _rounded(value: float) -> str:
    thousands = 100
    return f"{value:,.0f}" if abs(value) >= thousands else f"{value:.3g}"
