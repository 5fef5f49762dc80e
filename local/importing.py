"""`./dev import`, and the first films of an empty catalogue; both with a progress bar."""

import contextlib
import getpass
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from tqdm import tqdm

from lib.catalogue.movie import TYPES
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import ServiceError
from lib.imports.ledger import Progress
from lib.imports.orders import MOST_IDS, TICK, Order
from lib.imports.service import STATEMENTS, Done, Importer
from lib.imports.settings import ImportSettings
from lib.imports.statements import OUTCOMES
from lib.imports.stopping import WorkingTime
from lib.omdb.settings import OmdbSettings
from lib.settings import require
from local import id_lists
from local.environment import Environment, prepare
from local.failure import Failure
from local.id_lists import IdList
from local.migrating import bring_up_to_date, cause

Action = Callable[[Importer, WorkingTime], Sequence[Done]]

MOST_ORDERS: Final = 10  # that one file of ids may make: a million ids fit into memory
_WHY: Final[Mapping[str, str]] = {
    "shutdown": "stopped here",
    "quota": "OMDb's quota of the day is spent",
    "retry_later": "they are to be tried again later",
    "others_working": "another import is at them",
    "omdb_unavailable": "OMDb is not available",
    "key_refused": "OMDb refuses the API key in OMDB_API_KEY",
}
_FAULTS: Final = frozenset({"omdb_unavailable", "key_refused"})


def run(
    ids: Path | None,
    search: str | None,
    *,
    refresh: bool,
    types: Sequence[str] | None = None,
    year: int | None = None,
    kind: str | None = None,
) -> None:
    """Import what the command line asks for, and say what came of it and how to go on.

    Args:
        types: The kinds of titles to take.
        year: What narrows a search, as `kind` does.
    """
    if search is None and (year or kind):
        raise Failure("--year and --type narrow a search: give --search, too")
    found = id_lists.read(ids, most=MOST_ORDERS * MOST_IDS) if ids else None
    if found and found.unread:
        print(_describe_unread(found), file=sys.stderr)
    orders = [_search(search, year, kind, types)] if search is not None else []
    orders = orders or _orders(found, refresh=refresh, types=types)
    with prepare() as environment:
        if environment.postgres:
            bring_up_to_date(environment)

        def carry_out(importer: Importer, working_time: WorkingTime) -> list[Done]:
            # All of them also when one cannot end now: each then waits in the ledger for its turn.
            who = _requester()
            return [
                importer.carry_out(one, working_time=working_time, requested_by=who)
                for one in orders
            ]

        told = _import(environment, "Importing", carry_out, unread=found.unread if found else 0)
    print(summary(told, found))
    stopped_by = told["run"] and told["run"]["stopped_by"]
    if stopped_by in _FAULTS:
        raise Failure(f"the import stopped: {_WHY[stopped_by]}")
    if stopped_by == "shutdown":
        raise KeyboardInterrupt
    if told["state"] == "failed":
        raise Failure(f"the import failed: {told['reason']}")


def fill_when_empty(environment: Environment) -> None:
    """Import the first films if the catalogue holds none, or not yet all of them."""

    def fill(importer: Importer, working_time: WorkingTime) -> list[Done]:
        return [importer.fill_first(working_time, requested_by="./dev serve")]

    told = _import(environment, "Importing the first films", fill)
    stopped_by = told["run"] and told["run"]["stopped_by"]
    if stopped_by == "shutdown":
        raise KeyboardInterrupt
    if stopped_by not in {None, "finished"}:
        raise Failure(summary(told))


def summary(told: Mapping[str, Any], found: IdList | None = None) -> str:
    """Say what came of an import, what was left out and, where something is left, how to go on."""
    lines = [", ".join(f"{told[name]:,} {name.replace('_', ' ')}" for name in OUTCOMES)]
    left_out = list(_describe_left_out(told, found))
    if left_out:
        lines.append(f"Left out: {'; '.join(left_out)}")
    if told["pending"] or told.get("has_more"):
        why = _WHY.get(told["run"]["stopped_by"] if told["run"] else "", "they wait for their turn")
        lines.append(f"{told['pending']:,} left, as {why}. Go on with: ./dev import")
    return "\n".join(lines)


