"""What OMDb's bytes mean: pure functions from a status and a body to values.

OMDb answers misses with 200, a spent quota and a bad key alike with 401, and builds its JSON by
hand, so that whole bodies are not valid. Hence the body decides, then the status, and a body that
cannot be read is mended once. What came out is a value or one of these:

    OmdbMovieNotFound       OMDb has no such title
    ├── OmdbIdMalformed     it takes the id for malformed, or for beyond those it knows
    ├── OmdbDataMissing     "Error getting data.": not held, or a fault that passes in days
    └── OmdbTombstone       "#DUPE#": a duplicate's empty shell, which may heal
    InvalidRequest
    └── OmdbSearchRefused   it cannot search for this text
        └── OmdbTooManyResults   the text is too short or too broad
    OmdbQuotaExceeded       the key's calls of the day are spent, or too many for now: 429
    OmdbUnavailable         no answer of OMDb's own: 5xx, a page of HTML, nothing
    ├── OmdbAnswerUnusable  an answer, but it cannot be read or trusted
    │   └── OmdbAnswerUnreadable   its JSON is broken beyond mending; asking again won't help
    └── OmdbKeyRefused      the key is wrong, or there was none
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from lib.errors import (
    InvalidRequest,
    OmdbAnswerUnusable,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbQuotaExceeded,
    OmdbUnavailable,
    ServiceError,
)
from lib.movie import Movie
from lib.omdb_fields import INTEGER, SMALLINT, Fields
from lib.omdb_json import UNREADABLE, read_json

# The hour at which the quota is renewed is undocumented and not midnight UTC: ask again hourly.
QUOTA_PROBE_SECONDS: Final = 3600
_LONGEST_WAIT_SECONDS: Final = 24 * 3600  # no quota of OMDb's lasts longer

QUOTA_SPENT: Final = "OMDb's quota is spent: try again later"
SLOW_DOWN: Final = "OMDb takes no more calls for now: try again later"
_KEY_REFUSED: Final = "OMDb refuses this service's API key"
_ID_MALFORMED: Final = "OMDb knows no title by this imdb_id, or takes it for malformed"
SEARCH_REFUSED: Final = "OMDb cannot search for this text: give words of a title"


class OmdbIdMalformed(OmdbMovieNotFound):
    """OMDb does not take this for an id that a title can have."""


class OmdbDataMissing(OmdbMovieNotFound):
    """OMDb cannot get the data of this title; on another day it may."""


class OmdbTombstone(OmdbMovieNotFound):
    """OMDb holds only the empty shell of a duplicate under this id."""


class OmdbAnswerUnreadable(OmdbAnswerUnusable):
    """OMDb holds this title's data in a form that breaks its own JSON."""


class OmdbSearchRefused(InvalidRequest):
    """OMDb cannot search for this text."""


class OmdbTooManyResults(OmdbSearchRefused):
    """The text is too short or too broad for OMDb to search for."""


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """A title that a search found; `year_text` is as its source writes it, a range for a series."""

    imdb_id: str
    title: str
    year_text: str | None
    type: str


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    """One page of a search; `total` counts the hits of all pages, where the source says so."""

    hits: tuple[SearchHit, ...]
    total: int | None


def too_many_calls(retry_after: str | None) -> OmdbQuotaExceeded:
    """Make what an answer of 429 means, from OMDb or from what stands before it.

    Args:
        retry_after: The header of this name: seconds, or a date (RFC 9110, section 10.2.3).
    """
    seconds = _seconds(retry_after or "")
    return OmdbQuotaExceeded(
        SLOW_DOWN,
        retry_after_seconds=QUOTA_PROBE_SECONDS
        if seconds is None
        else min(max(1, seconds), _LONGEST_WAIT_SECONDS),
        is_told=seconds is not None,
    )


def movie_from_answer(status: int, body: bytes) -> Movie:
    """Read the movie out of an answer; it carries the answered id, which may not be the asked."""
    fields = Fields(_members(status, body))
    if fields.members.get("Title") == "#DUPE#":
        raise OmdbTombstone("OMDb holds only a duplicate's empty entry under this id")
    imdb_id, title, kind = fields.imdb_id("imdbID"), fields.title(), fields.type()
    if imdb_id is None or title is None or kind is None:
        raise _unusable("it lacks a sound imdbID, Title or Type")
    return _movie(fields, imdb_id, title, kind)


def search_from_answer(status: int, body: bytes) -> SearchPage:
    """Read a page of hits out of an answer; none where nothing was found or the end is past."""
    try:
        members = _members(status, body)
    except OmdbIdMalformed:  # its answer to a blank search
        raise OmdbSearchRefused(SEARCH_REFUSED) from None
    except OmdbDataMissing:
        raise _unavailable() from None
    except OmdbMovieNotFound:
        return SearchPage(hits=(), total=None)
    found = members.get("Search")
    if not isinstance(found, list):
        raise _unusable("it lacks its list of hits")
    hits = {hit.imdb_id: hit for hit in _hits(found)}  # a page may repeat one: OMDb-API#267
    return SearchPage(
        hits=tuple(hits.values()), total=Fields(members).whole("totalResults", 0, INTEGER)
    )


