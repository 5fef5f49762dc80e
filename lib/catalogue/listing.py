"""What `movies.list` is asked and what it answers beside the movies: cursors and links."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from lib.catalogue.fields import ALL, FIELDS, Fields
from lib.catalogue.movie import IMDB_ID, TITLE_LENGTH
from lib.catalogue.movies import Page, Position, find_page_after, find_page_at, find_page_before
from lib.database.statement import Query
from lib.errors import InvalidRequest
from lib.web.answers import Answer, tag_of
from lib.web.inputs import Input, Inputs
from lib.web.paging import (
    LAST_PAGE,
    NUMBER_OF_RECORDS,
    PAGE,
    decode_cursor,
    encode_cursor,
    link_target,
)
from lib.web.rules import Rule, Schema

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
        """Read a cursor; raise `ValueError` for anything that `encode` did not make."""
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


class _CursorRule(Rule[Cursor]):
    """A cursor as this list gives it out."""

    rule = "must be a next_cursor of an earlier answer"

    def from_text(self, name: str, text: str) -> Cursor:
        """Read a cursor; raise `InvalidRequest` for anything that `Cursor.encode` did not make."""
        try:
            return Cursor.decode(text)
        except ValueError:
            raise InvalidRequest(
                "The cursor is none that this list gave out; start again without one.",
                fields={name: self.rule},
            ) from None

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "minLength": 1, "maxLength": _CURSOR_LENGTH}


PARAMETERS: Final = Inputs(
    {
        "page": PAGE,
        "cursor": Input(
            rule=_CursorRule(),
            about="A `next_cursor` of an earlier answer, to go on from there. Not together with "
            "`page`.",
        ),
        "number_of_records": NUMBER_OF_RECORDS,
        "fields": FIELDS,
    },
    not_together=(("page", "cursor"),),
)


@dataclass(frozen=True, kw_only=True)
class WantedPage:
    """Which part of the list is wanted: a page by its number, or what a cursor points to.

    Attributes:
        page: Nothing where there is a cursor.
        fields: What callers get to see of each movie; the same is read for all.
    """

    records: int
    page: int | None
    cursor: Cursor | None
    fields: Fields = ALL


def wanted_page(query: Mapping[str, Any]) -> WantedPage:
    """Return what the values of `PARAMETERS` ask for."""
    cursor = query["cursor"]
    return WantedPage(
        records=query["number_of_records"],
        page=query["page"] if cursor is None else None,
        cursor=cursor,
        fields=query["fields"],
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
        at_its_address=not written.leads_nowhere,
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
