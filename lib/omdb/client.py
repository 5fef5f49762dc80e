"""OMDb over HTTP, as a source of movies.

A call ends in time whatever the other side does, never leaves for another host, and tries again
only where a connection fault left it without an answer: every answer, a 5xx too, may count. The API
key is part of every address that `requests` and `urllib3` know, and so of their exceptions: none of
them leaves this module, not even as the cause or the context of ours.
"""

import http.client
import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

import requests
import urllib3.exceptions

from lib import limits
from lib.catalogue.movie import IMDB_ID, Movie
from lib.catalogue.source import SearchPage
from lib.errors import ServiceError
from lib.omdb import transport
from lib.omdb.faults import (
    OmdbAnswerUnusable,
    OmdbIdMalformed,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbSearchRefused,
    OmdbTimeout,
    OmdbUnavailable,
)
from lib.omdb.questions import plain
from lib.omdb.reading import SEARCH_REFUSED, make_429_fault, read_movie, read_search
from lib.omdb.settings import OmdbSettings

USER_AGENT: Final = "simple-movie-database/1.0"  # none or a browser's gets blocked: OMDb-API#22

T = TypeVar("T")

log = logging.getLogger(__name__)


class Meter(Protocol):
    """Whoever keeps count of the calls."""

    def take(self) -> None:
        """Allow the call that is about to be made, or raise `OmdbQuotaExceeded`."""
        ...

    def note(self, fault: ServiceError | None) -> ServiceError | None:
        """Learn how the call ended, with a fault or None; return the fault to tell."""
        ...


class Unmetered:
    """Counts nothing and allows everything."""

    def take(self) -> None:
        """Allow the call."""

    def note(self, fault: ServiceError | None) -> ServiceError | None:
        """Let it be told as it is."""
        return fault


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """What one call may take: seconds, bytes after decompression, and attempts.

    Attributes:
        backoff: The longest pause before the second attempt; it doubles with each further one.
    """

    connect_timeout: float = limits.OMDB_CONNECT_TIMEOUT
    read_timeout: float = limits.OMDB_READ_TIMEOUT
    attempt_timeout: float = limits.OMDB_ATTEMPT_TIMEOUT
    call_timeout: float = limits.OMDB_CALL_TIMEOUT
    body_bytes: int = 1024 * 1024
    attempts: int = 3
    backoff: float = 0.25


DEFAULT_LIMITS: Final = CallLimits()
_UNMETERED: Final = Unmetered()


