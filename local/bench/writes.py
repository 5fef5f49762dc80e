"""What movies take to write, in batches and singly, and what of it the catalogue's upkeep takes."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from pg8000.native import PreparedStatement

from lib.catalogue import statements
from lib.catalogue.merging import COLUMNS
from local.bench import films, singles
from local.bench.catalogue import connect
from local.bench.laboratory import FEW, MANY, Laboratory
from local.bench.report import Measure, Report, in_turn

BATCH: Final = 1_000
ROUNDS: Final = 24  # an even number: votes are other ones and then as before
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
_WITHOUT_SEARCH: Final = "alter table movies disable trigger movies_inserted_search"


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
        _measure_what_is_searched(many, report)
        _measure_singles(laboratory, many, report)


def _measure_inserts(scratch: Any, report: Report) -> None:
    scratch.execute_simple(_BARE)
    bare = PreparedStatement(scratch, _INSERT.format(table="bare"))
    kept = PreparedStatement(scratch, _INSERT.format(table="movies"))
    new = _batches()
    medians = in_turn(
        {
            "insert into a bare table": _time_runs(scratch, bare, new),
            "insert with JSON, places, keys, index": _time_runs(
                scratch, kept, new, f"{_WITHOUT_DATES}; {_WITHOUT_SEARCH}"
            ),
            "insert with dates of refreshes, too": _time_runs(scratch, kept, new, _WITHOUT_SEARCH),
            "insert with what is searched, too": _time_runs(scratch, kept, new),
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
    for name, batches in {"known": _known(), "new": _batches()}.items():
        for side in (few, many):
            _forget_new(side)  # which an earlier run that was broken off may have left
        sides = {side: _time_runs(side, upsert[side], batches) for side in (few, many)}
        medians = in_turn({"few": sides[few], "many": sides[many]}, rounds=ROUNDS)
        base = (f"{FEW:,} movies", medians["few"] * 1e3)
        report.add(f"upsert of {name} movies", medians["many"] * 1e3, "ms", against=base)
    for side in (few, many):
        _forget_new(side)


def _measure_what_is_searched(many: Any, report: Report) -> None:
    """Compare with what finding films costs whoever writes them, and the import's tick after."""
    upsert = PreparedStatement(many, statements.upserting())
    gather = PreparedStatement(many, "select gather_words(:most::integer)")
    gather.run(most=MANY)
    new, same, voted = _batches(), _known(), _voted()
    medians = in_turn(
        {
            "none": _time_runs(many, upsert, new, _WITHOUT_SEARCH),
            "new": _time_runs(many, upsert, new),
            "words": lambda: [_seconds(lambda: gather.run(most=BATCH))],
            "same": _time_runs(many, upsert, same),
            "voted": _time_runs(many, upsert, voted),
        },
        rounds=ROUNDS,
    )
    without, unchanged = ("without search", medians["none"] * 1e3), ("same", medians["same"] * 1e3)
    report.add("upsert of new movies, with search", medians["new"] * 1e3, "ms", against=without)
    report.add("gathering their words", medians["words"] * 1e3, "ms", against=without)
    report.add("upsert of movies voted for", medians["voted"] * 1e3, "ms", against=unchanged)
    _forget_new(many)
    gather.run(most=MANY)


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


def _known() -> Iterator[str]:
    """Return movies that either catalogue has, just as they are there."""
    return itertools.repeat(json.dumps(list(films.films(BATCH))))


def _voted() -> Iterator[str]:
    """Return movies that the larger catalogue has, with other votes and as it has them, in turn."""
    made = list(films.films(2 * BATCH))[BATCH:]
    known = [(film, votes) for film in made if isinstance(votes := film["imdb_votes"], int)]
    for more in itertools.cycle((1, 0)):
        yield json.dumps([film | {"imdb_votes": votes + more} for film, votes in known])


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


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
