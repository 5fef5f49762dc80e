"""What was measured, as one table for people or as JSON for machines."""

import dataclasses
import itertools
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Measure = Callable[[], Sequence[float]]  # gives seconds, or whatever is compared

_NAME_WIDTH: Final = 40
_COLUMN_WIDTH: Final = 16
_WHOLE_FROM: Final = 100  # smaller numbers are shown with three digits


@dataclass(frozen=True)
class Value:
    """A number and what it counts."""

    number: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured of something.

    Attributes:
        part: Which of several figures of the same thing, each in a column of its own.
        ratio: The value against that of what `against` names; None where it stands alone.
        ratios: The least and the greatest of several runs; None where there was one.
    """

    section: str
    name: str
    value: float
    unit: str
    part: str | None = None
    against: str | None = None
    ratio: float | None = None
    ratios: tuple[float, float] | None = None


class Report:
    """The figures of a run, in the order they were measured.

    Attributes:
        machine: What they were measured on, by what each of it is called.
    """

    def __init__(self, machine: Mapping[str, str] | None = None) -> None:
        self.machine = dict(machine or {})
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
        self.figures.append(_compare(figure, against))

    def add_parts(
        self, name: str, parts: Mapping[str, Value], *, against: tuple[str, float] | None = None
    ) -> None:
        """Add a line of several figures, each under a heading of its own.

        Args:
            against: The name and the value of what the last of them is compared with.
        """
        figures = [
            Figure(section=self._section, name=name, part=part, value=value.number, unit=value.unit)
            for part, value in parts.items()
        ]
        self.figures += [*figures[:-1], _compare(figures[-1], against)]

    def as_json(self) -> str:
        """Return the machine and every figure, unrounded."""
        figures = [dataclasses.asdict(figure) for figure in self.figures]
        return json.dumps({"machine": self.machine, "figures": figures}, indent=1)

    def as_table(self) -> str:
        """Return the table, the machine at its head and a heading for each section."""
        lines = [", ".join(f"{name}: {value}" for name, value in self.machine.items())]
        for section, figures in itertools.groupby(self.figures, lambda figure: figure.section):
            lines += ["", section, *_lines(list(figures))]
        return "\n".join(lines)


def combine(reports: Sequence[Report]) -> Report:
    """Return what several runs come to: medians, and from where to where ratios went."""
    combined = Report(reports[0].machine)
    for several in zip(*(report.figures for report in reports), strict=True):
        figure = dataclasses.replace(
            several[0], value=statistics.median(one.value for one in several)
        )
        ratios = [one.ratio for one in several if one.ratio is not None]
        if ratios and len(several) > 1:
            figure = dataclasses.replace(
                figure, ratio=statistics.median(ratios), ratios=(min(ratios), max(ratios))
            )
        combined.figures.append(figure)
    return combined


def in_turn(subjects: Mapping[str, Measure], *, rounds: int) -> dict[str, float]:
    """Measure each subject once a round; return the median of each."""
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            figures[name] += measure()
    return {name: statistics.median(values) for name, values in figures.items()}


def _lines(figures: Sequence[Figure]) -> Iterable[str]:
    headings: list[str] = []
    for name, group in itertools.groupby(figures, lambda figure: figure.name):
        row = list(group)
        parts = [figure.part or "" for figure in row]
        if any(parts) and parts != headings:
            headings = parts
            yield _line("", parts)
        cells = [f"{_rounded(figure.value)} {figure.unit}" for figure in row]
        yield _line(name, cells) + _ratio(row[-1])


def _line(name: str, cells: Iterable[str]) -> str:
    return f"  {name:<{_NAME_WIDTH}}" + "".join(f"{cell:>{_COLUMN_WIDTH}}" for cell in cells)


def _compare(figure: Figure, against: tuple[str, float] | None) -> Figure:
    if against is None:
        return figure
    base, value = against
    return dataclasses.replace(figure, against=base, ratio=figure.value / value)


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    told = f"  {figure.ratio:6.2f} x {figure.against}"
    if figure.ratios is None:
        return told
    least, greatest = figure.ratios
    return f"{told} ({least:.2f} to {greatest:.2f})"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.3g}"
