"""What `movies.list` is asked and what it answers beside the movies: cursors and links."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from lib.catalogue.movie import IMDB_ID, TITLE_LENGTH
from lib.catalogue.movies import Page, Position, find_page_after, find_page_at, find_page_before
from lib.database.statement import Query
from lib.errors import InvalidRequest

DEFAULT_RECORDS: Final = 10
MOST_RECORDS: Final = 100
LAST_PAGE: Final = 1_000_000
PARAMETERS: Final = ("page", "cursor", "number_of_records")  # in the order of our own links

# int() would take "٣", " 3", "1_000" and "+3" as well.
_NUMBER: Final = re.compile(r"[1-9][0-9]*", re.ASCII)
_CURSOR_LENGTH: Final = 4096

Direction = Literal["after", "before"]
_DIRECTIONS: Final[dict[str, Direction]] = {"a": "after", "b": "before"}
# The first and the last id of any sort key.
_FIRST_ID: Final = "tt0000000"
_LAST_ID: Final = "tt9999999999"


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in the list from which to go on, in either direction."""

    direction: Direction
    position: Position

    def encode(self) -> str:
        """Return the cursor as callers carry it: opaque, and safe in a query."""
        text = f"{self.direction[0]}{self.position.imdb_id} {self.position.sort_key}"
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read a cursor; raise `InvalidRequest` for anything that `encode` did not make."""
        try:
            return cls._decode(text)
        except ValueError:
            raise InvalidRequest(
                "The cursor is none that this list gave out; start again without one.",
                fields={"cursor": "must be a next_cursor of an earlier answer"},
            ) from None

    @classmethod
    def _decode(cls, text: str) -> "Cursor":
        if len(text) > _CURSOR_LENGTH:
            raise ValueError
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        place, _, sort_key = decoded.partition(" ")
        if not IMDB_ID.fullmatch(place[1:]) or "\0" in sort_key:
            raise ValueError
        if not 1 <= len(sort_key) <= TITLE_LENGTH:
            raise ValueError
        cursor = cls(
            direction=_DIRECTIONS.get(place[0], "after"),
            position=Position(sort_key=sort_key, imdb_id=place[1:]),
        )
        if cursor.encode() != text:
            raise ValueError
        return cursor


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """Which part of the list is wanted: a page by its number, or what a cursor points to.

    Attributes:
        as_asked: Whether it is as large as was asked for, so that no other query means the same.
    """

    records: int
    as_asked: bool = True
    page: int | None
    cursor: Cursor | None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An answered list: its body, and the value of its `Link` header."""

    body: bytes
    link: str


def parse_list_query(query: Mapping[str, str]) -> ListQuery:
    """Read the parameters of `movies.list`, or raise `InvalidRequest` naming the wrong one."""
    if "page" in query and "cursor" in query:
        raise InvalidRequest(
            "Give either page or cursor, not both.",
            fields={"cursor": "must not stand together with page"},
        )
    asked = query.get("number_of_records")
    records = _records(asked)
    as_asked = asked in {None, str(records)}
    cursor = page = None
    if "cursor" in query:
        cursor = Cursor.decode(query["cursor"])
    else:
        page = _page_number(query.get("page"))
    return ListQuery(records=records, as_asked=as_asked, page=page, cursor=cursor)


def find_page(query: ListQuery) -> Query[Page]:
    """Say what to ask the catalogue for the wanted part of the list."""
    if query.cursor is None:
        skipped = ((query.page or 1) - 1) * query.records
        return find_page_at(skipped=skipped, records=query.records)
    beside = find_page_after if query.cursor.direction == "after" else find_page_before
    return beside(query.cursor.position, records=query.records)


def answer_page(page: Page, query: ListQuery, *, path: str) -> Listed:
    """Make the answer from a page, with how to go on from it.

    Args:
        path: The path that was asked for, to which the links lead.
    """
    following = _find_following(page, query.cursor)
    # Written by hand: only whole numbers and a cursor's letters, and json.dumps costs more than all
    # the rest of this function.
    next_cursor = f'"{following}"' if following else "null"
    body = (
        f'{{"data": {page.movies_json}, "pagination": {{"page": {query.page or "null"}, '
        f'"number_of_records": {query.records}, "total_records": {page.total}, '
        f'"next_cursor": {next_cursor}}}}}'
    )
    return Listed(body=body.encode(), link=_make_links(page, query, following, path))


def _make_links(page: Page, query: ListQuery, following: str | None, path: str) -> str:
    links = {"first": "page=1"}
    if query.page is not None:
        if query.page > 1:
            last_page = max(1, -(-page.total // query.records))
            links["prev"] = f"page={min(query.page - 1, last_page)}"
        if following is not None and query.page < LAST_PAGE:
            links["next"] = f"page={query.page + 1}"
    else:
        if preceding := _find_preceding(page, query.cursor):
            links["prev"] = f"cursor={preceding}"
        if following is not None:
            links["next"] = f"cursor={following}"
    # One slash: `//` would lead to another host.
    target = "/" + quote(path, safe="/.-_~%").lstrip("/")
    return ", ".join(
        f'<{target}?{where}&number_of_records={query.records}>; rel="{relation}"'
        for relation, where in links.items()
    )


def _find_following(page: Page, cursor: Cursor | None) -> str | None:
    position = page.last if page.more_after else None
    if page.first is None and page.total and cursor and cursor.direction == "before":
        # Nothing stands before the cursor: the list begins with what is at it.
        position = Position(sort_key=cursor.position.sort_key, imdb_id=_FIRST_ID)
    return Cursor(direction="after", position=position).encode() if position else None


def _find_preceding(page: Page, cursor: Cursor | None) -> str | None:
    position = page.first if page.more_before else None
    if page.first is None and page.total and cursor and cursor.direction == "after":
        # Nothing stands behind the cursor: the list ends with what is at it.
        position = Position(sort_key=cursor.position.sort_key, imdb_id=_LAST_ID)
    return Cursor(direction="before", position=position).encode() if position else None


def _page_number(text: str | None) -> int:
    if text is None:
        return 1
    if not _NUMBER.fullmatch(text) or len(text) > len(str(LAST_PAGE)) or int(text) > LAST_PAGE:
        raise InvalidRequest(
            "page must be a whole number from 1 to 1,000,000, in the digits 0 to 9.",
            fields={"page": "must be a whole number from 1 to 1000000"},
        )
    return int(text)


def _records(text: str | None) -> int:
    if text is None:
        return DEFAULT_RECORDS
    if not _NUMBER.fullmatch(text):
        raise InvalidRequest(
            "number_of_records must be a whole number from 1 upwards, in the digits 0 to 9; "
            "at most 100 are given.",
            fields={"number_of_records": "must be a whole number from 1 upwards"},
        )
    # Compared by length first: int() refuses thousands of digits.
    return MOST_RECORDS if len(text) > len(str(MOST_RECORDS)) else min(int(text), MOST_RECORDS)
