"""What movies take to write, in batches and singly, and what of it the catalogue's upkeep takes."""

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any, Final

from pg8000.native import PreparedStatement

from lib.catalogue import statements
from lib.catalogue.merging import COLUMNS
from local.bench import films, singles
from local.bench.catalogue import connect
from local.bench.laboratory import FEW, MANY, Laboratory
from local.bench.report import Measure, Report, in_turn

BATCH: Final = 1_000
ROUNDS: Final = 25
CONNECTIONS: Final = 16
SECONDS: Final = 1.0
SINGLES_ROUNDS: Final = 5
_FIRST: Final = 2 * MANY  # beyond those of either catalogue
_COLUMNS: Final = ", ".join(COLUMNS)
_INSERT: Final = f"""
    insert into {{table}} ({_COLUMNS})
    select {_COLUMNS} from json_populate_recordset(null::movies, :movies::json)
"""  # noqa: S608  built from this project's constants
# The same columns with the same rules, but no key, no index and no trigger.
_BARE: Final = """
    create table bare (like movies including defaults including constraints)
"""
_DELETE_NEW: Final = f"delete from movies where imdb_id >= '{films.imdb_id(_FIRST)}'"  # noqa: S608
# The dates by which the import knows what is due for a refresh.
_WITHOUT_DATES: Final = "alter table movies disable trigger movies_inserted_note"


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure inserts into a bare table and into ours, and upserts of new and known movies."""
    report.begin(f"Writes: one statement with {BATCH:,} movies")
    with connect(laboratory.settings(laboratory.scratch)) as scratch:
        _measure_inserts(scratch, report)
    with (
        connect(laboratory.settings(laboratory.few)) as few,
        connect(laboratory.settings(laboratory.many)) as many,
    ):
        _measure_upserts(few, many, report)
        _measure_singles(laboratory, many, report)


def _measure_inserts(scratch: Any, report: Report) -> None:
    scratch.execute_simple(_BARE)
    bare = PreparedStatement(scratch, _INSERT.format(table="bare"))
    kept = PreparedStatement(scratch, _INSERT.format(table="movies"))
    new = _batches()
    medians = in_turn(
        {
            "insert into a bare table": _time_runs(scratch, bare, new),
            "insert with JSON, places, keys, index": _time_runs(scratch, kept, new, _WITHOUT_DATES),
            "insert with dates of refreshes, too": _time_runs(scratch, kept, new),
        },
        rounds=ROUNDS,
    )
    base = ("bare", medians["insert into a bare table"] * 1e3)
    for name, seconds in medians.items():
        report.add(name, seconds * 1e3, "ms", against=base)
    scratch.execute_simple("drop table bare")
    _forget_new(scratch)


def _measure_upserts(few: Any, many: Any, report: Report) -> None:
    upsert = {side: PreparedStatement(side, statements.upserting()) for side in (few, many)}
    known = itertools.repeat(json.dumps(list(films.films(BATCH))))
    for name, batches in {"known": known, "new": _batches()}.items():
        for side in (few, many):
            _forget_new(side)  # which an earlier run that was broken off may have left
        sides = {side: _time_runs(side, upsert[side], batches) for side in (few, many)}
        medians = in_turn({"few": sides[few], "many": sides[many]}, rounds=ROUNDS)
        base = (f"{FEW:,} movies", medians["few"] * 1e3)
        report.add(f"upsert of {name} movies", medians["many"] * 1e3, "ms", against=base)
    for side in (few, many):
        _forget_new(side)


def _measure_singles(laboratory: Laboratory, many: Any, report: Report) -> None:
    report.begin(f"Writes: movies added and deleted again, one at a time, among {MANY:,}")
    url = laboratory.postgres.url(laboratory.many)
    rates = in_turn(
        {
            str(count): singles.rate(url, count, first=_FIRST, seconds=SECONDS)
            for count in (1, CONNECTIONS)
        },
        rounds=SINGLES_ROUNDS,
    )
    base = ("1 connection", rates["1"])
    report.add("1 connection", rates["1"], "/s", against=base)
    report.add(f"{CONNECTIONS} connections", rates[str(CONNECTIONS)], "/s", against=base)
    _forget_new(many)


def _forget_new(side: Any) -> None:
    side.execute_simple(_DELETE_NEW)
    side.execute_simple("vacuum analyze")


def _batches() -> Iterator[str]:
    """Return ever new movies, as deleted ones slow down those that come after them."""
    for first in itertools.count(_FIRST, BATCH):
        yield json.dumps(list(films.films(BATCH, first=first)))


def _time_runs(
    connection: Any, statement: PreparedStatement, batches: Iterator[str], setting: str = ""
) -> Measure:
    def run() -> list[float]:
        batch = next(batches)
        connection.execute_simple(f"begin; {setting}")
        started = time.perf_counter()
        statement.run(movies=batch)
        seconds = time.perf_counter() - started
        connection.execute_simple(f"{setting.replace(' disable ', ' enable ')}; commit")
        return [seconds]

    return run
