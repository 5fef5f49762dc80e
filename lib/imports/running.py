"""One run over one import: lease, fetch, settle, until nothing is left or something says stop.

The threads fetch; this one leases ahead of them and writes behind them. No more is in hand than
the threads can fetch within a moment, however much is queued, so that a kill costs little and
memory does not grow.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lib.catalogue.source import KeyRefused, MovieSource, QuotaSpent, is_outage
from lib.errors import ServiceError
from lib.imports.ending import Ended, StoppedBy, log_end
from lib.imports.feeding import feed, is_refusal
from lib.imports.fetching import Fetched, Fetchers
from lib.imports.judging import (
    Item,
    Verdict,
    forgive,
    judge_fault,
    judge_losses,
    judge_movie,
)
from lib.imports.ledger import Ledger, Progress
from lib.imports.pace import Pace
from lib.imports.stopping import Limits
from lib.omdb.budget import Budget

log = logging.getLogger(__name__)

_LEAST_BATCH: Final = 16
_GATHER_SECONDS: Final = 0.1  # for which results are collected into one write
_IN_HAND: Final = 3  # times as many as are fetched at once: fetched, waiting, and being written
_POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 5.0  # a run waits so long for an item's next try, and no longer
_PROBE_SECONDS: Final = 10.0  # and so long for the moment at which OMDb may be asked again
_IDLE_PAGES: Final = 6
_GRACE_SECONDS: Final = 8.0  # for calls under way once the run is over; Cloud Run gives ten


@dataclass(kw_only=True)
class Run:
    """One run; it is used once."""

    ledger: Ledger
    source: MovieSource
    budget: Budget
    pace: Pace
    import_id: int
    concurrency: int
    limits: Limits
    on_progress: Callable[[Progress], None] = lambda _: None
    _kind: str = field(init=False, default="")
    _types: tuple[str, ...] = field(init=False, default=())
    _has_more: bool = field(init=False, default=False)
    _hand: dict[str, Item] = field(init=False, default_factory=dict)
    _suspects: list[tuple[Item, ServiceError]] = field(init=False, default_factory=list)
    _states: Counter[str] = field(init=False, default_factory=Counter)
    _stopped_by: StoppedBy | None = field(init=False, default=None)
    _is_refused: bool = field(init=False, default=False)
    _extend_at: float = field(init=False, default=0.0)
    _lease_at: float = field(init=False, default=0.0)
    _failed_pages: int = field(init=False, default=0)
    _idle_pages: int = field(init=False, default=0)

    def work(self) -> Ended:
        """Work until the import is finished, or has to wait, or the limits are reached.

        Raises:
            DatabaseUnavailable: The ledger cannot be written; what was in hand comes back when
                its lease ends.
        """
        started = time.monotonic()
        if self._read_order():
            self._hold_until_omdb_may_be_asked()
            self._work()
            if self.ledger.finish(self.import_id):
                self._stopped_by = "finished"
        if self._is_refused and self._stopped_by in {None, "finished"}:
            self._stopped_by = "search_refused"
        ended = Ended(
            stopped_by=self._stopped_by or "finished",
            states=dict(self._states),
            seconds=round(time.monotonic() - started, 3),
        )
        log_end(self.import_id, ended)
        return ended

    def _work(self) -> None:
        if self._stopped_by is not None:
            return
        self._extend_at = time.monotonic() + self.ledger.lease_seconds / 3
        with Fetchers(self.source, self.pace, threads=self.concurrency) as fetchers:
            while not self._is_over():
                self._take(fetchers)
                if self._hand:
                    self._collect(fetchers, within=_POLL_SECONDS)
                    self._extend()
                else:
                    self._wait()
            self._wind_down(fetchers)
        self.budget.give_back()

    def _read_order(self) -> bool:
        ordered = self.ledger.read_order(self.import_id)
        if ordered is None:
            return False
        # Of one that ended, a repeat of the request is told what the first was told.
        self._is_refused = is_refusal(ordered.reason)
        if not ordered.is_open:
            return False
        self._kind, self._types = ordered.kind, ordered.types
        self._has_more = ordered.has_more
        self.on_progress(ordered.progress)
        return True

    def _hold_until_omdb_may_be_asked(self) -> None:
        known = self.budget.look()
        if known.state == "open":
            return
        if known.state == "spent":
            if known.probe_in_seconds > min(_PROBE_SECONDS, self.limits.left):
                self._stopped_by = "quota"
                return
            self._sleep(known.probe_in_seconds)
        self.pace.go_one_by_one()

    def _is_over(self) -> bool:
        if self._stopped_by is None:
            reason = self.limits.reason()
            if reason is not None:
                self._stopped_by = "shutdown" if reason == "shutdown" else "deadline"
            elif self.pace.given_up:
                self._stopped_by = "omdb_unavailable"
        return self._stopped_by is not None

    def _take(self, fetchers: Fetchers) -> None:
        """Keep more in hand than is fetched at once, so that no thread waits for us."""
        room = _IN_HAND * self.concurrency - len(self._hand)
        if room < self.concurrency or (self._hand and time.monotonic() < self._lease_at):
            return
        leased = self.ledger.lease(self.import_id, most=room)
        if len(leased) < room:
            self._lease_at = time.monotonic() + 2 * _POLL_SECONDS
            if self._has_more:
                self._feed()
        for item in leased:
            self._hand[item.imdb_id] = item
            given_up = judge_losses(item)
            if given_up:
                self._settle([given_up])
            else:
                fetchers.add(item)

    def _feed(self) -> None:
        fault = feed(self.ledger, self.source, self.import_id, kind=self._kind)
        self._stop_for(fault)
        self._failed_pages = self._failed_pages + 1 if fault else 0
        if self._failed_pages >= _IDLE_PAGES - 2:
            self._stopped_by = self._stopped_by or "omdb_unavailable"
        self._read_order()
        self._lease_at = 0.0

    def _collect(self, fetchers: Fetchers, *, within: float) -> None:
        results = fetchers.collect(
            most=max(_LEAST_BATCH, self.concurrency),
            first_within=within,
            rest_within=_GATHER_SECONDS,
        )
        verdicts = [verdict for result in results for verdict in self._judge(result)]
        if self._suspects and len(self._suspects) == len(self._hand) - len(verdicts):
            verdicts += self._cleared()
        if self._suspects and self.pace.is_open:
            verdicts += [forgive(item, fault) for item, fault in self._suspects]
            self._suspects.clear()
        self._settle(verdicts)

    def _judge(self, result: Fetched) -> list[Verdict]:
        item, movie, fault = result.item, result.movie, result.fault
        self._stop_for(fault)
        if movie is not None:
            return [judge_movie(item, movie, self._types), *self._cleared()]
        if fault is None or isinstance(fault, QuotaSpent | KeyRefused):
            return [Verdict(item=item, outcome="pending")]
        if is_outage(fault):
            self._suspects.append((item, fault))
            return []
        return [judge_fault(item, fault), *self._cleared()]

    def _cleared(self) -> list[Verdict]:
        """Hold faults against their items, now that OMDb is known to be there."""
        verdicts = [judge_fault(item, fault) for item, fault in self._suspects]
        self._suspects.clear()
        return verdicts

    def _stop_for(self, fault: ServiceError | None) -> None:
        if isinstance(fault, QuotaSpent):
            self._stopped_by = self._stopped_by or "quota"
        elif isinstance(fault, KeyRefused):
            self._stopped_by = "key_refused"

    def _settle(self, verdicts: list[Verdict]) -> None:
        if not verdicts:
            return
        settled = self.ledger.settle(self.import_id, verdicts)
        for verdict in verdicts:
            self._hand.pop(verdict.item.imdb_id, None)
            if verdict.outcome == "failed":
                fields = {"imdb_id": verdict.item.imdb_id, "reason": verdict.error}
                fields["import_id"] = str(self.import_id)
                log.warning("import item parked", extra={"fields": fields})
        self._states.update(settled.states)
        self.on_progress(settled.progress)

    def _extend(self) -> None:
        if time.monotonic() >= self._extend_at:
            self._extend_at = time.monotonic() + self.ledger.lease_seconds / 3
            self.ledger.extend(self.import_id, self._hand.values())

    def _wait(self) -> None:
        """Wait for an item's next try if it is near; end the run otherwise."""
        following = self.ledger.find_next_try(self.import_id)
        if following is None and self._has_more and self._idle_pages < _IDLE_PAGES:
            self._idle_pages += 1
            self._sleep(1.0)
            self._read_order()
        elif following is None:
            self._stopped_by = "retry_later" if self._has_more else "finished"
        elif following[0] <= min(_IDLE_SECONDS, self.limits.left):
            self._sleep(following[0] + 0.01)
        else:
            self._stopped_by = "others_working" if following[1] else "retry_later"

    def _wind_down(self, fetchers: Fetchers) -> None:
        """Finish what is under way, and leave the rest to others."""
        fetchers.stop()
        ends = time.monotonic() + _GRACE_SECONDS
        while len(self._hand) > len(self._suspects) and time.monotonic() < ends:
            self._collect(fetchers, within=_POLL_SECONDS)
        if self._suspects:
            blame = forgive if self.pace.is_open else judge_fault
            self._settle([blame(item, fault) for item, fault in self._suspects])
        self.ledger.give_back(self.import_id, self._hand.values())

    def _sleep(self, seconds: float) -> None:
        self.limits.asked_to_stop.wait(min(seconds, max(0.0, self.limits.left)))
