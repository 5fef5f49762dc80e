"""`lib.imports.hand`: whose fault it was when a fetch failed as if the source was down."""

from typing import cast

import pytest

from lib.catalogue.movie import Movie
from lib.errors import ServiceError
from lib.imports.fetching import Fetched
from lib.imports.hand import Hand, Suspects
from lib.imports.judging import Item, Verdict
from lib.imports.ledger import Ledger, Progress, Settled
from lib.omdb.faults import (
    OmdbAnswerUnreadable,
    OmdbKeyRefused,
    OmdbMovieNotFound,
    OmdbQuotaExceeded,
    OmdbTimeout,
    OmdbUnavailable,
)

FIRST, SECOND = Item(imdb_id="tt0000001"), Item(imdb_id="tt0000002")
DOWN = OmdbUnavailable()


class FakeLedger:
    """Leases two items, and remembers what is done with them."""

    lease_seconds = 120

    def __init__(self) -> None:
        self.settled: list[Verdict] = []
        self.given_back: list[Item] = []

    def lease(self, _import_id: int, *, most: int) -> list[Item]:
        """Give so many."""
        return [FIRST, SECOND][:most]

    def settle(self, _import_id: int, verdicts: list[Verdict]) -> Settled:
        """Note them."""
        self.settled += verdicts
        return Settled(states={}, progress=Progress(total=2, done=0, errors=0))

    def give_back(self, _import_id: int, items: list[Item]) -> None:
        """Note them."""
        self.given_back += items


def failed(item: Item, fault: ServiceError | None) -> Fetched:
    return Fetched(item=item, fault=fault)


def fetched(item: Item) -> Fetched:
    return Fetched(item=item, movie=Movie(imdb_id=item.imdb_id, title="A", type="movie"))


def told(verdicts: list[Verdict]) -> list[tuple[str, str, int, int]]:
    return [(one.item.imdb_id, one.outcome, one.attempts, one.losses) for one in verdicts]


def hand_of_two() -> tuple[Hand, FakeLedger]:
    ledger = FakeLedger()
    hand = Hand(ledger=cast("Ledger", ledger), import_id=1)
    hand.lease(most=2)
    return hand, ledger


def test_an_outage_is_nobodys_fault_until_another_item_is_answered() -> None:
    suspects = Suspects()

    assert suspects.judge(failed(FIRST, DOWN), ["movie"]) == []
    assert len(suspects) == 1
    verdicts = suspects.judge(fetched(SECOND), ["movie"])

    assert told(verdicts) == [("tt0000002", "stored", 0, 0), ("tt0000001", "pending", 1, 0)]
    assert not suspects


def test_a_plain_no_shows_as_well_that_the_source_is_there() -> None:
    for fault in (OmdbMovieNotFound("none"), OmdbAnswerUnreadable("broken")):
        suspects = Suspects()
        suspects.judge(failed(FIRST, OmdbTimeout("slow")), ["movie"])

        verdicts = suspects.judge(failed(SECOND, fault), ["movie"])

        assert [verdict.item for verdict in verdicts] == [SECOND, FIRST]


def test_what_was_not_fetched_or_not_allowed_goes_back_and_tells_nothing() -> None:
    suspects = Suspects()
    suspects.judge(failed(FIRST, DOWN), ["movie"])

    for fault in (None, OmdbQuotaExceeded("spent", retry_after_seconds=1), OmdbKeyRefused("no")):
        assert told(suspects.judge(failed(SECOND, fault), ["movie"])) == [
            ("tt0000002", "pending", 0, 0)
        ]
    assert len(suspects) == 1


def test_where_the_source_is_down_no_attempt_counts() -> None:
    hand, _ = hand_of_two()

    assert hand.judge([failed(FIRST, DOWN)], ["movie"], is_down=False) == []
    verdicts = hand.judge([], ["movie"], is_down=True)

    assert told(verdicts) == [("tt0000001", "pending", 0, 1)]


def test_where_no_other_item_could_tell_the_suspects_are_blamed() -> None:
    hand, _ = hand_of_two()

    both = [failed(FIRST, DOWN), failed(SECOND, DOWN)]
    verdicts = hand.judge(both, ["movie"], is_down=False)

    assert told(verdicts) == [("tt0000001", "pending", 1, 0), ("tt0000002", "pending", 1, 0)]


@pytest.mark.parametrize(("is_down", "attempts", "losses"), [(True, 0, 1), (False, 1, 0)])
def test_a_run_that_is_over_waits_for_no_suspect(
    is_down: bool,  # noqa: FBT001
    attempts: int,
    losses: int,
) -> None:
    hand, ledger = hand_of_two()
    hand.judge([failed(FIRST, DOWN)], ["movie"], is_down=False)
    assert hand.awaits_results  # the other item

    verdicts = hand.judge_suspects(is_down=is_down)
    hand.settle(verdicts)
    hand.give_back()

    assert told(ledger.settled) == [("tt0000001", "pending", attempts, losses)]
    assert ledger.given_back == [SECOND]
