"""`./dev import`, and the first films of an empty catalogue; both with a progress bar."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import exists, select
from tqdm import tqdm

from lib.db import Database
from lib.errors import ServiceError
from lib.settings import DatabaseSettings, OmdbSettings, require
from lib.tables import movies
from local.environment import Environment, prepared
from local.failure import Failure
from local.migrating import bring_up_to_date

Progress = Callable[[int, int], None]


def run(ids: Path | None, search: str | None, *, refresh: bool) -> None:
    """Import what the command line asks for, and say what came of it."""
    imdb_ids = _read_ids(ids) if ids else None
    with prepared() as environment:
        if environment.postgres:
            bring_up_to_date(environment)
        with _database(environment) as database, _progress("Importing") as progress:
            counts = _import(database, environment, imdb_ids, search, progress, refresh=refresh)
    print(counts)


def fill_when_empty(environment: Environment) -> None:
    """Import the first films if the catalogue holds none."""
    with _database(environment) as database:
        with database.begin() as connection:
            if connection.execute(select(exists().select_from(movies))).scalar():
                return
        with _progress("Importing the first films") as progress:
            _import(database, environment, None, None, progress, refresh=False)


def _import(
    database: Database,
    environment: Environment,
    imdb_ids: Sequence[str] | None,
    search: str | None,
    progress: Progress,
    *,
    refresh: bool,
) -> Any:
    """Call the import engine: the one place that knows its interface."""
    try:
        engine: Any = importlib.import_module("lib.importing")
        omdb: Any = importlib.import_module("lib.omdb")
    except ModuleNotFoundError as error:
        raise Failure(f"nothing can be imported yet: {error}") from error
    settings = require(OmdbSettings, environment.variables)
    source = omdb.OmdbClient(settings)
    try:
        if search or refresh:
            raise Failure("--search and --refresh are not there yet")
        return engine.import_movies(
            database,
            source,
            engine.FIRST_IDS if imdb_ids is None else imdb_ids,
            concurrency=settings.concurrency,
            on_progress=progress,
        )
    except ServiceError as error:
        raise Failure(f"the import stopped: {error}") from error


@contextlib.contextmanager
def _database(environment: Environment) -> Iterator[Database]:
    database = Database(require(DatabaseSettings, environment.variables), transactions=True)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """Show a bar that follows `done` of `total`, from the first that is known of them."""
    with contextlib.ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def follow(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(tqdm(desc=what, unit="film", dynamic_ncols=True)))
            bars[0].total = total
            bars[0].update(done - bars[0].n)

        yield follow


def _read_ids(path: Path) -> list[str]:
    """Read one IMDb id a line; blank lines and what follows a # are passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Failure(f"{path} cannot be read: {why}") from error
    imdb_ids = [word for line in lines if (word := line.partition("#")[0].strip())]
    if not imdb_ids:
        raise Failure(f"{path} holds no ids: expected one a line, such as tt0111161")
    return imdb_ids
