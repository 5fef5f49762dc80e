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

from lib import omdb_transport, settings
from lib.errors import (
    OmdbAnswerUnusable,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbTimeout,
    OmdbUnavailable,
    ServiceError,
)
from lib.movie import IMDB_ID, Movie
from lib.omdb_answers import (
    SEARCH_REFUSED,
    OmdbIdMalformed,
    OmdbSearchRefused,
    SearchPage,
    movie_from_answer,
    search_from_answer,
    too_many_calls,
)
from lib.omdb_questions import plain
from lib.settings import OmdbSettings

USER_AGENT: Final = "simple-movie-database/1.0"  # none or a browser's gets blocked: OMDb-API#22

T = TypeVar("T")

log = logging.getLogger(__name__)


class MovieSource(Protocol):
    """Whatever knows movies; each method raises faults of `lib.errors` and no others."""

    def by_id(self, imdb_id: str) -> Movie:
        """Give the movie of an id; where that is an alias, the movie names it as one of its own."""
        ...

    def by_title(self, title: str, *, year: int | None = None) -> Movie:
        """Give the film that the source takes for the best match, of no other year than this."""
        ...

    def search(
        self,
        title: str,
        *,
        page: int,
        type: str | None = None,  # noqa: A002
        year: int | None = None,
    ) -> SearchPage:
        """Give a page, from 1, of the titles that match; an empty one past the end."""
        ...


class Meter(Protocol):
    """Whoever keeps count of the calls."""

    def take(self) -> None:
        """Allow the call that is about to be made, or raise `OmdbQuotaExceeded`."""
        ...

    def note(self, fault: ServiceError | None) -> ServiceError | None:
        """Learn what came of it, a fault or None, and give what is to be told of it."""
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

    connect_timeout: float = settings.OMDB_CONNECT_TIMEOUT
    read_timeout: float = settings.OMDB_READ_TIMEOUT
    attempt_timeout: float = settings.OMDB_ATTEMPT_TIMEOUT
    call_timeout: float = settings.OMDB_CALL_TIMEOUT
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
        limits: CallLimits = DEFAULT_LIMITS,
        meter: Meter = _UNMETERED,
    ) -> None:
        self._url = settings.url
        self._key = settings.api_key
        self._limits = limits
        self._meter = meter
        self._session = omdb_transport.open_session(
            connections=settings.concurrency, user_agent=USER_AGENT
        )

    def by_id(self, imdb_id: str) -> Movie:
        """Give the movie of an id; where that is an alias, the movie names it as one of its own."""
        imdb_id = imdb_id.lower()  # in upper case it is "Incorrect IMDb ID." to OMDb
        if not IMDB_ID.fullmatch(imdb_id):
            raise OmdbIdMalformed("No movie can have this imdb_id: expected tt and 7 to 10 digits")
        movie = self._ask({"i": imdb_id}, movie_from_answer)
        # OMDb overlooks surplus zeros: an id that has some is none that it has merged.
        is_alias = int(movie.imdb_id[2:]) != int(imdb_id[2:])
        return replace(movie, aliases=(imdb_id,)) if is_alias else movie

    def by_title(self, title: str, *, year: int | None = None) -> Movie:
        """Give the film that OMDb takes for the best match, of no other year than this.

        Only films: without a type, OMDb answers "Star Wars" with an arcade game. With a year it may
        answer a film of another one, which nobody has asked for (OMDb-API#215).
        """
        if not (askable := _askable(title)):
            raise OmdbMovieNotFound("OMDb knows no movie by a title without letters")
        query = {"t": askable, "type": "movie", "y": _digits(year)}
        movie = self._ask(query, movie_from_answer)
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
        """Give a page, from 1, of the titles that match; an empty one past the end."""
        if not (askable := _askable(title)):
            raise OmdbSearchRefused(SEARCH_REFUSED)
        query = {"s": askable, "page": str(page), "type": type or None, "y": _digits(year)}
        return self._ask(query, search_from_answer)

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
                raise too_many_calls(retry_after)
            return read(status, body)
        except ServiceError as fault:
            return _Failure.of_answer(fault, status)
        except omdb_transport.OversizeError:
            return _Failure.of_answer(
                OmdbAnswerUnusable("OMDb's answer cannot be used: it is too large"), status
            )
        except _FOREIGN as error:
            return _Failure.of_call(error)

    def _fetch(self, query: dict[str, str | None], ends: float) -> tuple[int, str | None, bytes]:
        now = time.monotonic()
        left = max(ends - now, 0.001)
        with (
            omdb_transport.deadline(now + min(left, self._limits.attempt_timeout)),
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
            body = omdb_transport.read_body(response, limit=self._limits.body_bytes)
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
        unavailable = OmdbUnavailable("OMDb is not available: try again later")
        return cls(fault=unavailable, passing=passing, error_class=name)

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
