"""What a batch of a thousand movies takes to write, and what of it the catalogue's upkeep takes."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from pg8000.native import PreparedStatement

from lib import movies
from lib.db_connections import connect_directly
from lib.merging import COLUMNS
from lib.settings import DatabaseSettings
from local.bench import films
from local.bench.laboratory import FEW, MANY, Laboratory
from local.bench.report import Report, in_turn

BATCH: Final = 1_000
ROUNDS: Final = 9
_COLUMNS: Final = ", ".join(COLUMNS)
_INSERT: Final = f"""
    insert into {{table}} ({_COLUMNS})
    select {_COLUMNS} from json_populate_recordset(null::movies, :movies::json)
"""  # noqa: S608  built from this project's constants
# The dates by which the import knows what is due for a refresh.
_WITHOUT_DATES: Final = "alter table movies disable trigger movies_inserted_note"

Measure = Callable[[], list[float]]


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure inserts into a bare table and into ours, and upserts; all are rolled back."""
    report.begin(f"Writes: one statement with {BATCH:,} movies")
    new = json.dumps(list(films.films(BATCH, first=2 * MANY)))
    known = json.dumps(list(films.films(BATCH)))
    with (
        _connected(laboratory.settings(laboratory.few)) as few,
        _connected(laboratory.settings(laboratory.many)) as many,
    ):
        many.execute_simple("create temporary table bare as table movies with no data")
        bare = PreparedStatement(many, _INSERT.format(table="bare"))
        kept = PreparedStatement(many, _INSERT.format(table="movies"))
        upsert = {side: PreparedStatement(side, movies.UPSERT.sql) for side in (few, many)}
        inserts = {
            "insert into a bare table": _rolled_back(many, bare, new),
            "insert with total, keys and index": _rolled_back(many, kept, new, _WITHOUT_DATES),
            "insert with dates of refreshes, too": _rolled_back(many, kept, new),
        }
        medians = in_turn(inserts, rounds=ROUNDS)
        for name, seconds in medians.items():
            base = ("bare", medians["insert into a bare table"] * 1e3)
            report.add(name, seconds * 1e3, "ms", against=base)
        for name, batch in {"new": new, "known": known}.items():
            medians = in_turn(
                {
                    "few": _rolled_back(few, upsert[few], batch),
                    "many": _rolled_back(many, upsert[many], batch),
                },
                rounds=ROUNDS,
            )
            base = (f"{FEW:,} movies", medians["few"] * 1e3)
            report.add(f"upsert of {name} movies", medians["many"] * 1e3, "ms", against=base)
        for side in (few, many):
            side.execute_simple("vacuum movies, movie_checks, movie_totals")


@contextlib.contextmanager
def _connected(settings: DatabaseSettings) -> Iterator[Any]:
    connection: Any = connect_directly(settings)
    connection.autocommit = True
    connection.execute_simple("set statement_timeout = 0")
    yield connection
    connection.close()


def _rolled_back(
    connection: Any, statement: PreparedStatement, batch: str, before: str = "select"
) -> Measure:
    def run() -> list[float]:
        connection.execute_simple("begin")
        connection.execute_simple(before)
        started = time.perf_counter()
        statement.run(movies=batch)
        seconds = time.perf_counter() - started
        connection.execute_simple("rollback")
        return [seconds]

    return run
