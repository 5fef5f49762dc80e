"""Movies that callers ask for one by one: from what is known, else from OMDb.

Whoever asks the same at once shares one call to OMDb. Each caller pays for the call that they wait
for, once however many of their requests wait for it, and is refused for themselves alone.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from lib.catalogue.movie import Movie
from lib.catalogue.movies import Stored
from lib.catalogue.source import MovieSource
from lib.catalogue.wanted import Wanted
from lib.database.database import Database
from lib.errors import Overloaded
from lib.omdb import budget, memory, payers
from lib.omdb.budget import BudgetSpent
from lib.omdb.faults import OmdbMovieNotFound
from lib.omdb.memory import Memory, NoMovie
from lib.omdb.payers import Payer
from lib.omdb.questions import Question, question
from lib.omdb.settings import OmdbSettings
from lib.web import callers
from lib.web.callers import ClientDisconnect
from lib.web.threads import once_at_a_time

STATEMENTS: Final = (
    *budget.STATEMENTS, *payers.STATEMENTS, *memory.STATEMENTS,
)  # fmt: skip


@dataclass(kw_only=True)
class _Seat:
    """One caller's share in one question: their requests that wait, and what they paid.

    Attributes:
        paid: The answer that was known without a call; None once one is paid for.
    """

    paid: "asyncio.Future[Stored | NoMovie | None]"
    waiting: int = 0
    is_paid_back: bool = False


@dataclass(kw_only=True)
class _Learned:
    """What one call taught those who share it."""

    answer: Stored | NoMovie

    def take(self) -> Stored | NoMovie:
        """Return the answer; a new movie is new to whoever comes first."""
        answer = self.answer
        if isinstance(answer, Stored):
            self.answer = replace(answer, created=False)
        return answer


class Creator:
    """Creates movies for one instance.

    Args:
        database: Made with `STATEMENTS`.
    """

    def __init__(self, database: Database, source: MovieSource, settings: OmdbSettings) -> None:
        self._database = database
        self._source = source
        self._memory = Memory(database, settings)
        self._seats: dict[tuple[str, str], _Seat] = {}

    async def create(self, wanted: Wanted, caller: Payer) -> Stored:
        """Return the movie that the caller means, stored.

        Raises:
            OmdbMovieNotFound: OMDb knows none.
            TooManyRequests: OMDb has to be asked, and the caller has used up their calls.
        """
        asked = question(wanted)
        place = (asked.spelling, caller.name)
        seat = self._seats.get(place)
        if seat is None:
            seat = self._seats[place] = _Seat(paid=asyncio.ensure_future(self._pay(asked, caller)))
            seat.paid.add_done_callback(_look_at)
        seat.waiting += 1
        try:
            answer = await asyncio.shield(seat.paid)
            if answer is None:
                answer = await self._share_call(asked)
        except (BudgetSpent, Overloaded, ClientDisconnect):  # OMDb was not asked
            self._close(place, seat)  # before the refund: who comes now pays anew
            await self._pay_back(seat, caller)
            raise
        finally:
            seat.waiting -= 1
            if not seat.waiting:
                self._close(place, seat)
        if isinstance(answer, NoMovie):
            raise answer.fault()
        return answer

    async def _share_call(self, asked: Question) -> Stored | NoMovie:
        """Return what OMDb says; whoever asks the same meanwhile shares the call."""
        while True:
            learned = await once_at_a_time((self, asked.key), lambda: self._learn(asked))
            answer = learned.take()
            # Who shares a call about another spelling has no answer to their own in a "no".
            if isinstance(answer, Stored) or answer.spelling == asked.spelling:
                return answer

    def _close(self, place: tuple[str, str], seat: _Seat) -> None:
        if self._seats.get(place) is seat:
            del self._seats[place]

    async def _pay(self, asked: Question, caller: Payer) -> Stored | NoMovie | None:
        """Return what is known; charge the caller for a call where nothing is."""
        callers.current.set(None)  # others may wait for it when the first of them leaves
        known = await self._database.ask(self._memory.recall(asked))
        if known is None:
            await self._database.ask(payers.charge(caller))
        return known

    async def _pay_back(self, seat: _Seat, caller: Payer) -> None:
        if not seat.is_paid_back:
            seat.is_paid_back = True
            callers.current.set(None)  # it is due, whether or not they are still there
            await self._database.ask(payers.refund(caller))

    def _learn(self, asked: Question) -> _Learned:
        """Ask OMDb, unless somebody else has just done so, and remember what it says."""
        known = self._database.answer(self._memory.recall(asked))
        return _Learned(answer=known or self._ask(asked))

    def _ask(self, asked: Question) -> Stored | NoMovie:
        try:
            movie = self._fetch(asked)
        except OmdbMovieNotFound as fault:
            return self._memory.remember_none(asked, fault)
        return self._memory.store(asked, movie)

    def _fetch(self, asked: Question) -> Movie:
        if asked.imdb_id is not None:
            return self._source.find_by_id(asked.imdb_id)
        return self._source.find_by_title(asked.title, year=asked.year)


def _look_at(paid: "asyncio.Future[Stored | NoMovie | None]") -> None:
    """Take note of a refusal that nobody waits for any more, which asyncio would report."""
    if not paid.cancelled():
        paid.exception()
