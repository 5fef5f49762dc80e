"""What `movies.list` is asked and what it answers beside the movies: cursors and links."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lib.catalogue.fields import ALL, Fields, parse_fields
from lib.catalogue.movie import IMDB_ID, TITLE_LENGTH
from lib.catalogue.movies import Page, Position, find_page_after, find_page_at, find_page_before
from lib.database.statement import Query
from lib.errors import InvalidRequest
from lib.web.answers import Answer, tag_of
from lib.web.paging import (
    LAST_PAGE,
    decode_cursor,
    encode_cursor,
    link_target,
    parse_number_of_records,
    parse_page_number,
)

PARAMETERS: Final = ("page", "cursor", "number_of_records", "fields")  # as our own links have them

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
        return encode_cursor(text)

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
        decoded = decode_cursor(text, longest=_CURSOR_LENGTH)
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
class WantedPage:
    """Which part of the list is wanted: a page by its number, or what a cursor points to.

    Attributes:
        as_asked: Whether it is as large as was asked for, so that no other query means the same.
        fields: What callers get to see of each movie; the same is read for all.
    """

    records: int
    as_asked: bool = True
    page: int | None
    cursor: Cursor | None
    fields: Fields = ALL


def parse_list_query(query: Mapping[str, str]) -> WantedPage:
    """Read the parameters of `movies.list`, or raise `InvalidRequest` naming the wrong one."""
    if "page" in query and "cursor" in query:
        raise InvalidRequest(
            "Give either page or cursor, not both.",
            fields={"cursor": "must not stand together with page"},
        )
    records = parse_number_of_records(query)
    as_asked = query.get("number_of_records") in {None, str(records)}
    cursor = page = None
    if "cursor" in query:
        cursor = Cursor.decode(query["cursor"])
    else:
        page = parse_page_number(query)
    return WantedPage(
        records=records,
        as_asked=as_asked,
        page=page,
        cursor=cursor,
        fields=parse_fields(query),
    )


@dataclass(frozen=True, kw_only=True)
class WrittenPage:
    """A page as all get it who ask for it, with all that is shown of its movies.

    Attributes:
        tag: The body's entity tag.
        links: The query of each link by its relation; path and fields are each caller's own.
        leads_nowhere: Whether it is empty and was found by a cursor: those anybody can make up
            without end.
    """

    body: bytes
    tag: str
    links: Mapping[str, str]
    leads_nowhere: bool


def find_page(wanted: WantedPage) -> Query[WrittenPage]:
    """Say what to ask the catalogue for the wanted part of the list."""
    return _find_page(wanted).then(lambda page: _write_page(page, wanted))


def answer_page(written: WrittenPage, wanted: WantedPage, *, path: str) -> Answer:
    """Make a caller's answer from a page, with how to go on from it.

    Args:
        path: The path that was asked for, to which the links lead.
    """
    target = link_target(path)
    links = [
        f'<{target}?{query}{wanted.fields.link}>; rel="{relation}"'
        for relation, query in written.links.items()
    ]
    answer = Answer(
        body=written.body,
        tag=written.tag,
        headers={"Link": ", ".join(links)},
        at_its_address=wanted.as_asked and not written.leads_nowhere,
    )
    return wanted.fields.narrow(answer)


def _find_page(wanted: WantedPage) -> Query[Page]:
    if wanted.cursor is None:
        skipped = ((wanted.page or 1) - 1) * wanted.records
        return find_page_at(skipped=skipped, records=wanted.records)
    beside = find_page_after if wanted.cursor.direction == "after" else find_page_before
    return beside(wanted.cursor.position, records=wanted.records)


def _write_page(page: Page, wanted: WantedPage) -> WrittenPage:
    following = _find_following(page, wanted.cursor)
    # Written by hand: only whole numbers and a cursor's letters, and json.dumps costs more than all
    # the rest of this function.
    next_cursor = f'"{following}"' if following else "null"
    body = (
        f'{{"data": {page.movies_json}, "pagination": {{"page": {wanted.page or "null"}, '
        f'"number_of_records": {wanted.records}, "total_records": {page.total}, '
        f'"next_cursor": {next_cursor}}}}}'
    ).encode()
    return WrittenPage(
        body=body,
        tag=tag_of(body),
        links=_make_links(page, wanted, following),
        leads_nowhere=wanted.cursor is not None and page.first is None,
    )


def _make_links(page: Page, wanted: WantedPage, following: str | None) -> dict[str, str]:
    links = {"first": "page=1"}
    if wanted.page is not None:
        if wanted.page > 1:
            last_page = max(1, -(-page.total // wanted.records))
            links["prev"] = f"page={min(wanted.page - 1, last_page)}"
        if following is not None and wanted.page < LAST_PAGE:
            links["next"] = f"page={wanted.page + 1}"
    else:
        if preceding := _find_preceding(page, wanted.cursor):
            links["prev"] = f"cursor={preceding}"
        if following is not None:
            links["next"] = f"cursor={following}"
    return {
        relation: f"{where}&number_of_records={wanted.records}" for relation, where in links.items()
    }


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
