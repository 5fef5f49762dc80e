"""What hits are narrowed by: values that films have, and ranges of their numbers and days."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from lib.catalogue.folding import LONGEST_NAME, fold
from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR
from lib.search.text import all_of, any_of, lexeme
from lib.web.parsing import refuse

MOST_VALUES: Final = 20

# The kinds of a row's lexemes that a parameter asks for.
_KINDS: Final = {
    "type": "t", "genre": "g", "person": "dwa", "director": "d", "writer": "w", "actor": "a",
    "language": "l", "country": "c", "rated": "r",
}  # fmt: skip
_ONE_OF_EACH: Final = frozenset({"type", "rated"})
_SEPARATOR: Final = re.compile(r"\\([,|])|([,|])")


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """How the numbers of a range are written, and how the search rows hold them.

    Attributes:
        column: Of the search rows, where 0 is unknown.
        read: Returns the number of a text, None for what is none.
        rule: What the texts must be.
    """

    column: str
    read: Callable[[str], int | None]
    rule: str


def _whole(low: int, high: int, most: int) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        if not re.fullmatch(r"0|[1-9][0-9]{0,9}", text, re.ASCII):
            return None
        return min(int(text), most) if low <= int(text) <= high else None

    return read


def _tenths(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]|10(?=$|\.0))(?:\.([0-9]))?", text, re.ASCII)
    return int(found[1]) * 10 + int(found[2] or 0) if found else None


def _day(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        return None
    try:
        return int(date.fromisoformat(text).strftime("%Y%m%d"))
    except ValueError:
        return None


_MOST: Final = 2**31 - 1
_SMALL: Final = 2**15 - 1
_SCALES: Final = {
    "year": _Scale(
        column="year",
        read=_whole(FIRST_YEAR, LAST_YEAR, LAST_YEAR),
        rule=f"years from {FIRST_YEAR} to {LAST_YEAR}",
    ),
    "released": _Scale(column="released", read=_day, rule="days as 1994-10-14"),
    "runtime_minutes": _Scale(
        column="runtime",
        read=_whole(0, 1_000_000, _SMALL),
        rule="whole numbers from 0 to 1000000",
    ),
    "imdb_rating": _Scale(
        column="rating", read=_tenths, rule="numbers from 0 to 10 with at most one decimal"
    ),
    "imdb_votes": _Scale(
        column="votes", read=_whole(0, _MOST, _MOST), rule=f"whole numbers from 0 to {_MOST}"
    ),
}
PARAMETERS: Final = (*_KINDS, *_SCALES)
COLUMNS: Final = tuple(scale.column for scale in _SCALES.values())
_ALL: Final = (0, _MOST)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a film must be to be a hit.

    Attributes:
        lexemes: A query of the search rows that every hit satisfies; empty when there is none.
        bounds: By column the least and the greatest that it may be; what is unknown is 0.
    """

    lexemes: str = ""
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, column: str) -> tuple[int, int]:
        """Return the bounds of a column."""
        return self.bounds.get(column, _ALL)

    @property
    def values(self) -> dict[str, str | int | None]:
        """The bounds as parameters of a statement."""
        return {
            f"{column}_{end}": value
            for column in COLUMNS
            for end, value in zip(("from", "to"), self.of(column), strict=True)
        }


def parse_filters(query: Mapping[str, str]) -> Filters:
    """Read the filters that a query has; raise `InvalidRequest` naming the wrong one."""
    groups = [_parse_values(query[name], name) for name in _KINDS if name in query]
    bounds = {
        scale.column: _parse_range(query[name], name, scale)
        for name, scale in _SCALES.items()
        if name in query
    }
    groups += [
        any_of([lexeme(text) for text in texts])
        for column, (low, high) in bounds.items()
        if (texts := _LEXEMES_OF[column](low, high) if column in _LEXEMES_OF else [])
    ]
    return Filters(lexemes=all_of(groups), bounds=bounds)


def _parse_values(text: str, name: str) -> str:
    """Return the query of values of which all (`a,b`) or any (`a|b`) is demanded."""
    parts, separators, begin = [""], set(), 0
    for found in _SEPARATOR.finditer(text):
        parts[-1] += text[begin : found.start()] + (found[1] or "")
        begin = found.end()
        if found[2]:
            separators.add(found[2])
            parts.append("")
    parts[-1] += text[begin:]
    if len(separators) > 1:
        refuse(name, "must have ',' or '|' between its values, not both")
    if separators == {","} and name in _ONE_OF_EACH:
        refuse(name, "takes '|' only, as a movie has one of it")
    if not all(part.strip() for part in parts):
        refuse(name, "must hold no empty value")
    if len(parts) > MOST_VALUES:
        refuse(name, f"must hold at most {MOST_VALUES} values")
    folded = [fold(part)[:LONGEST_NAME] for part in parts]
    queries = [any_of([lexeme(f"#{kind}/{one}") for kind in _KINDS[name]]) for one in folded]
    return all_of(queries) if separators == {","} else any_of(queries)


def _parse_range(text: str, name: str, scale: _Scale) -> tuple[int, int]:
    low, dots, high = text.partition("..")
    ends = [scale.read(low) if low else 0, scale.read(high) if high else _MOST]
    if not dots:
        ends[1] = ends[0]
    if not (low or high) or None in ends:
        refuse(name, f"must be one or a range (A..B, A.., ..B) of {scale.rule}")
    begin, end = ends[0] or 0, ends[1] or 0
    if begin > end:
        refuse(name, "must begin with the smaller end of its range")
    return max(begin, 1), end  # what is unknown is in no range


# A range is also told in the lexemes that the index has of it, which are rougher than its ends.


def _years(low: int, high: int) -> list[str]:
    low, high = max(low, FIRST_YEAR), min(high, LAST_YEAR)
    decades = range(-(-low // 10) * 10, high - 8, 10)
    single = (year for year in range(low, high + 1) if year // 10 * 10 not in decades)
    return [*(f"#e/{ten}" for ten in decades), *(f"#y/{year}" for year in single)]


def _ratings(low: int, high: int) -> list[str]:
    return [f"#i/{floor}" for floor in range(low // 10, min(high, 100) // 10 + 1)]


_LONGEST: Final = 600  # minutes: films that are longer have the lexeme of this


def _runtimes(low: int, high: int) -> list[str]:
    low, high = min(low, _LONGEST), min(high, _LONGEST)
    return [f"#m/{ten}" for ten in range(low // 10 * 10, high + 1, 10)]


_LEXEMES_OF: Final[Mapping[str, Callable[[int, int], list[str]]]] = {
    "year": _years,
    "rating": _ratings,
    "runtime": _runtimes,
}
