"""One budget of OMDb calls for all instances, kept in Postgres and reserved before each call.

The day's window begins with the first call ever, or at the last reset that was noticed, and is
renewed every 24 hours from there: OMDb tells neither the hour of its reset nor what is left. When
OMDb itself says "Request limit reached!", a row says so to all instances at once. From then on one
call at a time, made by whoever gets the row's lock first, finds out whether it is over: after five
seconds, ten, twenty and so on up to a quarter of an hour. The first probe that gets an answer opens
the budget again and is the new beginning of the window.

A refused key is no quota: it is told at once by every call, and a call that works takes it back.
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import Final, Literal

from lib.db import Database, Statement
from lib.errors import OmdbKeyRefused, OmdbQuotaExceeded, ServiceError
from lib.settings import OmdbSettings

log = logging.getLogger(__name__)

_FIRST_PROBE_SECONDS: Final = 5
_LONGEST_PROBE_SECONDS: Final = 900
_REFUSAL_SECONDS: Final = 1.0  # for which one refusal of ours answers all threads
_MOST_KEPT_BACK: Final = 100

State = Literal["open", "spent", "refused"]

# The row's lock makes one reservation out of reading and writing, whoever else reserves.
_RESERVE: Final = Statement(
    repeatable=False,
    sql=f"""
        insert into omdb_budget as budget (key_digest, daily, used, granted)
        values (:key, :daily::integer, least(:wanted::integer, :most::integer),
                least(:wanted::integer, :most::integer))
        on conflict (key_digest) do update set (
            daily, window_started_at, used, granted, probe_at, probes
        ) = (
            select :daily::integer, began, before + calls, calls,
                case when probing then now() + interval '1 second'
                    * least({_LONGEST_PROBE_SECONDS}, {_FIRST_PROBE_SECONDS} * 2 ^ (probes + 1))
                else budget.probe_at end,
                least(budget.probes + probing::integer, 20)
            from (select budget.probes as probes) now_known,
            lateral (select budget.window_started_at + interval '1 day' * floor(
                extract(epoch from now() - budget.window_started_at) / 86400) as began) day,
            lateral (select case when began > budget.window_started_at then 0
                else budget.used end as before) used_up,
            lateral (select budget.state = 'spent' and budget.probe_at <= now() as probing) probe,
            lateral (select case
                when probing then 1
                when budget.state = 'spent' then 0
                else greatest(0, least(:wanted::integer, :most::integer - before))
            end as calls) decision
        )
        returning granted, state, ceil(extract(epoch from case
            when state = 'spent' then probe_at else window_started_at + interval '1 day'
        end - now()))::integer
    """,  # noqa: S608  built from this module's constants
)
_GIVE_BACK: Final = Statement(
    repeatable=False,
    sql="""
        update omdb_budget set used = greatest(0, used - :calls::integer) where key_digest = :key
    """,
)
_LOOK: Final = Statement(
    repeatable=True,
    sql="""
        select state, greatest(0, ceil(extract(epoch from probe_at - now())))::integer
        from omdb_budget where key_digest = :key
    """,
)
# Only the first to be told changes the row, and knows by it that it was the first.
_CLOSE: Final = Statement(
    repeatable=True,
    sql=f"""
        insert into omdb_budget as budget (key_digest, daily, state, probe_at)
        values (:key, :daily::integer, :state, now() + interval '{_FIRST_PROBE_SECONDS} seconds')
        on conflict (key_digest) do update
            set state = excluded.state, probe_at = excluded.probe_at, probes = 0, changed_at = now()
            where budget.state <> excluded.state
        returning key_digest
    """,  # noqa: S608
)
_OPEN: Final = Statement(
    repeatable=True,
    sql="""
        update omdb_budget set
            state = 'open', probe_at = null, probes = 0, changed_at = now(),
            used = case when state = 'spent' then 1 else used end,
            window_started_at = case when state = 'spent' then now() else window_started_at end
        where key_digest = :key and state <> 'open'
        returning key_digest
    """,
)
STATEMENTS: Final = (_RESERVE, _GIVE_BACK, _LOOK, _CLOSE, _OPEN)


class BudgetSpent(OmdbQuotaExceeded):
    """Our own count allows no further call; OMDb was not asked."""


@dataclass(frozen=True, kw_only=True)
class BudgetState:
    """What all instances know of a key.

    Attributes:
        probe_in_seconds: When OMDb may be asked again whether its quota is back.
    """

    state: State
    probe_in_seconds: int


class Budget:
    """One process' access to the budget; its threads share a small stock of reserved calls.

    Args:
        block: The calls to reserve at once.
        for_import: Whether to leave the last calls of a day to those who add a single movie.
    """

    def __init__(
        self,
        database: Database,
        settings: OmdbSettings,
        *,
        block: int = 1,
        for_import: bool = False,
    ) -> None:
        self._database = database
        self._key = key_digest(settings)
        self._daily = settings.daily_budget
        self._most = self._daily - kept_back(self._daily) * for_import
        self._block = block
        self._lock = threading.Lock()
        self._stock = 0
        self._in_doubt = False
        self._refusal: tuple[float, BudgetSpent] | None = None

    def take(self) -> None:
        """Reserve the call that is about to be made.

        Raises:
            BudgetSpent: There is none left today, or OMDb said so and it is too early to ask again.
        """
        with self._lock:
            if not self._stock:
                self._stock = self._reserve()
            self._stock -= 1

    def note(self, fault: ServiceError | None) -> None:
        """Learn from what OMDb answered to a call; None for what was asked for."""
        if isinstance(fault, OmdbQuotaExceeded):
            self._close("spent")
        elif isinstance(fault, OmdbKeyRefused):
            self._close("refused")
        elif self._in_doubt and (fault is None or fault.status == _NOT_FOUND):
            self._reopen()

    def look(self) -> BudgetState:
        """Ask how things stand without reserving anything."""
        rows = self._database.run(_LOOK, key=self._key)
        known = BudgetState(state="open", probe_in_seconds=0)
        if rows:
            known = BudgetState(state=rows[0][0], probe_in_seconds=rows[0][1] or 0)
        with self._lock:
            self._in_doubt, self._refusal = known.state == "refused", None
        return known

    def give_back(self) -> None:
        """Return what was reserved and not used, at the end of a run."""
        with self._lock:
            unused, self._stock = self._stock, 0
        if unused:
            self._database.run(_GIVE_BACK, key=self._key, calls=unused)

    def _reserve(self) -> int:
        if self._refusal and time.monotonic() < self._refusal[0]:
            raise self._refusal[1]
        [[granted, state, seconds]] = self._database.run(
            _RESERVE, key=self._key, daily=self._daily, wanted=self._block, most=self._most
        )
        self._in_doubt = state != "open"
        if granted:
            return int(granted)
        refusal = BudgetSpent(
            "OMDb's quota is spent: try again later."
            if state == "spent"
            else "The day's budget of OMDb calls is used up: try again later.",
            retry_after_seconds=max(1, seconds),
        )
        self._refusal = (time.monotonic() + _REFUSAL_SECONDS, refusal)
        raise refusal

    def _close(self, state: State) -> None:
        with self._lock:
            # Answers to calls that were under way say nothing new about the quota.
            self._stock, self._in_doubt = 0, state == "refused"
        first = self._database.run(_CLOSE, key=self._key, daily=self._daily, state=state)
        if first and state == "spent":
            log.warning("OMDb quota spent")
        elif first:
            log.critical("OMDb refuses the API key")

    def _reopen(self) -> None:
        with self._lock:
            self._in_doubt, self._refusal = False, None
        if self._database.run(_OPEN, key=self._key):
            log.info("OMDb answers again")


_NOT_FOUND: Final = 404


def key_digest(settings: OmdbSettings) -> str:
    """Tell keys apart without keeping them: too short to find the key by, long enough to differ."""
    return hashlib.sha256(settings.api_key.reveal().encode()).hexdigest()[:4]


def kept_back(daily: int) -> int:
    """Give the calls of a day that imports leave to those who add a single movie."""
    return min(_MOST_KEPT_BACK, daily // 20)
