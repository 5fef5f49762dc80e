"""`./dev import`, and the first films of an empty catalogue; both with a progress bar."""

import contextlib
import getpass
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from tqdm import tqdm

from lib.db_transactions import TransactionalDatabase
from lib.errors import ServiceError
from lib.imports.ledger import Progress
from lib.imports.orders import ALL_TYPES, MOST_IDS, TICK, Order
from lib.imports.service import STATEMENTS, Done, Importer
from lib.imports.statements import OUTCOMES
from lib.imports.stopping import Limits
from lib.movie import IMDB_ID
from lib.settings import DatabaseSettings, ImportSettings, OmdbSettings, require
from local.environment import Environment, prepared
from local.failure import Failure
from local.migrating import bring_up_to_date

Action = Callable[[Importer, Limits], Done]

_WHY: Final[Mapping[str, str]] = {
    "shutdown": "stopped here",
    "quota": "OMDb's quota of the day is spent",
    "retry_later": "they are to be tried again later",
    "others_working": "another import is at them",
    "omdb_unavailable": "OMDb is not available",
    "key_refused": "OMDb refuses the API key in OMDB_API_KEY",
}
_FAULTS: Final = frozenset({"omdb_unavailable", "key_refused"})


def run(ids: Path | None, search: str | None, *, refresh: bool) -> None:
    """Import what the command line asks for, and say what came of it and how to go on."""
    order = _order(ids, search, refresh=refresh)
    with prepared() as environment:
        if environment.postgres:
            bring_up_to_date(environment)

        def carry_out(importer: Importer, limits: Limits) -> Done:
            return importer.carry_out(order, limits=limits, requested_by=_requester())

        told = _import(environment, "Importing", carry_out)
    print(summary(told))
    stopped_by = told["run"] and told["run"]["stopped_by"]
    if stopped_by in _FAULTS:
        raise Failure(f"the import stopped: {_WHY[stopped_by]}")
    if stopped_by == "shutdown":
        raise KeyboardInterrupt


def fill_when_empty(environment: Environment) -> None:
    """Import the first films if the catalogue holds none, or not yet all of them."""

    def fill(importer: Importer, limits: Limits) -> Done:
        return importer.first_fill(limits, requested_by="./dev serve")

    told = _import(environment, "Importing the first films", fill)
    stopped_by = told["run"] and told["run"]["stopped_by"]
    if stopped_by == "shutdown":
        raise KeyboardInterrupt
    if stopped_by not in {None, "finished"}:
        raise Failure(summary(told))


def summary(told: Mapping[str, Any]) -> str:
    """Say what came of an import and, where something is left, why and how to go on."""
    counts = ", ".join(f"{told[name]:,} {name.replace('_', ' ')}" for name in OUTCOMES)
    if not told["pending"] and not told.get("has_more"):
        return counts
    why = _WHY.get(told["run"]["stopped_by"] if told["run"] else "", "they wait for their turn")
    return f"{counts}\n{told['pending']:,} left, as {why}. Go on with: ./dev import"


def _order(ids: Path | None, search: str | None, *, refresh: bool) -> Order:
    if ids is not None:
        return Order(kind="ids", imdb_ids=_read_ids(ids))
    if search is not None:
        if not search.strip():
            raise Failure("--search is blank: expected words of a title")
        return Order(kind="search", search=" ".join(search.split()))
    return Order(kind="refresh", types=ALL_TYPES) if refresh else TICK


def _import(environment: Environment, what: str, action: Action) -> dict[str, Any]:
    """Run the import engine with a bar that follows it; Ctrl-C ends it in order."""
    variables = environment.variables
    database = TransactionalDatabase(require(DatabaseSettings, variables), statements=STATEMENTS)
    importer = Importer(
        database=database,
        omdb=require(OmdbSettings, variables),
        settings=require(ImportSettings, variables),
    )
    try:
        with _progress(what) as importer.on_progress, _stoppable() as limits:
            done = action(importer, limits)
        return importer.answer(done)
    except ServiceError as error:
        raise Failure(f"the import stopped: {error}") from error
    finally:
        importer.close()
        database.close()


@contextlib.contextmanager
def _stoppable() -> Iterator[Limits]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish to stop; a second one ends at once."""
    limits = Limits()
    if threading.current_thread() is not threading.main_thread():
        yield limits
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if limits.asked_to_stop.is_set():
            raise KeyboardInterrupt
        limits.asked_to_stop.set()
        tqdm.write("Stopping once the calls under way have ended; Ctrl-C again ends at once")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield limits
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[Progress], None]]:
    """Show a bar: done of all, a second, left and errors, from the first that is known of them."""
    with contextlib.ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def follow(progress: Progress) -> None:
            if not bars:
                bar = tqdm(desc=what, unit="film", dynamic_ncols=True, initial=progress.done)
                bars.append(stack.enter_context(bar))
            bars[0].total = progress.total
            left, errors = progress.total - progress.done, progress.errors
            bars[0].set_postfix_str(f"{left:,} left, {errors:,} errors", refresh=False)
            bars[0].update(progress.done - bars[0].n)

        yield follow


def _read_ids(path: Path) -> tuple[str, ...]:
    """Read one IMDb id a line; blank lines and what follows a # are passed over."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Failure(f"{path} cannot be read: {why}") from error
    imdb_ids: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        word = line.partition("#")[0].strip().lower()
        if word and not IMDB_ID.fullmatch(word):
            raise Failure(f"{path}, line {number}: {word[:50]!r} is no IMDb id such as tt0111161")
        if word:
            imdb_ids[word] = None
    if not imdb_ids:
        raise Failure(f"{path} holds no ids: expected one a line, such as tt0111161")
    if len(imdb_ids) > MOST_IDS:
        raise Failure(f"{path} holds {len(imdb_ids):,} ids: an import takes {MOST_IDS:,} at once")
    return tuple(imdb_ids)


def _requester() -> str:
    try:
        return f"./dev import by {getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name
        return "./dev import"
