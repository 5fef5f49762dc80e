"""Catalogues of made-up films, kept between runs."""

import contextlib
import csv
import hashlib
import io
import itertools
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lib.accounts.users import AdminSettings
from lib.catalogue import movie
from lib.database.connections import connect_directly
from lib.database.driver import unhurried
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.schema import migrating
from lib.settings import require
from local.bench import films, words
from local.postgres import EmbeddedPostgres

_CHUNK: Final = 2_000  # rows that are sent at once
_COPIED: Final = 50_000  # that are one statement: triggers keep in memory what it wrote
SAMPLED: Final = 10_000  # too many to be asked for twice within any cache's while
PAGE: Final = 10
_ROWS: Final = "select max(fetched_at) from movies"
_SEARCHED: Final = "select sum(rating) from movie_search"
_ORDER: Final = """
    select max(position) from (
        select row_number() over (order by sort_key, imdb_id) as position from movies) walked
"""
_UNIQUE_TITLES: Final = """
    select title from unnest(cast(%s as text[])) wanted (imdb_id) join movies using (imdb_id)
    where not exists (
        select from movies other
        where other.sort_key = movies.sort_key and other.imdb_id <> movies.imdb_id)
"""
_WORD_INDEXES: Final = """
    select indexname, indexdef from pg_indexes
    where tablename = 'movie_search' and indexdef like '%USING gin%'
"""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some films of a catalogue, by chance; the titles are of films that share theirs with none.

    Attributes:
        pages: The numbers of some pages of ten, from the first to the last.
    """

    ids: list[str]
    titles: list[str]
    pages: list[int]


def provide(postgres: EmbeddedPostgres, rows: int, *, password: str) -> str:
    """Make sure that there is a database with so many movies; return its name.

    It is kept for the next time, until the schema, the films or the keys of titles change.

    Args:
        password: Of the administrator that it gets.
    """
    name = f"catalogue_{rows}"
    complete = postgres.folder / f"{name}.complete"
    wanted = fingerprint()
    there = postgres.has_database(name)
    is_complete = complete.exists() and complete.read_text(encoding="ascii") == wanted
    if not (there and is_complete):
        complete.unlink(missing_ok=True)
        if there:
            postgres.drop_database(name)
        print(f"Loading {rows:,} movies, once ...", file=sys.stderr, flush=True)
        postgres.create_database(name)
        settings = require(DatabaseSettings, {"DATABASE_URL": postgres.url(name)})
        _migrate(settings, password)
        _load(settings, rows)
        complete.write_text(wanted, encoding="ascii")
    return name


def fingerprint(*more: Path) -> str:
    """Name what a catalogue is made of: the schema, the films, the keys of titles.

    Args:
        more: Sources of what else is made of it.
    """
    versions = Path(migrating.__file__).parent / "versions"
    modules = [Path(__file__), Path(films.__file__), Path(words.__file__), Path(movie.__file__)]
    sources = [*modules, *more, *sorted(versions.glob("*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


@contextlib.contextmanager
def connect(settings: DatabaseSettings) -> Iterator[Any]:
    """Open a connection in autocommit, without the time-outs of the service."""
    connection: Any = connect_directly(settings)
    connection.autocommit = True
    try:
        connection.execute_simple("set statement_timeout = 0; set lock_timeout = 0")
        with unhurried(connection):
            yield connection
    finally:
        connection.close()


def warm(settings: DatabaseSettings) -> None:
    """Have all movies and their order read once, so that no measurement waits for a disk."""
    with connect(settings) as connection:
        connection.execute_simple(_ROWS)
        connection.execute_simple(_SEARCHED)
        connection.execute_simple(_ORDER)


def sample(settings: DatabaseSettings, rows: int) -> Sample:
    """Pick films of a catalogue that has so many."""
    chance = random.Random(rows)  # noqa: S311  no secret
    # Twice as many, as a title in three or four has a namesake.
    numbers = chance.sample(range(rows), min(2 * SAMPLED, rows))
    ids = [films.imdb_id(number) for number in numbers]
    with connect(settings) as connection:
        cursor = connection.cursor()
        cursor.execute(_UNIQUE_TITLES, (ids,))
        unique = cursor.fetchall()
    last = max(1, rows // PAGE)
    return Sample(
        ids=ids[:SAMPLED],
        titles=[title for (title,) in unique][:SAMPLED],
        pages=chance.sample(range(1, last + 1), min(SAMPLED, last)),
    )


def _migrate(settings: DatabaseSettings, password: str) -> None:
    database = TransactionalDatabase(settings)
    migrating.migrate(database, require(AdminSettings, {"ADMIN_PASSWORD": password}))
    database.close()


def _load(settings: DatabaseSettings, rows: int) -> None:
    columns = ", ".join(next(films.films(1)))
    with connect(settings) as connection, _indexed_afterwards(connection):
        run = connection.cursor().execute
        copy = f"copy movies ({columns}) from stdin (format csv)"
        made = films.films(rows)
        for _ in range(0, rows, _COPIED):
            run(copy, stream=_csv(itertools.islice(made, _COPIED)))
        # As the migration fills it: what is well known lies together.
        run("cluster movie_search using movie_search_votes_imdb_id_idx")
        run("select gather_words(%s)", (2 * rows,))
    with connect(settings) as connection:
        # As autovacuum does a minute later: statistics, and the map that index-only scans rely on.
        connection.execute_simple("vacuum analyze")


@contextlib.contextmanager
def _indexed_afterwards(connection: Any) -> Iterator[None]:
    """Drop the indexes of words for the block: made of all rows at once they take a fifth."""
    cursor = connection.cursor()
    cursor.execute("set maintenance_work_mem = '512MB'")
    cursor.execute(_WORD_INDEXES)
    made = cursor.fetchall()
    for name, _ in made:
        cursor.execute(f"drop index {name}")
    yield
    for _, definition in made:
        cursor.execute(definition)


def _csv(made: Iterator[dict[str, object]]) -> Iterator[bytes]:
    while chunk := list(itertools.islice(made, _CHUNK)):
        text = io.StringIO()
        csv.writer(text).writerows(map(_cells, chunk))
        yield text.getvalue().encode()


def _cells(film: dict[str, object]) -> list[object]:
    return [_cell(name, value) for name, value in film.items()]


def _cell(name: str, value: object) -> object:
    if name == "ratings":
        return json.dumps(value)
    if isinstance(value, list):
        return "{" + ",".join(f'"{item}"' for item in value) + "}"
    return value
