"""What the tests of imports share."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text

from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.imports.orders import Order
from lib.imports.service import CALL_LIMITS, STATEMENTS, Done, Importer
from lib.imports.settings import ImportSettings
from lib.imports.stopping import WorkingTime
from lib.omdb.client import CallLimits
from lib.omdb.settings import OmdbSettings
from lib.settings import Secret
from tests.support import OMDB_KEY

HASTY: Final = CallLimits(
    connect_timeout=0.3,
    read_timeout=0.3,
    attempt_timeout=0.4,
    call_timeout=0.6,
    attempts=1,
    backoff=0.01,
)


def film(number: int, **members: Any) -> dict[str, Any]:
    """Make a film that the demo OMDb can hold."""
    return {
        "Title": f"Film {number:06d}",
        "Year": str(1950 + number % 70),
        "Rated": "PG",
        "Released": "16 Jul 2010",
        "Runtime": "100 min",
        "Genre": "Drama, Mystery",
        "Director": "Ada Brook",
        "Writer": "Ada Brook, Ben Cole",
        "Actors": "Cleo Dunn, Dan Ember, Eve Frost",
        "Plot": "Somebody counts ships that never sailed.",
        "Language": "English",
        "Country": "France",
        "Awards": "N/A",
        "Poster": "https://posters.example/1.jpg",
        "Ratings": [{"Source": "Internet Movie Database", "Value": "8.8/10"}],
        "Metascore": "74",
        "imdbRating": "8.8",
        "imdbVotes": "2,500",
        "imdbID": film_id(number),
        "Type": "movie",
        "DVD": "N/A",
        "BoxOffice": "N/A",
        "Production": "N/A",
        "Website": "N/A",
        "Response": "True",
    } | members


def film_id(number: int) -> str:
    """Return the id of a film by its number."""
    return f"tt{9_000_000 + number:07d}"


def film_ids(count: int) -> tuple[str, ...]:
    """Return the ids of the first films."""
    return tuple(film_id(number) for number in range(count))


def omdb_settings(url: str, **changes: Any) -> OmdbSettings:
    """Make settings for a demo OMDb with plenty of calls."""
    settings = OmdbSettings(
        url=url, api_key=Secret(OMDB_KEY), daily_budget=1_000_000, concurrency=8, import_share=0
    )
    return dataclasses.replace(settings, **changes)


def make_importer(
    database: DatabaseSettings,
    url: str,
    *,
    call_limits: CallLimits = CALL_LIMITS,
    lease_seconds: int = 120,
    **changes: Any,
) -> Importer:
    """Make an importer with a database of its own, as a process has."""
    return Importer(
        database=TransactionalDatabase(database, statements=STATEMENTS),
        omdb=omdb_settings(url, **changes),
        settings=ImportSettings(seconds=60, lease_seconds=lease_seconds),
        call_limits=call_limits,
    )


def carry_out(
    importer: Importer, order: Order, working_time: WorkingTime | None = None
) -> dict[str, Any]:
    """Carry an order out and give what its caller is told."""
    done: Done = importer.carry_out(
        order, working_time=working_time or WorkingTime(), requested_by="a test"
    )
    return importer.answer(done)


def by_ids(*imdb_ids: str, types: tuple[str, ...] = ("movie",)) -> Order:
    """Order titles by their ids."""
    return Order(kind="ids", imdb_ids=imdb_ids, types=types)


def counts(told: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts that are not zero."""
    names = ("imported", "updated", "unchanged", "not_found", "rejected", "failed", "pending")
    return {name: told[name] for name in names if told[name]}


def rows(database: TransactionalDatabase, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """Ask the database directly."""
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql), values)]


def change(database: TransactionalDatabase, sql: str, **values: object) -> None:
    """Change the database directly."""
    with database.begin() as connection:
        connection.execute(text(sql), values)


def hurry(database: TransactionalDatabase) -> None:
    """Let the next try of every item be due, as if the time had passed."""
    change(
        database,
        "update import_items set next_try_at = now() where state in ('pending', 'leased')",
    )


def body(**members: Any) -> bytes:
    """Return an answer of OMDb's."""
    return json.dumps(members, ensure_ascii=False).encode()
