"""The port: what any source of movies offers, and what may be wrong with it.

    ServiceError
    ├── MovieUnknown       the source has no such title
    │   ├── IdMalformed    it takes the id for malformed, or for beyond those it knows
    │   ├── DataMissing    not held, or a fault that passes in days
    │   └── Tombstone      a duplicate's empty shell, which may heal
    ├── SearchRefused      it cannot search for this text
    ├── QuotaSpent         no more calls for now: the rest of the day, or as long as it says
    ├── SourceTimeout      no answer in time
    └── SourceUnavailable  no answer of its own
        ├── AnswerUnusable an answer, but it cannot be read or trusted
        │   └── AnswerUnreadable   nor will it ever be: asking again won't help
        └── KeyRefused     it refuses our key: a misconfiguration, not a passing fault

A source gives each of its faults one of these as a parent, and a code and a message for callers.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from lib.catalogue.movie import Movie
from lib.errors import InvalidRequest, NotFound, RetryLater, ServiceError


class MovieUnknown(NotFound):
    """The source has no such title."""


class IdMalformed(MovieUnknown):
    """The source does not take this for an id that a title can have."""


class DataMissing(MovieUnknown):
    """The source cannot get the data of this title; on another day it may."""


class Tombstone(MovieUnknown):
    """The source holds only the empty shell of a duplicate under this id."""


class SearchRefused(InvalidRequest):
    """The source cannot search for this text."""


class QuotaSpent(RetryLater):
    """The source takes no more calls for now.

    Attributes:
        is_told: Whether the source said how long to wait.
    """

    def __init__(self, message: str, *, retry_after_seconds: int, is_told: bool = False) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.is_told = is_told


class SourceTimeout(ServiceError):
    """The source did not answer in time."""


class SourceUnavailable(ServiceError):
    """The source did not give a usable answer."""


class AnswerUnusable(SourceUnavailable):
    """The source answered, but what it said about this title cannot be read or trusted."""


class AnswerUnreadable(AnswerUnusable):
    """The source holds this title's data in a form that breaks its own answers."""


class KeyRefused(SourceUnavailable):
    """The source refuses our key: a misconfiguration, not a passing fault."""


def is_outage(fault: ServiceError | None) -> bool:
    """Tell a fault of a source as a whole from one that belongs to a title, or to us."""
    return isinstance(fault, SourceTimeout | SourceUnavailable) and not isinstance(
        fault, AnswerUnusable | KeyRefused
    )


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


class MovieSource(Protocol):
    """Whatever knows movies; each method raises faults of this module and no others."""

    def find_by_id(self, imdb_id: str) -> Movie:
        """Return the movie of an id; an alias is named among the movie's own."""
        ...

    def find_by_title(self, title: str, *, year: int | None = None) -> Movie:
        """Return the film that the source takes for the best match, of no other year than this."""
        ...

    def search(
        self,
        title: str,
        *,
        page: int,
        type: str | None = None,  # noqa: A002
        year: int | None = None,
    ) -> SearchPage:
        """Return a page, from 1, of the titles that match; an empty one past the end."""
        ...


@dataclass(frozen=True, kw_only=True)
class BudgetState:
    """What all instances know of a source's budget of calls.

    Attributes:
        probe_in_seconds: When the source may be asked again whether its quota is back.
    """

    state: Literal["open", "spent", "refused"]
    probe_in_seconds: int


class SourceBudget(Protocol):
    """The calls that may be made to a source, as whoever makes many has to know them."""

    def look(self) -> BudgetState:
        """Return how things stand, without reserving anything."""
        ...

    def give_back(self) -> None:
        """Return what was reserved and not used."""
        ...