def _movie(fields: Fields, imdb_id: str, title: str, kind: str) -> Movie:
    year, year_end = fields.years(kind)
    return Movie(
        imdb_id=imdb_id,
        title=title,
        type=kind,
        year=year,
        year_end=year_end,
        rated=fields.rated(),
        released=fields.date("Released"),
        runtime_minutes=fields.minutes("Runtime"),
        genres=fields.names("Genre"),
        directors=fields.people("Director"),
        writers=fields.people("Writer"),
        actors=fields.people("Actors"),
        plot=fields.text("Plot"),
        languages=tuple(name for name in fields.names("Language") if name != "None"),
        countries=fields.countries(),
        awards=fields.awards(),
        poster_url=fields.url("Poster"),
        ratings=fields.ratings(),
        metascore=fields.whole("Metascore", 0, 100),
        imdb_rating=fields.rating(),
        imdb_votes=fields.whole("imdbVotes", 0, INTEGER),
        box_office_usd=fields.dollars("BoxOffice"),
        total_seasons=fields.whole("totalSeasons", 1, SMALLINT),
        website=fields.url("Website"),
        dvd_released=fields.date("DVD"),
        production=fields.text("Production"),
        season=fields.whole("Season", 0, INTEGER),
        episode=fields.whole("Episode", 0, INTEGER),
        series_id=fields.imdb_id("seriesID"),
    )


def _hits(found: list[object]) -> Iterator[SearchHit]:
    """Give the hits that could be fetched: one odd entry does not cost the page its others."""
    for entry in found:
        if not isinstance(entry, dict) or entry.get("Title") == "#DUPE#":
            continue
        fields = Fields({name: value for name, value in entry.items() if isinstance(value, str)})
        imdb_id, title, kind = fields.imdb_id("imdbID"), fields.title(), fields.type()
        if imdb_id is not None and title is not None and kind is not None:
            yield SearchHit(imdb_id=imdb_id, title=title, year_text=fields.text("Year"), type=kind)


def _members(status: int, body: bytes) -> Mapping[str, object]:
    """Give the members of a successful answer, or raise what the answer means instead."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise too_many_calls(None)
    # Bytes that are no UTF-8 cost only the field they are in: see `_plain`.
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    document = read_json(text)
    refusal = _refusal(document, text)
    if refusal is not None:
        raise _refused(status, refusal)
    if status not in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
        raise _unavailable()
    if document is UNREADABLE and not text.startswith(("{", "[")):
        raise _unavailable()  # a page of whoever stands before OMDb, or nothing at all
    if document is UNREADABLE and text.startswith("{"):
        raise OmdbAnswerUnreadable("OMDb's answer cannot be used: its JSON is broken")
    if not isinstance(document, dict):
        raise _unusable("it is no JSON object")
    if not _says(document, "true"):
        raise _unusable("it does not say whether it succeeded")
    return document


# An error that quotes the request without escaping it is no JSON (OMDb-API#125, #239).
_QUOTING_REFUSAL: Final = re.compile(
    r'\{\s*"Response"\s*:\s*"False"\s*,\s*"Error"\s*:\s*"(.*)"\s*\}', re.DOTALL
)


def _refusal(document: object, text: str) -> str | None:
    """Give OMDb's error text, if the body is an error of OMDb's own."""
    if isinstance(document, dict):
        error = document.get("Error")
        if _says(document, "false") or (isinstance(error, str) and not _says(document, "true")):
            return error if isinstance(error, str) else ""
    elif document is UNREADABLE:
        quoting = _QUOTING_REFUSAL.fullmatch(text)
        if quoting:
            return quoting[1]
        if text.startswith(("Conversion from string", "Syntax error near")):
            return text
    return None


# What an error text begins with, so that words of the request that it quotes cannot pass for one;
# the list is not published (OMDb-API#207). An unknown error says nothing about the title.
_SAYS_QUOTA_SPENT: Final = re.compile("(daily )?request limit reached")
_MEANINGS: Final[tuple[tuple[str, type[ServiceError], str], ...]] = (
    ("(invalid|no) api key", OmdbKeyRefused, _KEY_REFUSED),
    ("incorrect imdb id", OmdbIdMalformed, _ID_MALFORMED),
    ("conversion from string", OmdbIdMalformed, _ID_MALFORMED),
    ("error getting data", OmdbDataMissing, "OMDb has no data for this movie at present"),
    (
        "(movie|series|game|episode)( or (season|episode))? not found",
        OmdbMovieNotFound,
        "OMDb knows no such movie",
    ),
    ("too many results", OmdbTooManyResults, "OMDb finds too many titles: give a longer text"),
    ("syntax error near", OmdbSearchRefused, SEARCH_REFUSED),
    ("the offset specified", OmdbSearchRefused, SEARCH_REFUSED),
)


def _refused(status: int, error: str) -> ServiceError:
    """Tell what an error text means, whatever its status: a spent quota and a bad key are 401."""
    error = error.strip().lower()
    if _SAYS_QUOTA_SPENT.match(error):
        return OmdbQuotaExceeded(QUOTA_SPENT, retry_after_seconds=QUOTA_PROBE_SECONDS)
    for words, fault, message in _MEANINGS:
        if re.match(words, error):
            return fault(message)
    if status == HTTPStatus.UNAUTHORIZED:
        return OmdbKeyRefused(_KEY_REFUSED)
    return _unavailable()


def _seconds(retry_after: str) -> int | None:
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return int(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date.replace(tzinfo=date.tzinfo or UTC)
    return round((date - datetime.now(UTC)).total_seconds())


def _says(document: Mapping[str, object], response: str) -> bool:
    said = document.get("Response")
    return isinstance(said, str) and said.lower() == response


def _unavailable() -> OmdbUnavailable:
    return OmdbUnavailable("OMDb is not available: try again later")


def _unusable(why: str) -> OmdbAnswerUnusable:
    return OmdbAnswerUnusable(f"OMDb's answer cannot be used: {why}")
