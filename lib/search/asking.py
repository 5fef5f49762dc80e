"""What `movies.search` and `movies.random` are asked: from their parameters to what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from lib.catalogue.fields import FIELDS, Fields
from lib.search.cursor import CURSOR, Cursor, decode
from lib.search.filters import FILTERS, Filters, filters_of
from lib.search.statements import SORT_COLUMNS
from lib.search.text import SearchText, Terms
from lib.web.inputs import Input, Inputs
from lib.web.paging import NUMBER_OF_RECORDS
from lib.web.parsing import refuse
from lib.web.rules import Flag, Rule, Schema, Whole

_BY_RELEVANCE: Final = "relevance"
_SORTS: Final = (_BY_RELEVANCE, *SORT_COLUMNS)


class Sort(NamedTuple):
    """An order, by one of those there are."""

    name: str
    descending: bool


_MOST_RELEVANT: Final = Sort(_BY_RELEVANCE, descending=False)
_BEST_KNOWN: Final = Sort("imdb_votes", descending=True)


class _SortRule(Rule[Sort]):
    """One of the orders there are, in either direction, but for that by relevance."""

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return (
            f"must be one of {', '.join(_SORTS)}; with '-' before it, but for {_BY_RELEVANCE}, the "
            "other way round"
        )

    def from_text(self, name: str, text: str) -> Sort:
        """Read a parameter."""
        sort = Sort(text.removeprefix("-"), descending=text.startswith("-"))
        if sort.name not in _SORTS or sort == (_BY_RELEVANCE, True):
            refuse(name, self.rule)
        return sort

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "enum": [*_SORTS, *(f"-{name}" for name in SORT_COLUMNS)]}


class _Told(NamedTuple):
    """A value, and the text that told it."""

    text: str
    value: Any


class _AsTold(Rule[_Told]):
    """What another rule reads, and the text: links repeat that, and a cursor belongs to it."""

    def __init__(self, of: Rule[Any]) -> None:
        self._of = of

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return self._of.rule

    def from_text(self, name: str, text: str) -> _Told:
        """Read a parameter."""
        return _Told(text, self._of.from_text(name, text))

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return self._of.schema()


# What a cursor belongs to.
_LOOKED_FOR: Final[Mapping[str, Input]] = {
    name: one._replace(rule=_AsTold(one.rule))
    for name, one in {
        "query": Input(
            rule=SearchText(),
            about="Words of titles and names of people, the last one perhaps only begun. A year at "
            "its end prefers films of that year.",
            example="godfather",
        ),
        **FILTERS,
        "sort": Input(
            rule=_SortRule(),
            about="What comes first; `-` turns it round. With a `query` it is `relevance` by "
            "default, which is there only then, else `-imdb_votes`. What is unknown comes last.",
        ),
    }.items()
}
PARAMETERS: Final = Inputs(
    {
        **_LOOKED_FOR,
        "cursor": Input(
            rule=CURSOR,
            about="A `next_cursor` of the same search: its `query`, filters and `sort` go with it.",
        ),
        "number_of_records": NUMBER_OF_RECORDS,
        "counts": Input(
            rule=Flag(),
            about="Whether to tell how many are found, of each type, genre, decade and so on.",
            default=False,
            write=lambda _: "true",  # what is left out says the same as false
        ),
        "fields": FIELDS,
    }
)
RANDOM_PARAMETERS: Final = Inputs(
    {
        **FILTERS,
        "number_of_records": Input(rule=Whole(low=1, high=10), about="How many movies.", default=1),
    }
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A search, and which part of what it finds.

    Attributes:
        looked_for: The query of a link to its first page, but for what is no part of the search.
    """

    terms: Terms | None
    filters: Filters
    sort: Sort
    cursor: Cursor | None
    records: int
    counts: bool
    fields: Fields
    looked_for: str


def wanted_hits(query: Mapping[str, Any]) -> Wanted:
    """Return what the values of `PARAMETERS` ask for.

    Raises:
        InvalidRequest: The sort wants a query, or the cursor is of another search.
    """
    told = {name: query[name] for name in _LOOKED_FOR if query[name] is not None}
    looked_for = "&".join(f"{name}={encode(one.text)}" for name, one in told.items())
    values = {name: one.value for name, one in told.items()}
    terms = values.get("query")
    sort = values.get("sort") or (_MOST_RELEVANT if terms else _BEST_KNOWN)
    if sort.name == _BY_RELEVANCE and terms is None:
        refuse("sort", "is by relevance only with a query")
    cursor = query["cursor"]
    return Wanted(
        terms=terms,
        filters=filters_of(values),
        sort=sort,
        cursor=None if cursor is None else decode(cursor, looked_for, sort.name, terms),
        records=query["number_of_records"],
        counts=query["counts"],
        fields=query["fields"],
        looked_for=looked_for,
    )


@dataclass(frozen=True, kw_only=True)
class WantedByChance:
    """How many movies, of which."""

    filters: Filters
    records: int


def wanted_by_chance(query: Mapping[str, Any]) -> WantedByChance:
    """Return what the values of `RANDOM_PARAMETERS` ask for."""
    return WantedByChance(filters=filters_of(query), records=query["number_of_records"])


def encode(value: str) -> str:
    """Encode a parameter's value in the one way that caches know; see `parsing.is_normal`."""
    return quote_plus(value, safe="!$'()*,;:@/?=~")