class OmdbClient:
    """The movies that OMDb knows. Threads may share a client; it connects when first used.

    Args:
        meter: Is asked before each call, and told what came of it. Attempts that got no answer and
            the one that follows them are one call.
    """

    def __init__(
        self,
        settings: OmdbSettings,
        *,
        call_limits: CallLimits = DEFAULT_LIMITS,
        meter: Meter = _UNMETERED,
    ) -> None:
        self._url = settings.url
        self._key = settings.api_key
        self._limits = call_limits
        self._meter = meter
        self._session = transport.open_session(
            connections=settings.concurrency, user_agent=USER_AGENT
        )

    def find_by_id(self, imdb_id: str) -> Movie:
        """Return the movie of an id; an alias is named among the movie's own."""
        imdb_id = imdb_id.lower()  # in upper case it is "Incorrect IMDb ID." to OMDb
        if not IMDB_ID.fullmatch(imdb_id):
            raise OmdbIdMalformed("No movie can have this imdb_id: expected tt and 7 to 10 digits")
        movie = self._ask({"i": imdb_id}, read_movie)
        # OMDb overlooks surplus zeros: an id that has some is none that it has merged.
        is_alias = int(movie.imdb_id[2:]) != int(imdb_id[2:])
        return replace(movie, aliases=(imdb_id,)) if is_alias else movie

    def find_by_title(self, title: str, *, year: int | None = None) -> Movie:
        """Return the film that OMDb takes for the best match, of no other year than this.

        Only films: without a type, OMDb answers "Star Wars" with an arcade game. With a year it may
        answer a film of another one, which nobody has asked for (OMDb-API#215).
        """
        if not (askable := _askable(title)):
            raise OmdbMovieNotFound("OMDb knows no movie by a title without letters")
        query = {"t": askable, "type": "movie", "y": _digits(year)}
        movie = self._ask(query, read_movie)
        if year is not None and movie.year not in {None, year}:
            raise OmdbMovieNotFound(f"OMDb knows no movie of this title and the year {year}")
        return movie

    def search(
        self,
        title: str,
        *,
        page: int,
        type: str | None = None,  # noqa: A002
        year: int | None = None,
    ) -> SearchPage:
        """Return a page, from 1, of the titles that match; an empty one past the end."""
        if not (askable := _askable(title)):
            raise OmdbSearchRefused(SEARCH_REFUSED)
        query = {"s": askable, "page": str(page), "type": type or None, "y": _digits(year)}
        return self._ask(query, read_search)

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._session.close()

    def _ask(self, query: dict[str, str | None], read: Callable[[int, bytes], T]) -> T:
        """Ask until there is an answer, a fault that stays, or no attempt or time is left."""
        ends = time.monotonic() + self._limits.call_timeout
        attempt = 1
        self._meter.take()
        while True:
            result = self._attempt(query, read, ends)
            if not isinstance(result, _Failure):
                self._meter.note(None)
                return result
            fault = self._meter.note(result.fault) or result.fault
            result.log(attempt)
            # Full jitter: clients that failed together do not come back together.
            pause = random.uniform(0, self._limits.backoff * 2 ** (attempt - 1))  # noqa: S311
            last = attempt >= self._limits.attempts or time.monotonic() + pause >= ends
            if last or not result.passing:
                # Without the frames it came through: their variables hold OMDb's words.
                raise fault.with_traceback(None)
            time.sleep(pause)
            attempt += 1

    def _attempt(
        self, query: dict[str, str | None], read: Callable[[int, bytes], T], ends: float
    ) -> "T | _Failure":
        status: int | None = None
        try:
            status, retry_after, body = self._fetch(query, ends)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                raise make_429_fault(retry_after)
            return read(status, body)
        except ServiceError as fault:
            return _Failure.of_answer(fault, status)
        except transport.OversizeError:
            return _Failure.of_answer(OmdbAnswerUnusable("it is too large"), status)
        except _FOREIGN as error:
            return _Failure.of_call(error)

    def _fetch(self, query: dict[str, str | None], ends: float) -> tuple[int, str | None, bytes]:
        now = time.monotonic()
        left = max(ends - now, 0.001)
        with (
            transport.deadline(now + min(left, self._limits.attempt_timeout)),
            self._session.get(
                self._url,
                # `requests` leaves out what is None; OMDb takes an empty parameter for a value.
                params={"apikey": self._key.reveal(), **query},
                timeout=(min(left, self._limits.connect_timeout), self._limits.read_timeout),
                stream=True,
                allow_redirects=False,
            ) as response,
        ):
            status, retry_after = response.status_code, response.headers.get("Retry-After")
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                return status, retry_after, b""  # whatever its body says
            body = transport.read_body(response, limit=self._limits.body_bytes)
            return status, retry_after, body


# What `requests` raises, and what slips through it: of urllib3, of http.client, of the encoding of
# an address, of the operating system.
_FOREIGN: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """An attempt that failed: what to raise, and whether it may pass at once."""

    fault: ServiceError
    passing: bool
    error_class: str
    status: int | None = None

    @classmethod
    def of_answer(cls, fault: ServiceError, status: int | None) -> "_Failure":
        """Judge an answer: another one would be another call."""
        return cls(fault=fault, passing=False, error_class=type(fault).__name__, status=status)

    @classmethod
    def of_call(cls, error: Exception) -> "_Failure":
        """Judge a call that brought no answer; nothing but the error's class is kept of it."""
        name = type(error).__name__
        connecting = isinstance(error, requests.ConnectTimeout)
        if connecting or _is_timeout(error):
            timeout = OmdbTimeout("OMDb did not answer in time: try again later")
            return cls(fault=timeout, passing=connecting, error_class=name)
        passing = isinstance(
            error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError
        )
        return cls(fault=OmdbUnavailable(), passing=passing, error_class=name)

    def log(self, attempt: int) -> None:
        """Leave a trace of everything but a plain "no such movie"."""
        if isinstance(self.fault, OmdbMovieNotFound):
            return
        level = logging.ERROR if isinstance(self.fault, OmdbKeyRefused) else logging.WARNING
        fields = {"attempt": attempt, "error_class": self.error_class, "status": self.status}
        log.log(level, "OMDb call failed", extra={"fields": fields})


def _is_timeout(error: Exception) -> bool:
    """See a time-out through `requests`, which makes one in a body a ConnectionError around it."""
    return any(
        isinstance(one, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
        for one in (error, *error.args)
    )


def _digits(year: int | None) -> str | None:
    return None if year is None else str(year)


def _askable(title: str) -> str:
    """Spare a title what OMDb's server takes for an attack and answers with 500 (OMDb-API#262)."""
    return re.sub("<|&(?=#)", " ", plain(title)).strip()
