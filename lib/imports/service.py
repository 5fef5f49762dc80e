"""An order, or a tick, from beginning to end."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable
from lib.imports import choosing, reports, statements
from lib.imports.ending import Ended
from lib.imports.ledger import Ledger, Progress
from lib.imports.opening import find_import_of_key, open_import, remember_key
from lib.imports.orders import FIRST_FILL, STALEST, TICK, Order
from lib.imports.pace import Pace
from lib.imports.running import Run
from lib.imports.settings import ImportSettings
from lib.imports.stopping import WorkingTime
from lib.omdb.budget import STATEMENTS as BUDGET_STATEMENTS
from lib.omdb.budget import Budget
from lib.omdb.client import CallLimits, OmdbClient
from lib.omdb.settings import OmdbSettings

log = logging.getLogger(__name__)

STATEMENTS: Final = (*statements.STATEMENTS, *reports.STATEMENTS, *BUDGET_STATEMENTS)
# One try again for a connection that went stale; all else the ledger tries again, later.
CALL_LIMITS: Final = CallLimits(attempts=2)
_COUNTS: Final = (*statements.OUTCOMES, "pending")
_RUN_NAMES: Final = {"pending": "put_back"}  # what is pending in all, the import tells
_GO_ON: Final = frozenset({"finished", "retry_later", "others_working", "search_refused"})


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a request came to.

    Attributes:
        import_id: None where a tick found nothing to do.
        last: How the last run ended; None where there was none.
        states: What all runs of the request did, in items.
    """

    import_id: int | None
    last: Ended | None
    states: dict[str, int]


@dataclass(kw_only=True)
class Importer:
    """Imports with one OMDb session, one pace and one stock of calls for the whole process.

    Args:
        database: Made with `STATEMENTS`.
    """

    database: TransactionalDatabase
    omdb: OmdbSettings
    settings: ImportSettings
    call_limits: CallLimits = CALL_LIMITS
    on_progress: Callable[[Progress], None] = lambda _: None
    _budget: Budget = field(init=False)
    _pace: Pace = field(init=False)
    _source: OmdbClient = field(init=False)

    def __post_init__(self) -> None:
        self._budget = Budget(
            self.database, self.omdb, block=self.omdb.concurrency, for_import=True
        )
        self._pace = Pace(self.omdb.concurrency)
        self._source = OmdbClient(self.omdb, call_limits=self.call_limits, meter=self._budget)

    def carry_out(
        self, order: Order, *, working_time: WorkingTime, key: str | None = None, requested_by: str
    ) -> Done:
        """Work on what is ordered until it is finished, has to wait, or the working time is over.

        Raises:
            IdempotencyKeyReused: The key was used for another order.
            DatabaseUnavailable: The ledger cannot be read or written.
        """
        if order.kind == "tick":
            done = self._tick(working_time, key, requested_by)
        else:
            import_id = open_import(self.database, order, key=key, requested_by=requested_by)
            done = self._carry_on(import_id, working_time)
        self._gather_words(working_time)
        return done

    def fill_first(self, working_time: WorkingTime, *, requested_by: str) -> Done:
        """Go on with the first fill where one is open, else fill an empty catalogue."""
        import_id = choosing.find_open_fill(self.database)
        if import_id is not None:
            done = self._carry_on(import_id, working_time)
            self._gather_words(working_time)
            return done
        if choosing.find_choice(self.database, ()).needs_first_fill:
            return self.carry_out(FIRST_FILL, working_time=working_time, requested_by=requested_by)
        return Done(import_id=None, last=None, states={})

    def answer(self, done: Done) -> dict[str, Any]:
        """Tell a request's caller about the import, and what the request itself did."""
        if done.import_id is None:
            nothing = dict.fromkeys(_COUNTS, 0)
            return {"id": None, "kind": None, "state": "done", "total": 0, **nothing, "run": None}
        content = self.database.answer(reports.find_report(done.import_id))
        run: dict[str, Any] | None = None
        if done.last is not None:
            run = {
                "stopped_by": done.last.stopped_by,
                "seconds": done.last.seconds,
                "items": {_RUN_NAMES.get(name, name): done.states[name] for name in done.states},
            }
        return content | {"run": run}

    def close(self) -> None:
        """Close the session."""
        self._source.close()

    def _tick(self, working_time: WorkingTime, key: str | None, requested_by: str) -> Done:
        """Do what is most in need of doing, then the next, while there is time."""
        known = find_import_of_key(self.database, key, TICK) if key else None
        if known is not None:
            return self._carry_on(known, working_time)
        choosing.sweep(self.database)
        states: Counter[str] = Counter()
        seen: list[int] = []
        last: Ended | None = None
        while last is None or (
            last.stopped_by in _GO_ON and not working_time.find_reason_to_stop()
        ):
            import_id = self._choose(seen, requested_by)
            if import_id is None:
                break
            if key and not seen:
                remember_key(self.database, key, TICK, import_id)
            seen.append(import_id)
            last = self._run(import_id, working_time)
            states.update(last.states)
        import_id = seen[-1] if seen else choosing.find_oldest_open(self.database)
        return Done(import_id=import_id, last=last, states=dict(states))

    def _gather_words(self, working_time: WorkingTime) -> None:
        """Count the words and facets of what was written since the last time, by whomever.

        What cannot be counted now is counted by the next; the import itself is over.
        """
        gathered = statements.GATHERED_AT_ONCE
        try:
            while gathered == statements.GATHERED_AT_ONCE:
                [[gathered]] = self.database.run(statements.GATHER)
                if working_time.find_reason_to_stop():
                    break
        except DatabaseUnavailable:
            log.warning("words not gathered")

    def _choose(self, seen: Sequence[int], requested_by: str) -> int | None:
        """Go on with what is open, else fill an empty catalogue, else refresh the stalest.

        What is open comes first also where the catalogue is empty: it may just have begun.
        """
        choice = choosing.find_choice(self.database, seen)
        order: Order | None = None
        if choice.import_id is not None:
            return choice.import_id
        if choice.needs_first_fill and not seen:
            order = FIRST_FILL
        elif choice.movies_are_due:
            order = STALEST
        if order is None:
            return None
        opened = open_import(self.database, order, key=None, requested_by=requested_by)
        return None if opened in seen else opened

    def _carry_on(self, import_id: int, working_time: WorkingTime) -> Done:
        ended = self._run(import_id, working_time)
        return Done(import_id=import_id, last=ended, states=dict(ended.states))

    def _run(self, import_id: int, working_time: WorkingTime) -> Ended:
        self._pace.reset()
        return Run(
            ledger=Ledger(database=self.database, lease_seconds=self.settings.lease_seconds),
            source=self._source,
            budget=self._budget,
            pace=self._pace,
            import_id=import_id,
            concurrency=self.omdb.concurrency,
            working_time=working_time,
            on_progress=self.on_progress,
        ).work()