def _describe_left_out(told: Mapping[str, Any], found: IdList | None) -> Iterator[str]:
    if found and found.unread:
        yield f"{_count(found.unread, 'line')} without an id"
    if found and found.repeated:
        yield f"{_count(found.repeated, 'repeated id')}"
    errors: Mapping[str, int] = told.get("errors", {})
    rejected = {kind: errors[f"type_{kind}"] for kind in TYPES if f"type_{kind}" in errors}
    if rejected:
        kinds = ", ".join(f"{number:,} of type {kind}" for kind, number in rejected.items())
        wanted = ",".join(kind for kind in TYPES if kind in rejected or kind in told["types"])
        yield f"{kinds} (to have them, too: --types {wanted})"
    if told["not_found"]:
        yield f"{told['not_found']:,} that OMDb does not know"
    if told["failed"]:
        yield f"{told['failed']:,} given up after faults of OMDb's"
    if told.get("reason") and told["state"] != "failed":
        yield told["reason"]


def _describe_unread(found: IdList) -> str:
    """Show the first lines that hold no id, before anything is fetched."""
    rest = found.unread - len(found.shown)
    lines = [f"{found.name}: {_count(found.unread, 'line')} without an id, left out:"]
    lines += [f"  {line}" for line in found.shown]
    return "\n".join([*lines, f"  and {rest:,} more"] if rest > 0 else lines)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _search(title: str, year: int | None, kind: str | None, types: Sequence[str] | None) -> Order:
    if not title.strip():
        raise Failure("--search is blank: expected words of a title")
    return Order(
        kind="search",
        search=" ".join(title.split()),
        search_year=year,
        search_type=kind,
        types=tuple(types or (kind or "movie",)),
    )


def _orders(found: IdList | None, *, refresh: bool, types: Sequence[str] | None) -> list[Order]:
    wanted = tuple(types or ("movie",))
    if found is not None:
        ids = tuple(found.imdb_ids)
        parts = [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]
        return [Order(kind="ids", imdb_ids=part, types=wanted) for part in parts]
    if refresh:
        return [Order(kind="refresh", types=tuple(types or TYPES))]
    if types:
        raise Failure("--types says what to take of --ids, --search or --refresh: give one of them")
    return [TICK]


def _sum_up(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tell of several imports of one file as of one; they differ in their counts only."""
    told = dict(answers[0])
    for name in (*OUTCOMES, "pending", "total"):
        told[name] = sum(answer[name] for answer in answers)
    told["errors"] = sum((Counter(answer.get("errors")) for answer in answers), Counter())
    told["has_more"] = any(answer.get("has_more") for answer in answers)
    runs = [answer["run"] for answer in answers]
    told["run"] = next((run for run in runs if run and run["stopped_by"] != "finished"), runs[0])
    return told


def _import(
    environment: Environment, what: str, action: Action, *, unread: int = 0
) -> dict[str, Any]:
    """Run the import engine with a bar that follows it; Ctrl-C ends it in order."""
    variables = environment.variables
    database = TransactionalDatabase(require(DatabaseSettings, variables), statements=STATEMENTS)
    importer = Importer(
        database=database,
        omdb=require(OmdbSettings, variables),
        settings=require(ImportSettings, variables),
    )
    try:
        with _progress(what, unread) as importer.on_progress, _stoppable() as working_time:
            done = action(importer, working_time)
        return _sum_up([importer.answer(one) for one in done])
    except ServiceError as error:
        raise Failure(f"the import stopped: {error}{cause(error)}") from error
    finally:
        importer.close()
        database.close()


@contextlib.contextmanager
def _stoppable() -> Iterator[WorkingTime]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish to stop; a second one ends at once."""
    working_time = WorkingTime()
    if threading.current_thread() is not threading.main_thread():
        yield working_time
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if working_time.asked_to_stop.is_set():
            raise KeyboardInterrupt
        working_time.asked_to_stop.set()
        tqdm.write("Stopping once the calls under way have ended; Ctrl-C again ends at once")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield working_time
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress(what: str, unread: int) -> Iterator[Callable[[Progress], None]]:
    """Show a bar: done of all, a second, left and errors, from the first that is known of them."""
    also = f", {_count(unread, 'line')} left out" if unread else ""
    with contextlib.ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def follow(progress: Progress) -> None:
            if not bars:
                bar = tqdm(desc=what, unit="film", dynamic_ncols=True, initial=progress.done)
                bars.append(stack.enter_context(bar))
            bars[0].total = progress.total
            left, errors = progress.total - progress.done, progress.errors
            bars[0].set_postfix_str(f"{left:,} left, {errors:,} errors{also}", refresh=False)
            bars[0].update(progress.done - bars[0].n)

        yield follow


def _requester() -> str:
    try:
        return f"./dev import by {getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name
        return "./dev import"
