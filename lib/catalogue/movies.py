"""Questions to the catalogue, and how its answers are read; what a movie is, `movie` says.

Postgres makes the JSON: a page reaches the caller as the text that the database wrote, which costs
less than turning rows into objects and objects into JSON.
"""

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from lib.catalogue.movie import Movie, title_key
from lib.catalogue.statements import (
    BY_ID,
    BY_KEY,
    BY_NAMES,
    BY_TITLE,
    DELETE,
    PAGE_AFTER,
    PAGE_AT,
    PAGE_BEFORE,
)
from lib.catalogue.titles import name_of, other_names_of
from lib.database.statement import Query, Rows, Statement, Values
from lib.errors import MovieNotFound
from lib.web.answers import tag_of
from lib.web.logs import current_request

log = logging.getLogger(__name__)

Match = Literal["exact", "folded", "loose"]
_MATCHES: Final[Sequence[Match]] = ("exact", "folded", "loose")


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a movie stands in the order of the list."""

    sort_key: str
    imdb_id: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the catalogue.

    Attributes:
        movies_json: The movies as a JSON array.
        total: How many movies the whole catalogue holds.
        first: Where the page begins; None when it is empty, as `last` then is.
        more_before: Whether movies stand before the page; only told for a page found by position.
    """

    movies_json: str
    total: int
    first: Position | None
    last: Position | None
    more_before: bool
    more_after: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """A movie as JSON, and the others of its title as a JSON array (None: not asked by title).

    Attributes:
        title: As the movie has it; None when not asked by title.
        match: Which form of the title was found; None when not asked by title.
    """

    movie_json: str
    alternatives_json: str | None
    title: str | None = None
    match: Match | None = None

    @cached_property
    def body(self) -> bytes:
        """The answer's body; who asked by title is told what else it might have meant."""
        if self.alternatives_json is None:
            return f'{{"data": {self.movie_json}}}'.encode()
        return (
            f'{{"data": {self.movie_json}, "match": "{self.match}", '
            f'"alternatives": {self.alternatives_json}}}'
        ).encode()

    @cached_property
    def tag(self) -> str:
        """The body's entity tag."""
        return tag_of(self.body)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A movie as the catalogue now holds it, in JSON, and whether it is new there."""

    movie_json: str
    created: bool

    def as_body(self) -> bytes:
        """Return the answer's body."""
        return f'{{"data": {self.movie_json}}}'.encode()


def find_page_at(*, skipped: int, records: int) -> Query[Page]:
    """Ask for the page that begins after so many movies, in order of title."""
    return Query(
        statement=PAGE_AT, values={"skipped": skipped, "records": records}, read=_read_page
    )


def find_page_after(position: Position, *, records: int) -> Query[Page]:
    """Ask for the page of what follows a position, whether or not a movie still stands there."""
    return _find_page_beside(PAGE_AFTER, position, records)


def find_page_before(position: Position, *, records: int) -> Query[Page]:
    """Ask for the page of what leads up to a position, in order of title like any other."""
    return _find_page_beside(PAGE_BEFORE, position, records)


def find_by_id(imdb_id: str) -> Query[Found]:
    """Ask for the movie with this id; without one the answer is `MovieNotFound`."""

    def read(rows: Rows) -> Found:
        if not rows:
            raise _no_movie(imdb_id)
        return Found(movie_json=rows[0][0], alternatives_json=None)

    return Query(statement=BY_ID, values={"imdb_id": imdb_id}, read=read)


def find_by_title(title: str, *, year: int | None) -> Query[Found]:
    """Ask for the movie of a title; else the answer is `MovieNotFound`.

    Who has the title itself goes before who has its folded form, and those before who has its loose
    form; of several the one with most votes.
    """
    query = Query(statement=BY_TITLE, values=vars(name_of(title, year=year)), read=_read_named)
    return query.then(lambda found: _demand(found, year))


