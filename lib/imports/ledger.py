"""The ledger: imports and their items, as rows that outlive every process.

What a run takes it leases for a while. What it has fetched it settles: the movies and what became
of their items are written by one statement, so that no kill can part them.
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lib.catalogue.movies import as_records
from lib.catalogue.source import SearchHit
from lib.database.database import Database
from lib.errors import DatabaseUnavailable, InternalError, InvalidRequest
from lib.imports import statements
from lib.imports.judging import Item, Verdict, give_back, judge_refused_row

_PAUSES: Final = (0.5, 2.0, 5.0)  # before a batch is written again that the database could not take


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """An import as a run finds it."""

    kind: str
    is_open: bool
    types: tuple[str, ...]
    has_more: bool
    progress: "Progress"
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an import is, all its runs together; `errors` are items given up or not found."""

    total: int
    done: int
    errors: int


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a batch came to: its items by their new state."""

    states: Mapping[str, int]
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class LeasedPage:
    """The page of a search that this run has leased, to fetch it next."""

    title: str
    type: str | None
    year: int | None
    number: int
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """One run's access to the ledger.

    Attributes:
        run: The name under which it leases.
    """

    database: Database
    lease_seconds: int
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    def read_order(self, import_id: int) -> Ordered | None:
        """Read what an import is to do; None when there is none of this id."""
        rows = self.database.run(statements.ORDERED, import_id=import_id)
        return _read_ordered(*rows[0]) if rows else None

    def lease(self, import_id: int, *, most: int) -> list[Item]:
        """Take the items whose turn it is; no other run gets them while the lease lasts."""
        rows = self.database.run(
            statements.LEASE,
            import_id=import_id,
            most=most,
            run=self.run,
            seconds=self.lease_seconds,
        )
        return [
            Item(imdb_id=imdb_id, attempts=attempts, misses=misses, losses=losses)
            for imdb_id, attempts, misses, losses in rows
        ]

    def extend(self, import_id: int, items: Collection[Item]) -> None:
        """Go on holding items whose turn has not come yet."""
        self.database.run(
            statements.EXTEND,
            import_id=import_id,
            run=self.run,
            seconds=self.lease_seconds,
            imdb_ids=json.dumps([item.imdb_id for item in items]),
        )

    def settle(self, import_id: int, verdicts: Sequence[Verdict]) -> Settled:
        """Write a batch; a row that the database does not take costs the batch only that row."""
        try:
            return self._settle_patiently(import_id, verdicts)
        except (InvalidRequest, InternalError):
            if len(verdicts) == 1 and verdicts[0].outcome != "stored":
                raise
        if len(verdicts) == 1:
            return self.settle(import_id, [judge_refused_row(verdicts[0])])
        middle = len(verdicts) // 2
        first = self.settle(import_id, verdicts[:middle])
        second = self.settle(import_id, verdicts[middle:])
        states = Counter(first.states) + Counter(second.states)
        return Settled(states=states, progress=second.progress)

    def give_back(self, import_id: int, items: Collection[Item]) -> None:
        """Leave items to others, as they were."""
        if items:
            self.settle(import_id, [give_back(item) for item in items])

    def find_next_try(self, import_id: int) -> tuple[float, bool] | None:
        """Tell in how many seconds an item may be taken, and whether it is leased until then."""
        rows = self.database.run(statements.NEXT_TRY, import_id=import_id)
        return (max(0.0, rows[0][0]), rows[0][1]) if rows else None

    def finish(self, import_id: int) -> bool:
        """Close the import if nothing is left to do, and tell whether this did it."""
        return bool(self.database.run(statements.FINISH, import_id=import_id))

    def lease_page(self, import_id: int) -> LeasedPage | None:
        """Take the search's next page, unless another run has it."""
        rows = self.database.run(
            statements.LEASE_PAGE, import_id=import_id, seconds=self.lease_seconds
        )
        if not rows:
            return None
        [[title, kind, year, number, attempts]] = rows
        return LeasedPage(title=title, type=kind, year=year, number=number, attempts=attempts)

    def list_page(
        self,
        import_id: int,
        page: LeasedPage,
        hits: Sequence[SearchHit],
        *,
        is_last: bool,
        reason: str | None = None,
    ) -> None:
        """List what a page has found; titles of another kind are rejected without a call.

        Args:
            reason: Why the last page is not the last that OMDb found.
        """
        found = [{"imdb_id": hit.imdb_id, "type": hit.type} for hit in hits]
        self.database.run(
            statements.LIST_PAGE,
            import_id=import_id,
            page=page.number,
            hits=json.dumps(found),
            has_more="false" if is_last else "true",
            reason=reason,
        )

    def fail_page(
        self, import_id: int, page: LeasedPage, *, attempts: int, delay: int, reason: str | None
    ) -> None:
        """Leave a page for later or, with a reason, give up the rest of the search."""
        self.database.run(
            statements.FAIL_PAGE,
            import_id=import_id,
            page=page.number,
            attempts=attempts,
            seconds=delay,
            reason=reason,
        )

    def list_stale(self, import_id: int, *, most: int) -> bool:
        """List the stalest movies that a refresh has not listed yet; tell whether more follow."""
        rows = self.database.run(statements.LIST_STALE, import_id=import_id, most=most)
        return bool(rows and rows[0][0])

    def _settle_patiently(self, import_id: int, verdicts: Sequence[Verdict]) -> Settled:
        for pause in _PAUSES:
            try:
                return self._settle(import_id, verdicts)
            except DatabaseUnavailable:
                time.sleep(pause)
        return self._settle(import_id, verdicts)

    def _settle(self, import_id: int, verdicts: Sequence[Verdict]) -> Settled:
        stored = [
            verdict.movie for verdict in verdicts if verdict.outcome == "stored" and verdict.movie
        ]
        rows = self.database.run(
            statements.SETTLE,
            import_id=import_id,
            run=self.run,
            movies=as_records(stored),
            results=json.dumps([_as_result(verdict) for verdict in verdicts]),
        )
        [[states, total, done, errors]] = rows or [[None, 0, 0, 0]]
        return Settled(
            states=json.loads(states or "{}"),
            progress=Progress(total=total, done=done, errors=errors),
        )


def _as_result(verdict: Verdict) -> dict[str, object]:
    return {
        "asked": verdict.item.imdb_id,
        "outcome": verdict.outcome,
        "answered": verdict.movie and verdict.movie.imdb_id,
        "error": verdict.error,
        "attempts": verdict.attempts,
        "misses": verdict.misses,
        "losses": verdict.losses,
        "delay": verdict.delay,
    }


def _read_ordered(  # noqa: PLR0917  the columns of a row
    kind: str,
    state: str,
    types: Sequence[str],
    has_more: bool,  # noqa: FBT001
    total: int,
    done: int,
    errors: int,
    reason: str | None,
) -> Ordered:
    return Ordered(
        kind=kind,
        is_open=state == "open",
        types=tuple(types),
        has_more=has_more,
        progress=Progress(total=total, done=done, errors=errors),
        reason=reason,
    )
