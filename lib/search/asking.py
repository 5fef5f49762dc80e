"""What `movies.search` and `movies.random` are asked: from a query to what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from lib.catalogue.fields import Fields, parse_fields
from lib.search import cursor as cursors
from lib.search.cursor import Cursor
from lib.search.filters import PARAMETERS as FILTERS
from lib.search.filters import Filters, parse_filters
from lib.search.statements import SORT_COLUMNS
from lib.search.text import Terms, parse_text
from lib.web.paging import parse_number_of_records
from lib.web.parsing import parse_integer_parameter, refuse

# In the order of our own links.
PARAMETERS: Final = (
    "query", *FILTERS, "sort", "cursor", "number_of_records", "counts", "fields"
)  # fmt: skip
RANDOM_PARAMETERS: Final = (*FILTERS, "number_of_records")
MOST_RANDOM: Final = 10
_BY_RELEVANCE: Final = "relevance"
_SORTS: Final = (_BY_RELEVANCE, *SORT_COLUMNS)
_LOOKED_FOR: Final = ("query", *FILTERS, "sort")  # what a cursor belongs to


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A search, and which part of what it finds.

    Attributes:
        sort: One of those there are, without its sign.
        looked_for: The query of a link to its first page, but for what is no part of the search.
        as_asked: Whether no other query means the same.
    """

    terms: Terms | None
    filters: Filters
    sort: str
    descending: bool
    cursor: Cursor | None
    records: int
    counts: bool
    fields: Fields
    looked_for: str
    as_asked: bool


def parse_search_query(query: Mapping[str, str]) -> Wanted:
    """Read the parameters of `movies.search`, or raise `InvalidRequest` naming the wrong one."""
    terms = parse_text(query["query"]) if "query" in query else None
    filters = parse_filters(query)
    sort, descending = _parse_sort(query, terms)
    looked_for = "&".join(f"{name}={encode(query[name])}" for name in _LOOKED_FOR if name in query)
    records = parse_number_of_records(query)
    counts = _parse_counts(query)
    cursor = None
    if "cursor" in query:
        cursor = cursors.decode(query["cursor"], looked_for, sort, terms)
    return Wanted(
        terms=terms,
        filters=filters,
        sort=sort,
        descending=descending,
        cursor=cursor,
        records=records,
        counts=counts,
        fields=parse_fields(query),
        looked_for=looked_for,
        as_asked=query.get("number_of_records") in {None, str(records)}
        and query.get("counts") != "false",
    )


@dataclass(frozen=True, kw_only=True)
class WantedByChance:
    """How many movies, of which."""

    filters: Filters
    records: int


def parse_random_query(query: Mapping[str, str]) -> WantedByChance:
    """Read the parameters of `movies.random`, or raise `InvalidRequest` naming the wrong one."""
    records = parse_integer_parameter(
        query.get("number_of_records", "1"), "number_of_records", low=1, high=MOST_RANDOM
    )
    return WantedByChance(filters=parse_filters(query), records=records)


def encode(value: str) -> str:
    """Encode a parameter's value in the one way that caches know; see `parsing.is_normal`."""
    return quote_plus(value, safe="!$'()*,;:@/?=~")


def _parse_sort(query: Mapping[str, str], terms: Terms | None) -> tuple[str, bool]:
    asked = query.get("sort", "-imdb_votes" if terms is None else _BY_RELEVANCE)
    sort = asked.removeprefix("-")
    if sort not in _SORTS or asked == f"-{_BY_RELEVANCE}":
        allowed = ", ".join(_SORTS)
        refuse(
            "sort",
            f"must be one of {allowed}; with '-' before it, but for relevance, the other way round",
        )
    if sort == _BY_RELEVANCE and terms is None:
        refuse("sort", "is by relevance only with a query")
    return sort, asked != sort


def _parse_counts(query: Mapping[str, str]) -> bool:
    asked = query.get("counts", "false")
    if asked not in {"true", "false"}:
        refuse("counts", "must be true or false")
    return asked == "true"
