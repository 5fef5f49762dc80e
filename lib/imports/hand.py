"""What a run has in hand: items that it leased and has not settled yet."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.catalogue.source import KeyRefused, QuotaSpent, is_outage
from lib.imports.fetching import Fetched
from lib.imports.judging import Item, Verdict, forgive, give_back, judge_fault, judge_movie
from lib.imports.ledger import Ledger, Settled

if TYPE_CHECKING:
    from lib.errors import ServiceError


class Suspects:
    """Items whose fetch failed as if the source was down; it may be their own fault all the same.

    An answer to any other item shows that the source is there, and so that the fault was theirs.
    """

    def __init__(self) -> None:
        self._faults: list[tuple[Item, ServiceError]] = []

    def __len__(self) -> int:
        return len(self._faults)

    def judge(self, result: Fetched, types: Collection[str]) -> list[Verdict]:
        """Judge a result and those whose fault it shows; none where it is in doubt itself."""
        item, movie, fault = result.item, result.movie, result.fault
        if movie is not None:
            return [judge_movie(item, movie, types), *self.blame()]
        if fault is None or isinstance(fault, QuotaSpent | KeyRefused):
            return [give_back(item)]
        if is_outage(fault):
            self._faults.append((item, fault))
            return []
        return [judge_fault(item, fault), *self.blame()]

    def blame(self) -> list[Verdict]:
        """Hold the faults against the items."""
        faults, self._faults = self._faults, []
        return [judge_fault(item, fault) for item, fault in faults]

    def forgive(self) -> list[Verdict]:
        """Hold the faults against the source."""
        faults, self._faults = self._faults, []
        return [forgive(item, fault) for item, fault in faults]


@dataclass(kw_only=True)
class Hand:
    """The items in hand; each is being fetched, or waits to be, or is a suspect."""

    ledger: Ledger
    import_id: int
    _items: dict[str, Item] = field(init=False, default_factory=dict)
    _suspects: Suspects = field(init=False, default_factory=Suspects)
    _extend_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._put_off_extension()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def awaits_results(self) -> bool:
        """Whether any item is more than a suspect."""
        return len(self._items) > len(self._suspects)

    def lease(self, *, most: int) -> list[Item]:
        """Take further items whose turn it is."""
        leased = self.ledger.lease(self.import_id, most=most)
        self._items.update({item.imdb_id: item for item in leased})
        return leased

    def extend(self) -> None:
        """Go on holding what is in hand, each time that a third of the lease is over."""
        if time.monotonic() >= self._extend_at:
            self._put_off_extension()
            self.ledger.extend(self.import_id, self._items.values())

    def judge(
        self, results: Sequence[Fetched], types: Collection[str], *, is_down: bool
    ) -> list[Verdict]:
        """Judge results, and the suspects as far as these or the breaker tell.

        Args:
            is_down: Whether the source is known to be down.
        """
        verdicts = [one for result in results for one in self._suspects.judge(result, types)]
        if len(self._suspects) == len(self._items) - len(verdicts):
            verdicts += self._suspects.blame()  # no other item is left that could tell
        if is_down:
            verdicts += self._suspects.forgive()
        return verdicts

    def judge_suspects(self, *, is_down: bool) -> list[Verdict]:
        """Judge those that no further result can tell about, as the run is over."""
        return self._suspects.forgive() if is_down else self._suspects.blame()

    def settle(self, verdicts: Sequence[Verdict]) -> Settled:
        """Write what became of items, which then are no longer in hand."""
        settled = self.ledger.settle(self.import_id, verdicts)
        for verdict in verdicts:
            self._items.pop(verdict.item.imdb_id, None)
        return settled

    def give_back(self) -> None:
        """Leave the rest to others, as it was."""
        self.ledger.give_back(self.import_id, self._items.values())

    def _put_off_extension(self) -> None:
        self._extend_at = time.monotonic() + self.ledger.lease_seconds / 3
