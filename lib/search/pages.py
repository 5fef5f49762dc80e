"""What `movies.search` answers: from what is wanted to a page, and how to go on from it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lib.database.database import Database
from lib.database.statement import Query, Rows
from lib.search import attempts, filling
from lib.search.asking import Wanted
from lib.search.attempts import Attempt
from lib.search.corrections import (
    correct,
    find_alike,
    find_lexemes,
    text_of,
    words_of,
)
from lib.search.counts import Counts, count
from lib.search.cursor import Cursor
from lib.search.statements import BY_COLUMN, BY_RELEVANCE, SORT_COLUMNS
from lib.search.text import Terms
from lib.web.answers import Answer
from lib.web.paging import link_target

# What is asked most; the others are prepared when somebody asks for them.
STATEMENTS: Final = (BY_RELEVANCE, BY_COLUMN["imdb_votes", True])


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of hits.

    Attributes:
        value: What its last movie is ordered by; None where no page follows.
        last: The id of that movie.
        first: The id of the first; None when it is empty.
    """

    movies_json: str
    value: str | None
    last: str | None
    first: str | None


async def search(database: Database, wanted: Wanted, *, path: str) -> Answer:
    """Find what is wanted, and answer a page of it.

    Args:
        database: Asked soon for `STATEMENTS`.
        path: The path that was asked for, to which the links lead.

    Raises:
        DatabaseUnavailable: Not all films can be found yet.
    """
    await filling.demand_done(database)
    attempt, page = await _find(database, wanted)
    counts = None
    if wanted.counts:
        values = attempts.hit_values(attempt, wanted.filters)
        counts = await database.ask_together(count(values))
    following = None
    if page.value is not None and page.last is not None:
        following = Cursor(
            value=page.value, imdb_id=page.last, way=attempt.way, corrected=attempt.corrected
        ).encode(wanted.looked_for)
    answer = Answer(
        body=_write(page, wanted, attempt.corrected, counts, following),
        headers={"Link": ", ".join(_links(wanted, following, path))},
        at_its_address=page.first is not None,
    )
    return wanted.fields.narrow(answer)


async def _find(database: Database, wanted: Wanted) -> tuple[Attempt, Page]:
    """Return the first way to understand what is asked in which anything is found.

    A cursor knows the way of its first page.
    """
    cursor, terms = wanted.cursor, wanted.terms
    attempt = attempts.as_asked(terms, wanted.filters)
    if terms is None or cursor is None or cursor.way == "asked":
        page = await _ask(database, wanted, attempt)
        if page.first is not None or cursor is not None or terms is None:
            return attempt, page
    if cursor is None:
        for part in attempts.instead_of(terms, wanted.filters):
            page = await _ask(database, wanted, part)
            if page.first is not None:
                return part, page
    elif cursor.way == "instead":
        part = attempts.instead(cursor.corrected, terms, wanted.filters)
        return part, await _ask(database, wanted, part)
    return await _find_alike(database, wanted, terms)


async def _find_alike(database: Database, wanted: Wanted, terms: Terms) -> tuple[Attempt, Page]:
    """Return what is found by words that are like those that were asked for."""
    cursor = wanted.cursor
    words = words_of(terms)
    found = correct(words, await database.ask_together(find_alike(words)))
    ways = [attempts.near(terms, found), attempts.far(terms, found)]
    for attempt in ways:
        if cursor is not None and cursor.way == attempt.way:
            return replace(attempt, corrected=cursor.corrected), await _ask(
                database, wanted, attempt
            )
        if cursor is None and attempt.is_possible:
            page = await _ask(database, wanted, attempt)
            if page.first is not None:
                lexemes = await database.ask_together(find_lexemes(page.first))
                return replace(attempt, corrected=text_of(found, lexemes)), page
    return attempts.as_asked(terms, wanted.filters), _EMPTY


_EMPTY: Final = Page(movies_json="[]", value=None, last=None, first=None)


async def _ask(database: Database, wanted: Wanted, attempt: Attempt) -> Page:
    return await database.ask_together(_find_page(wanted, attempt))


def _find_page(wanted: Wanted, attempt: Attempt) -> Query[Page]:
    if wanted.sort.name == "relevance":
        values = attempts.relevance_values(attempt, wanted.filters, wanted.cursor, wanted.records)
        return Query(statement=BY_RELEVANCE, values=values, read=_read_page)
    values = attempts.column_values(
        attempt,
        wanted.filters,
        SORT_COLUMNS[wanted.sort.name],
        descending=wanted.sort.descending,
        cursor=wanted.cursor,
        records=wanted.records,
    )
    statement = BY_COLUMN[wanted.sort.name, wanted.sort.descending]
    return Query(statement=statement, values=values, read=_read_page)


def _read_page(rows: Rows) -> Page:
    [[movies_json, value, last, more, first]] = rows
    return Page(
        movies_json=f"[{movies_json or ''}]",
        value=value if more else None,
        last=last if more else None,
        first=first,
    )


def _write(
    page: Page, wanted: Wanted, corrected: str, counts: Counts | None, following: str | None
) -> bytes:
    pagination = {
        "number_of_records": wanted.records,
        "next_cursor": following,
        "total_records": counts.total if counts else None,
        "total_is_exact": counts.is_exact if counts else None,
    }
    told = {
        "pagination": pagination,
        "corrected_query": corrected or None,
        "facets": counts.facets if counts else None,
    }
    rest = json.dumps(told, ensure_ascii=False)
    return f'{{"data": {page.movies_json}, {rest[1:]}'.encode()


def _links(wanted: Wanted, following: str | None, path: str) -> Iterator[str]:
    target = link_target(path)
    begin = f"{wanted.looked_for}&" if wanted.looked_for else ""
    rest = f"number_of_records={wanted.records}"
    rest += "&counts=true" if wanted.counts else ""
    rest += wanted.fields.link
    yield f'<{target}?{begin}{rest}>; rel="first"'
    if following is not None:
        yield f'<{target}?{begin}cursor={following}&{rest}>; rel="next"'