def find_by_key(title: str, *, year: int | None) -> Query[Found]:
    """Ask as `find_by_title` does, while there are movies that have no search row yet."""
    values = {"title": title, "sort_key": title_key(title), "year": year}
    query = Query(statement=BY_KEY, values=values, read=_read_named)
    return query.then(lambda found: _demand(found, year))


def find_by_other_names(title: str, *, year: int | None) -> Query[Found]:
    """Ask for the movie that a title may mean that no movie has; its match is loose."""
    names = [vars(name) for name in other_names_of(title, year=year)]
    values = {"names": json.dumps(names, ensure_ascii=False)}
    query = Query(statement=BY_NAMES, values=values, read=_read_named)
    return query.then(lambda found: replace(_demand(found, year), match="loose"))


def _read_named(rows: Rows) -> Found | None:
    if not rows:
        return None
    [[movie_json, alternatives_json, title, how]] = rows
    return Found(
        movie_json=movie_json,
        alternatives_json=alternatives_json or "[]",
        title=title,
        match=_MATCHES[how],
    )


def _demand(found: Found | None, year: int | None) -> Found:
    if found is None:
        of_year = "" if year is None else f" of the year {year}"
        raise MovieNotFound(f"No movie with this title{of_year} is in the catalogue.")
    return found


def read_stored(movie: Movie, rows: Rows) -> Stored:
    """Read what a statement of `upserting` answers for one movie."""
    [[created, movie_json]] = rows
    fields = {"imdb_id": movie.imdb_id, "created": created}
    log.info("movie stored", extra={"fields": fields})
    return Stored(movie_json=movie_json, created=created)


def delete(imdb_id: str, *, user_id: int, address: str | None = None) -> Query[None]:
    """Ask to delete a movie; without one (any more) the answer is `MovieNotFound`.

    Args:
        user_id: Who deletes it, for the log and the audit.
        address: Where they are, likewise.
    """

    def read(rows: Rows) -> None:
        if not rows:
            raise _no_movie(imdb_id)
        log.info("movie deleted", extra={"fields": {"imdb_id": imdb_id, "user_id": user_id}})

    request = current_request.get()
    values: Values = {
        "imdb_id": imdb_id,
        "user_id": user_id,
        "address": address or None,
        "request_id": None if request is None else request.request_id,
    }
    return Query(statement=DELETE, values=values, read=read)


def _no_movie(imdb_id: str) -> MovieNotFound:
    return MovieNotFound(f"No movie with the id {imdb_id} is in the catalogue.")


def _find_page_beside(statement: Statement, position: Position, records: int) -> Query[Page]:
    return Query(
        statement=statement,
        values={**dataclasses.asdict(position), "records": records},
        read=_read_page,
    )


def _read_page(rows: Rows) -> Page:
    [[movies_json, total, first_key, first_id, last_key, last_id, before, after]] = rows
    return Page(
        movies_json=f"[{movies_json or ''}]",  # in Postgres it is a second copy, and dearer
        total=total,
        first=_read_position(first_key, first_id),
        last=_read_position(last_key, last_id),
        more_before=before,
        more_after=after,
    )


def _read_position(sort_key: str | None, imdb_id: str | None) -> Position | None:
    if sort_key is None or imdb_id is None:
        return None
    return Position(sort_key=sort_key, imdb_id=imdb_id)


def as_records(movies: Sequence[Movie]) -> str:
    """Return movies as the JSON array that a statement makes rows of.

    Several of one id, as when a movie was asked for under several ids, become one: the last.
    """
    rows: dict[str, dict[str, object]] = {}
    aliases: dict[str, dict[str, None]] = {}
    for movie in movies:
        rows[movie.imdb_id] = _as_record(movie)
        aliases.setdefault(movie.imdb_id, {}).update(dict.fromkeys(movie.aliases))
    records = [{**row, "aliases": list(aliases[imdb_id])} for imdb_id, row in rows.items()]
    return json.dumps(records, ensure_ascii=False, default=str)


def _as_record(movie: Movie) -> dict[str, object]:
    return {**dataclasses.asdict(movie), "sort_key": title_key(movie.title)}
