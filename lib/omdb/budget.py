"""One budget of OMDb calls for all instances, kept in Postgres and reserved before each call.

The day's window begins with the first call ever, or at the last reset that was noticed, and is
renewed every 24 hours from there: OMDb tells neither the hour of its reset nor what is left. When
OMDb itself says "Request limit reached!", a row says so to all instances at once. From then on one
call at a time, made by whoever gets the row's lock first, finds out whether it is over: after five
seconds, ten, twenty and so on up to a quarter of an hour. The first probe that gets an answer opens
the budget again and is the new beginning of the window.

The import and those who create single movies each have a share of the day that the other cannot
take; the rest is whoever's comes first.

Where OMDb only asks for patience (429), all instances wait for as long as it says, and the day goes
on. Every caller is told the same wait, that of the row.

A refused key is no quota: it is told at once by every call, and a call that works takes it back.
"""

import hashlib
import logging
import threading
import time
from typing import Final, Literal

from lib.catalogue.source import BudgetState
from lib.database.database import Database
from lib.database.statement import Statement
from lib.errors import ServiceError
from lib.omdb.faults import OmdbKeyRefused, OmdbMovieNotFound, OmdbQuotaExceeded
from lib.omdb.reading import QUOTA_SPENT, SLOW_DOWN
from lib.omdb.settings import OmdbSettings

log = logging.getLogger(__name__)

_FIRST_PROBE_SECONDS: Final = 5
_LONGEST_PROBE_SECONDS: Final = 900
_REFUSAL_SECONDS: Final = 1.0  # for which one refusal of ours answers all threads

_USED_UP: Final = "The day's budget of OMDb calls is used up: try again later"


# The row's lock makes one reservation out of reading and writing, whoever else reserves.
_RESERVE: Final = Statement(
    repeatable=False,
    # Whatever is fetched from here on is of this OMDb and key; in most cases it was before as well.
    sql=f"""
        with claimed as (
            insert into omdb_source as known (id, source)
            select 1, :source::text
            where not exists (select from omdb_source where source = :source::text)
            on conflict (id) do update set source = excluded.source, since = now()
            where known.source <> excluded.source
        )
        insert into omdb_budget as budget (
            key_digest, daily, share, used, used_by_imports, granted
        )
        select :key, :daily::integer, :share::integer, calls, calls * :imports::integer, calls
        from (select least(:wanted::integer, :daily::integer - :share::integer) as calls) decision
        on conflict (key_digest) do update set (
            daily, share, window_started_at, used, used_by_imports, granted, probe_at, probes
        ) = (
            select :daily::integer, :share::integer, began,
                before + calls, before_by_imports + calls * :imports::integer, calls,
                case when probing then now() + interval '1 second'
                    * least({_LONGEST_PROBE_SECONDS}, {_FIRST_PROBE_SECONDS} * 2 ^ (probes + 1))
                else budget.probe_at end,
                least(budget.probes + probing::integer, 20)
            from (select budget.probes as probes) now_known,
            -- A statement that waited for the row's lock may be older than the window.
            lateral (select budget.window_started_at + interval '1 day' * greatest(0, floor(
                extract(epoch from now() - budget.window_started_at) / 86400)) as began) day,
            lateral (select
                case when began > budget.window_started_at then 0 else budget.used end as before,
                case when began > budget.window_started_at then 0
                    else least(budget.used_by_imports, budget.used) end as before_by_imports
            ) used_up,
            lateral (select case when :imports::integer = 1 then before_by_imports
                else before - before_by_imports end as before_by_own) own,
            lateral (select budget.state = 'spent' and budget.probe_at <= now() as probing) probe,
            lateral (select case
                when probing then 1
                when budget.state = 'spent' then 0
                else greatest(0, least(
                    :wanted::integer,
                    :daily::integer - before,
                    :daily::integer - :share::integer - before_by_own))
            end as calls) decision
        )
        returning granted, state, ceil(extract(epoch from case
            when state = 'spent' then probe_at else window_started_at + interval '1 day'
        end - now()))::integer, slowed_down
    """,  # noqa: S608  built from this module's constants
)
_GIVE_BACK: Final = Statement(
    repeatable=False,
    sql="""
        update omdb_budget set
            used = greatest(0, used - :calls::integer),
            used_by_imports = greatest(0, used_by_imports - :calls::integer * :imports::integer)
        where key_digest = :key
    """,
)
_LOOK: Final = Statement(
    repeatable=True,
    sql="""
        select state, greatest(0, ceil(extract(epoch from probe_at - now())))::integer
        from omdb_budget where key_digest = :key
    """,
)
# Only the first to be told changes the state, and knows by the moment of change that it was the
# first. What OMDb tells others later may prolong the wait; a spent quota stays one.
_CLOSE: Final = Statement(
    repeatable=True,
    sql=f"""
        insert into omdb_budget as budget (key_digest, daily, state, probe_at, slowed_down)
        values (:key, :daily::integer, :state,
            now() + interval '1 second' * coalesce(:seconds::integer, {_FIRST_PROBE_SECONDS}),
            :seconds::integer is not null)
        on conflict (key_digest) do update set (
            state, probe_at, probes, changed_at, slowed_down
        ) = (
            select excluded.state,
                case when is_new then excluded.probe_at
                    when :seconds::integer is null then budget.probe_at
                    else greatest(budget.probe_at, excluded.probe_at) end,
                case when is_new then 0 else budget.probes end,
                case when is_new then now() else budget.changed_at end,
                excluded.slowed_down and (is_new or budget.slowed_down)
            from (select budget.state <> excluded.state as is_new) change
        )
        returning changed_at = now(), ceil(extract(epoch from probe_at - now()))::integer,
            slowed_down
    """,  # noqa: S608
)
_OPEN: Final = Statement(
    repeatable=True,
    sql="""
        update omdb_budget set
            state = 'open', probe_at = null, probes = 0, changed_at = now(), slowed_down = false,
            used = case when is_new_day then 1 else used end,
            used_by_imports = case when is_new_day then :imports::integer else used_by_imports end,
            window_started_at = case when is_new_day then now() else window_started_at end
        from (select state = 'spent' and not slowed_down as is_new_day
              from omdb_budget where key_digest = :key) known
        where key_digest = :key and state <> 'open'
        returning key_digest
    """,
)
STATEMENTS: Final = (_RESERVE, _GIVE_BACK, _LOOK, _CLOSE, _OPEN)


