"""`./dev import`, and the first films of an empty catalogue; both with a progress bar."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from sqlalchemy import select
from tqdm import tqdm

from lib import importing as engine
from lib import movies
from lib.db import Database
from lib.errors import ServiceError
from lib.omdb import MovieSource, OmdbClient
from lib.settings import DatabaseSettings, OmdbSettings, require
from lib.tables import movies as movies_table
from local.environment import Environment, prepared
from local.failure import Failure
from local.migrating import bring_up_to_date

SEARCH_PAGES: Final = 100  # OMDb gives no more, ten titles each
Chooser = Callable[[Database, MovieSource], Sequence[str]]


def run(ids: Path | None, search: str | None, *, refresh: bool) -> None:
    """Import what the command line asks for, and say what came of it."""
    chosen = _read_ids(ids) if ids else []

    def choose(database: Database, source: MovieSource) -> Sequence[str]:
        if refresh:
            return _oldest_first(database)
        if search is not None:
            return _search(source, search)
        return chosen or engine.first_fill(database)

    with prepared() as environment:
        if environment.postgres:
            bring_up_to_date(environment)
        counts = _import(environment, "Importing", choose)
    print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))


def fill_when_empty(environment: Environment) -> None:
    """Import the first films if the catalogue holds none."""
    _import(
        environment, "Importing the first films", lambda database, _: engine.first_fill(database)
    )


def _import(environment: Environment, what: str, choose: Chooser) -> dict[str, int]:
    """Run the import engine over what the chooser gives, with a bar that follows it."""
    settings = require(OmdbSettings, environment.variables)
    statements = [movies.UPSERT, movies.PAGE_AT]
    database = Database(
        require(DatabaseSettings, environment.variables), statements=statements, transactions=True
    )
    source = OmdbClient(settings)
    try:
        imdb_ids = choose(database, source)
        with _progress(what) as follow:
            return engine.import_movies(
                database,
                source,
                imdb_ids,
                concurrency=settings.concurrency,
                on_progress=follow,
            )
    except ServiceError as error:
        raise Failure(f"the import stopped: {error}") from error
    finally:
        source.close()
        database.close()


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
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


def _search(source: MovieSource, title: str) -> list[str]:
    """Give every id that a search finds, page by page."""
    found: list[str] = []
    for page in range(1, SEARCH_PAGES + 1):
        answer = source.search(title, page=page)
        found += [hit.imdb_id for hit in answer.hits]
        if not answer.hits or (answer.total is not None and len(found) >= answer.total):
            break
    return found


def _oldest_first(database: Database) -> list[str]:
    """Give the catalogue's own ids, those first that were fetched longest ago."""
    query = select(movies_table.c.imdb_id).order_by(movies_table.c.fetched_at)
    with database.begin() as connection:
        return list(connection.execute(query).scalars())
