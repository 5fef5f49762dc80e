"""What hits are narrowed by: values that films have, and ranges of their numbers and days."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lib.catalogue.folding import LONGEST_NAME, fold
from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR, TYPES
from lib.search.ranges import DAYS, MOST, TENTHS, Bounds, Range, Scale, numbers
from lib.search.text import all_of, any_of, lexeme
from lib.web.inputs import Input
from lib.web.parsing import refuse
from lib.web.rules import Rule, Schema

MOST_VALUES: Final = 20
_ALL: Final = (0, MOST)
_SEPARATOR: Final = re.compile(r"\\([,|])|([,|])")
_VALUE: Final = r"(\\[,|]|[^,|])+"


class Values(Rule[str]):
    """Values that a film has, of which all (`a,b`) or any (`a|b`) are demanded.

    They are read as a query of the search rows.

    Args:
        kinds: Of a row's lexemes, any of which may have a value.
        is_one: Whether a film has one of it, so that only any of several can be demanded.
    """

    def __init__(self, kinds: str, *, is_one: bool = False) -> None:
        self.kinds, self.is_one = kinds, is_one

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        between = "'|'" if self.is_one else "',' (all of them) or '|' (any of them)"
        return f"must be 1 to {MOST_VALUES} values with {between} between them"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        parts, separators = _split(text)
        if len(separators) > 1:
            refuse(name, "must have ',' or '|' between its values, not both")
        if separators == {","} and self.is_one:
            refuse(name, "takes '|' only, as a movie has one of it")
        if not all(part.strip() for part in parts):
            refuse(name, "must hold no empty value")
        if len(parts) > MOST_VALUES:
            refuse(name, f"must hold at most {MOST_VALUES} values")
        folded = [fold(part)[:LONGEST_NAME] for part in parts]
        queries = [any_of([lexeme(f"#{kind}/{one}") for kind in self.kinds]) for one in folded]
        return all_of(queries) if separators == {","} else any_of(queries)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        more = "|".join(
            f"({re.escape(separator)}{_VALUE}){{0,{MOST_VALUES - 1}}}"
            for separator in ("|" if self.is_one else "|,")
        )
        return {"type": "string", "pattern": f"^{_VALUE}({more})$"}


def _split(text: str) -> tuple[list[str], set[str]]:
    """Return the values that a text names, and what stands between them."""
    parts, separators, begin = [""], set(), 0
    for found in _SEPARATOR.finditer(text):
        parts[-1] += text[begin : found.start()] + (found[1] or "")
        begin = found.end()
        if found[2]:
            separators.add(found[2])
            parts.append("")
    parts[-1] += text[begin:]
    return parts, separators


def _named(what: str, kinds: str, *, example: str | None = None) -> Input:
    """Return a filter by values of which a film may have several."""
    about = f"{what}. `a,b` asks for all of them, `a|b` for any."
    return Input(rule=Values(kinds), about=about, example=example)


def _ranged(what: str, scale: Scale, *, example: str | None = None) -> Input:
    """Return a filter by a number of which a film has one; no schema tells its range."""
    rule = Range(scale)
    return Input(rule=rule, about=f"{what}: {rule.asks_for}, with its ends.", example=example)


_VALUES: Final[Mapping[str, Input]] = {
    "type": Input(
        rule=Values("t", is_one=True),
        about=f"What the movie is: {', '.join(TYPES)}. `a|b` asks for any of them.",
    ),
    "genre": _named("Genres of the movie", "g", example="Crime"),
    "person": _named("People who directed the movie, wrote it or play in it", "dwa"),
    "director": _named("People who directed the movie", "d"),
    "writer": _named("People who wrote the movie", "w"),
    "actor": _named("People who play in the movie", "a"),
    "language": _named("Languages that are spoken in the movie", "l"),
    "country": _named("Countries that the movie was made in", "c"),
    "rated": Input(
        rule=Values("r", is_one=True),
        about="The movie's age rating, such as `PG-13`. `a|b` asks for any of them.",
    ),
}
_RANGES: Final[Mapping[str, Input]] = {
    "year": _ranged(
        "When the movie came out",
        numbers("years", low=FIRST_YEAR, high=LAST_YEAR),
        example="1970..1979",
    ),
    "released": _ranged("The day when the movie came out", DAYS),
    "runtime_minutes": _ranged(
        "How long the movie is",
        numbers("whole numbers", low=0, high=1_000_000, most=2**15 - 1),
    ),
    "imdb_rating": _ranged("What the users of IMDb think of the movie", TENTHS),
    "imdb_votes": _ranged(
        "How many users of IMDb have voted", numbers("whole numbers", low=0, high=MOST)
    ),
}
FILTERS: Final[Mapping[str, Input]] = {**_VALUES, **_RANGES}
# Of the search rows, where 0 is unknown.
_COLUMN_OF: Final[Mapping[str, str]] = {
    "year": "year",
    "released": "released",
    "runtime_minutes": "runtime",
    "imdb_rating": "rating",
    "imdb_votes": "votes",
}
COLUMNS: Final = tuple(_COLUMN_OF.values())


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a film must be to be a hit.

    Attributes:
        lexemes: A query of the search rows that every hit satisfies; empty when there is none.
        bounds: By column the least and the greatest that it may be; what is unknown is 0.
    """

    lexemes: str = ""
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    def of(self, column: str) -> Bounds:
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


def filters_of(values: Mapping[str, Any]) -> Filters:
    """Return what is demanded of a film.

    Args:
        values: Of `FILTERS`, and perhaps others.
    """
    groups = [values[name] for name in _VALUES if values.get(name) is not None]
    bounds = {
        column: values[name] for name, column in _COLUMN_OF.items() if values.get(name) is not None
    }
    groups += [
        any_of([lexeme(text) for text in texts])
        for column, (low, high) in bounds.items()
        if (texts := _LEXEMES_OF[column](low, high) if column in _LEXEMES_OF else [])
    ]
    return Filters(lexemes=all_of(groups), bounds=bounds)


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
