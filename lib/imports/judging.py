"""What a fetch's outcome means for its item: pure functions.

    stored      the database will tell: imported, updated or unchanged
    pending     to be tried again, after a while
    not_found   the source has no such title, said so for good
    rejected    a title of a kind that was not asked for
    failed      given up, with the reason

A fault of the source as a whole (down, slow, quota, key) is never held against the item alone: when
the breaker opens, or the quota ends, its attempt does not count.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lib.catalogue.movie import Movie
from lib.catalogue.source import AnswerUnreadable, DataMissing, IdMalformed, MovieUnknown, Tombstone
from lib.errors import ServiceError

Outcome = Literal["stored", "pending", "not_found", "rejected", "failed"]

MOST_ATTEMPTS: Final = 5
MOST_MISSES: Final = 2
MOST_LOSSES: Final = 10
# Seconds after the first, second ... attempt: a blip costs little, an outage of two hours nothing.
_DELAYS: Final = (2, 30, 600, 7200)
_NEXT_DAY: Final = 24 * 3600
_AFTER_LOSS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Item:
    """An id that was leased, and what became of it before."""

    imdb_id: str
    attempts: int = 0
    misses: int = 0
    losses: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to write about an item.

    Attributes:
        movie: To store, if that is the outcome.
        error: A stable name of what went wrong; it stays with the item.
        attempts: To add, as are `misses` and `losses`.
        delay: Seconds until the next try.
    """

    item: Item
    outcome: Outcome
    movie: Movie | None = None
    error: str | None = None
    attempts: int = 0
    misses: int = 0
    losses: int = 0
    delay: int = 0


def judge_movie(item: Item, movie: Movie, types: Collection[str]) -> Verdict:
    """Store the movie if it is of a kind that was asked for."""
    if movie.type not in types:
        return Verdict(item=item, outcome="rejected", movie=movie, error=f"type_{movie.type}")
    return Verdict(item=item, outcome="stored", movie=movie)


def judge_fault(item: Item, fault: ServiceError) -> Verdict:
    """Try again what may pass, and give up what won't."""
    error = name_error(fault)
    if isinstance(fault, DataMissing | Tombstone):
        if item.misses + 1 < MOST_MISSES:
            return Verdict(item=item, outcome="pending", error=error, misses=1, delay=_NEXT_DAY)
        return Verdict(item=item, outcome="not_found", error=error, misses=1)
    if isinstance(fault, MovieUnknown):
        return Verdict(item=item, outcome="not_found", error=error)
    if item.attempts + 1 >= MOST_ATTEMPTS or isinstance(fault, AnswerUnreadable):
        return Verdict(item=item, outcome="failed", error=error, attempts=1)
    delay = _DELAYS[min(item.attempts, len(_DELAYS) - 1)]
    return Verdict(item=item, outcome="pending", error=error, attempts=1, delay=delay)


def give_back(item: Item) -> Verdict:
    """Leave an item as it was before it was leased."""
    return Verdict(item=item, outcome="pending")


def forgive(item: Item, fault: ServiceError) -> Verdict:
    """Try an item again that met OMDb at a bad time; but not for ever."""
    if item.losses >= MOST_LOSSES:
        return judge_fault(item, fault)
    error = name_error(fault)
    return Verdict(item=item, outcome="pending", error=error, losses=1, delay=_AFTER_LOSS)


def judge_losses(item: Item) -> Verdict | None:
    """Give up an item whose fetch has ended its process again and again."""
    if item.losses < 2 * MOST_LOSSES:
        return None
    return Verdict(item=item, outcome="failed", error="process_lost")


def judge_refused_row(verdict: Verdict) -> Verdict:
    """Give up an item whose movie the database does not take."""
    return Verdict(item=verdict.item, outcome="failed", error="value_refused", attempts=1)


# What reports call them; the others go by the names of their classes.
_NAMES: Final[Mapping[type[ServiceError], str]] = {
    DataMissing: "data_missing",
    IdMalformed: "id_malformed",
    Tombstone: "duplicate",
    MovieUnknown: "not_found",  # after those that are one as well
}


def name_error(fault: ServiceError) -> str:
    """Name a fault as reports and alerts do."""
    for kind, name in _NAMES.items():
        if isinstance(fault, kind):
            return name
    return re.sub("(?<!^)(?=[A-Z])", "_", type(fault).__name__).lower()
