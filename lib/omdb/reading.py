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
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from lib.catalogue.movie import Movie
from lib.catalogue.source import SearchHit, SearchPage
from lib.errors import ServiceError
from lib.omdb.faults import (
    OmdbAnswerUnreadable,
    OmdbAnswerUnusable,
    OmdbDataMissing,
    OmdbIdMalformed,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbQuotaExceeded,
    OmdbSearchRefused,
    OmdbTombstone,
    OmdbTooManyResults,
    OmdbUnavailable,
)
from lib.omdb.fields import INTEGER, SMALLINT, Fields
from lib.omdb.mended_json import UNREADABLE, read_json

# The hour at which the quota is renewed is undocumented and not midnight UTC: ask again hourly.
QUOTA_PROBE_SECONDS: Final = 3600
_LONGEST_WAIT_SECONDS: Final = 24 * 3600  # no quota of OMDb's lasts longer

QUOTA_SPENT: Final = "OMDb's quota is spent: try again later"
SLOW_DOWN: Final = "OMDb takes no more calls for now: try again later"
_KEY_REFUSED: Final = "OMDb refuses this service's API key"
_ID_MALFORMED: Final = "OMDb knows no title by this imdb_id, or takes it for malformed"
SEARCH_REFUSED: Final = "OMDb cannot search for this text: give words of a title"


def make_429_fault(retry_after: str | None) -> OmdbQuotaExceeded:
    """Make what an answer of 429 means, from OMDb or from what stands before it.

    Args:
        retry_after: The header of this name: seconds, or a date (RFC 9110, section 10.2.3).
    """
    seconds = _read_seconds(retry_after or "")
    return OmdbQuotaExceeded(
        SLOW_DOWN,
        retry_after_seconds=QUOTA_PROBE_SECONDS
        if seconds is None
        else min(max(1, seconds), _LONGEST_WAIT_SECONDS),
        is_told=seconds is not None,
    )


def read_movie(status: int, body: bytes) -> Movie:
    """Read the movie out of an answer; it carries the answered id, which may not be the asked."""
    fields = Fields(_read_members(status, body))
    if fields.members.get("Title") == "#DUPE#":
        raise OmdbTombstone("OMDb holds only a duplicate's empty entry under this id")
    imdb_id, title, kind = fields.imdb_id("imdbID"), fields.title(), fields.type()
    if imdb_id is None or title is None or kind is None:
        raise OmdbAnswerUnusable("it lacks a sound imdbID, Title or Type")
    return _make_movie(fields, imdb_id, title, kind)


def read_search(status: int, body: bytes) -> SearchPage:
    """Read a page of hits out of an answer; none where nothing was found or the end is past."""
    try:
        members = _read_members(status, body)
    except OmdbIdMalformed:  # its answer to a blank search
        raise OmdbSearchRefused(SEARCH_REFUSED) from None
    except OmdbDataMissing:
        raise OmdbUnavailable from None
    except OmdbMovieNotFound:
        return SearchPage(hits=(), total=None)
    found = members.get("Search")
    if not isinstance(found, list):
        raise OmdbAnswerUnusable("it lacks its list of hits")
    hits = {hit.imdb_id: hit for hit in _read_hits(found)}  # a page may repeat one: OMDb-API#267
    return SearchPage(
        hits=tuple(hits.values()), total=Fields(members).whole("totalResults", 0, INTEGER)
    )


def _make_movie(fields: Fields, imdb_id: str, title: str, kind: str) -> Movie:
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


def _read_hits(found: list[object]) -> Iterator[SearchHit]:
    """Return the hits that could be fetched: one odd entry does not cost the page its others."""
    for entry in found:
        if not isinstance(entry, dict) or entry.get("Title") == "#DUPE#":
            continue
        fields = Fields({name: value for name, value in entry.items() if isinstance(value, str)})
        imdb_id, title, kind = fields.imdb_id("imdbID"), fields.title(), fields.type()
        if imdb_id is not None and title is not None and kind is not None:
            yield SearchHit(imdb_id=imdb_id, title=title, year_text=fields.text("Year"), type=kind)


def _read_members(status: int, body: bytes) -> Mapping[str, object]:
    """Return the members of a successful answer, or raise what the answer means instead."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise make_429_fault(None)
    # Bytes that are no UTF-8 cost only the field they are in: see `_plain`.
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    document = read_json(text)
    refusal = _find_refusal(document, text)
    if refusal is not None:
        raise _explain_refusal(status, refusal)
    if status not in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
        raise OmdbUnavailable
    if document is UNREADABLE and not text.startswith(("{", "[")):
        raise OmdbUnavailable  # a page of whoever stands before OMDb, or nothing at all
    if document is UNREADABLE and text.startswith("{"):
        raise OmdbAnswerUnreadable("its JSON is broken")
    if not isinstance(document, dict):
        raise OmdbAnswerUnusable("it is no JSON object")
    if not _says(document, "true"):
        raise OmdbAnswerUnusable("it does not say whether it succeeded")
    return document


# An error that quotes the request without escaping it is no JSON (OMDb-API#125, #239).
_QUOTING_REFUSAL: Final = re.compile(
    r'\{\s*"Response"\s*:\s*"False"\s*,\s*"Error"\s*:\s*"(.*)"\s*\}', re.DOTALL
)


def _find_refusal(document: object, text: str) -> str | None:
    """Return OMDb's error text, if the body is an error of OMDb's own."""
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


def _explain_refusal(status: int, error: str) -> ServiceError:
    """Tell what an error text means, whatever its status: a spent quota and a bad key are 401."""
    error = error.strip().lower()
    if _SAYS_QUOTA_SPENT.match(error):
        return OmdbQuotaExceeded(QUOTA_SPENT, retry_after_seconds=QUOTA_PROBE_SECONDS)
    for words, fault, message in _MEANINGS:
        if re.match(words, error):
            return fault(message)
    if status == HTTPStatus.UNAUTHORIZED:
        return OmdbKeyRefused(_KEY_REFUSED)
    return OmdbUnavailable()


def _read_seconds(retry_after: str) -> int | None:
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