class BudgetSpent(OmdbQuotaExceeded):
    """Our own count allows no further call; OMDb was not asked."""


class Budget:
    """One process' access to the budget; its threads share a small stock of reserved calls.

    Args:
        block: The calls to reserve at once.
        for_import: Whether the calls are an import's, or those of who add a single movie.
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
        self._key, self._source = key_digest(settings), source_of(settings)
        self._daily = settings.daily_budget
        self._share = settings.daily_budget * settings.import_share // 100
        self._imports = int(for_import)
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

    def note(self, fault: ServiceError | None) -> ServiceError | None:
        """Learn from what OMDb answered to a call; None for what was asked for.

        Returns:
            What to tell: of a spent quota what all instances tell.
        """
        if isinstance(fault, OmdbQuotaExceeded):
            told = fault.retry_after_seconds if fault.is_told else None
            seconds, message = self._close("spent", told)
            return OmdbQuotaExceeded(message, retry_after_seconds=max(1, seconds))
        if isinstance(fault, OmdbKeyRefused):
            self._close("refused", None)
        elif self._in_doubt and (fault is None or isinstance(fault, OmdbMovieNotFound)):
            self._reopen()
        return fault

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
        """Give back the calls that were reserved and not used, at the end of a run."""
        with self._lock:
            unused, self._stock = self._stock, 0
        if unused:
            self._database.run(_GIVE_BACK, key=self._key, calls=unused, imports=self._imports)

    def _reserve(self) -> int:
        if self._refusal and time.monotonic() < self._refusal[0]:
            raise self._refusal[1]
        [[granted, state, seconds, slowed_down]] = self._database.run(
            _RESERVE,
            key=self._key,
            daily=self._daily,
            share=self._share,
            wanted=self._block,
            imports=self._imports,
            source=self._source,
        )
        self._in_doubt = state != "open"
        if granted:
            return int(granted)
        refusal = BudgetSpent(
            (SLOW_DOWN if slowed_down else QUOTA_SPENT) if state == "spent" else _USED_UP,
            retry_after_seconds=max(1, seconds),
        )
        self._refusal = (time.monotonic() + _REFUSAL_SECONDS, refusal)
        raise refusal

    def _close(self, state: Literal["spent", "refused"], told: int | None) -> tuple[int, str]:
        """Let all instances know; return the seconds until OMDb may be asked again."""
        with self._lock:
            # Answers to calls that were under way say nothing new about the quota.
            self._stock, self._in_doubt = 0, state == "refused"
        [[is_first, seconds, slowed_down]] = self._database.run(
            _CLOSE, key=self._key, daily=self._daily, state=state, seconds=told
        )
        if is_first and state == "refused":
            log.critical("OMDb refuses the API key")
        elif is_first:
            log.warning("OMDb takes no more calls for now" if told else "OMDb quota spent")
        return int(seconds), SLOW_DOWN if slowed_down else QUOTA_SPENT

    def _reopen(self) -> None:
        with self._lock:
            self._in_doubt, self._refusal = False, None
        if self._database.run(_OPEN, key=self._key, imports=self._imports):
            log.info("OMDb answers again")


def key_digest(settings: OmdbSettings) -> str:
    """Tell keys apart without keeping them: too short to find the key by, long enough to differ."""
    return hashlib.sha256(settings.api_key.reveal().encode()).hexdigest()[:4]


def source_of(settings: OmdbSettings) -> str:
    """Tell OMDbs and keys apart: what is known of one is nothing that another has said."""
    # The key's digest and the address' stand apart: together they would tell more of the key.
    return f"{hashlib.sha256(settings.url.encode()).hexdigest()[:16]} {key_digest(settings)}"
