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

from lib.catalogue.source import KeyRefused, MovieSource, QuotaSpent, SourceBudget
from lib.errors import ServiceError
from lib.imports.ending import Ended, StoppedBy, log_end, log_parked
from lib.imports.feeding import feed, is_refusal
from lib.imports.fetching import Fetchers
from lib.imports.hand import Hand
from lib.imports.judging import Verdict, judge_losses
from lib.imports.ledger import Ledger, Ordered, Progress
from lib.imports.pace import Pace
from lib.imports.stopping import WorkingTime

log = logging.getLogger(__name__)

_LEAST_BATCH: Final = 16
_GATHER_SECONDS: Final = 0.1  # for which results are collected into one write
_IN_HAND: Final = 3  # times as many as are fetched at once: fetched, waiting, and being written
_POLL_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 5.0  # a run waits so long for an item's next try, and no longer
_PROBE_SECONDS: Final = 10.0  # and so long for the moment at which the source may be asked again
_IDLE_PAGES: Final = 6
_GRACE_SECONDS: Final = 8.0  # for calls under way once the run is over; Cloud Run gives ten


@dataclass(kw_only=True)
class Run:
    """One run; it is used once."""

    ledger: Ledger
    source: MovieSource
    budget: SourceBudget
    pace: Pace
    import_id: int
    concurrency: int
    working_time: WorkingTime
    on_progress: Callable[[Progress], None] = lambda _: None
    _hand: Hand = field(init=False)
    _order: Ordered = field(init=False)
    _is_refused: bool = field(init=False, default=False)
    _states: Counter[str] = field(init=False, default_factory=Counter)
    _stopped_by: StoppedBy | None = field(init=False, default=None)
    _lease_at: float = field(init=False, default=0.0)
    _failed_pages: int = field(init=False, default=0)
    _idle_pages: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._hand = Hand(ledger=self.ledger, import_id=self.import_id)

    def work(self) -> Ended:
        """Work until the import is finished, or has to wait, or the working time is over.

        Raises:
            DatabaseUnavailable: The ledger cannot be written; what was in hand comes back when
                its lease ends.
        """
        started = time.monotonic()
        if self._read_order():
            if _await_source(self.budget, self.pace, self.working_time):
                self._work()
            else:
                self._stopped_by = "quota"
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
        with Fetchers(self.source, self.pace, threads=self.concurrency) as fetchers:
            while not self._is_over():
                self._take(fetchers)
                if self._hand:
                    self._collect(fetchers)
                    self._hand.extend()
                else:
                    self._wait()
            self._wind_down(fetchers)
        self.budget.give_back()

    def _read_order(self) -> bool:
        """Read how the import stands, and tell whether it is open."""
        ordered = self.ledger.read_order(self.import_id)
        # Of one that ended, a repeat of the request is told what the first was told.
        self._is_refused = ordered is not None and is_refusal(ordered.reason)
        if ordered is None or not ordered.is_open:
            return False
        self._order = ordered
        self.on_progress(ordered.progress)
        return True

    def _is_over(self) -> bool:
        if self._stopped_by is None:
            self._stopped_by = self.working_time.find_reason_to_stop()
        if self._stopped_by is None and self.pace.given_up:
            self._stopped_by = "omdb_unavailable"
        return self._stopped_by is not None

    def _take(self, fetchers: Fetchers) -> None:
        """Keep more in hand than is fetched at once, so that no thread waits for us."""
        room = _IN_HAND * self.concurrency - len(self._hand)
        if room < self.concurrency or (self._hand and time.monotonic() < self._lease_at):
            return
        leased = self._hand.lease(most=room)
        if len(leased) < room:
            self._lease_at = time.monotonic() + 2 * _POLL_SECONDS
            if self._order.has_more:
                self._feed()
        for item in leased:
            if given_up := judge_losses(item):
                self._settle([given_up])
            else:
                fetchers.add(item)

    def _feed(self) -> None:
        fault = feed(self.ledger, self.source, self.import_id, kind=self._order.kind)
        self._stop_for(fault)
        self._failed_pages = self._failed_pages + 1 if fault else 0
        if self._failed_pages >= _IDLE_PAGES - 2:
            self._stopped_by = self._stopped_by or "omdb_unavailable"
        self._read_order()
        self._lease_at = 0.0

    def _collect(self, fetchers: Fetchers) -> None:
        results = fetchers.collect(
            most=max(_LEAST_BATCH, self.concurrency),
            first_within=_POLL_SECONDS,
            rest_within=_GATHER_SECONDS,
        )
        for result in results:
            self._stop_for(result.fault)
        types, is_down = self._order.types, self.pace.is_open
        self._settle(self._hand.judge(results, types, is_down=is_down))

    def _stop_for(self, fault: ServiceError | None) -> None:
        if isinstance(fault, QuotaSpent):
            self._stopped_by = self._stopped_by or "quota"
        elif isinstance(fault, KeyRefused):
            self._stopped_by = "key_refused"

    def _settle(self, verdicts: list[Verdict]) -> None:
        if verdicts:
            settled = self._hand.settle(verdicts)
            log_parked(self.import_id, verdicts)
            self._states.update(settled.states)
            self.on_progress(settled.progress)

    def _wait(self) -> None:
        """Wait for an item's next try if it is near; end the run otherwise."""
        following = self.ledger.find_next_try(self.import_id)
        if following is None and self._order.has_more and self._idle_pages < _IDLE_PAGES:
            self._idle_pages += 1
            self.working_time.sleep(1.0)
            self._read_order()
        elif following is None:
            self._stopped_by = "retry_later" if self._order.has_more else "finished"
        elif following[0] <= min(_IDLE_SECONDS, self.working_time.left):
            self.working_time.sleep(following[0] + 0.01)
        else:
            self._stopped_by = "others_working" if following[1] else "retry_later"

    def _wind_down(self, fetchers: Fetchers) -> None:
        """Finish what is under way, and leave the rest to others."""
        fetchers.stop()
        ends = time.monotonic() + _GRACE_SECONDS
        while self._hand.awaits_results and time.monotonic() < ends:
            self._collect(fetchers)
        self._settle(self._hand.judge_suspects(is_down=self.pace.is_open))
        self._hand.give_back()


def _await_source(budget: SourceBudget, pace: Pace, working_time: WorkingTime) -> bool:
    """Wait until the source may be asked, if that is soon, and tell whether it may be."""
    known = budget.look()
    if known.state == "open":
        return True
    if known.state == "spent":
        if known.probe_in_seconds > min(_PROBE_SECONDS, working_time.left):
            return False
        working_time.sleep(known.probe_in_seconds)
    pace.go_one_by_one()
    return True
