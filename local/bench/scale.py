"""What a request takes in a catalogue of a million movies, against one of a thousand."""

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lib.catalogue import movies, statements
from lib.catalogue.listing import Cursor
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.errors import MovieNotFound
from local.bench import catalogue, films
from local.bench.calling import (
    ask_each,
    ask_repeatedly,
    make_get_requests,
    make_page_requests,
    request,
)
from local.bench.catalogue import PAGE
from local.bench.laboratory import FEW, MANY, Laboratory
from local.bench.report import Measure, Report, in_turn
from local.bench.serving import ours, serve
from local.bench.usual import FILMS

ROUNDS: Final = 20
SECONDS: Final = 0.1
FILMS_A_ROUND: Final = 5


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """One of the two catalogues, and where its functions are."""

    rows: int
    settings: DatabaseSettings
    ports: dict[str, int]
    authorization: dict[str, str]

    @property
    def label(self) -> str:
        """What it is called where something is compared with it."""
        return f"{self.rows:,} movies"


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure each operation on both catalogues, one request at a time."""
    report.begin(f"Scale: one request at a time, {MANY:,} movies against {FEW:,}")
    with (
        _serve(laboratory, laboratory.few, FEW) as few,
        _serve(laboratory, laboratory.many, MANY) as many,
    ):
        _measure_lists(few, many, report)
        _measure_deep_pages(few, many, report)
        _measure_finding(few, many, report)
        _measure_the_total(many, report)
        _measure_creating_and_deleting(few, many, report)


@contextlib.contextmanager
def _serve(laboratory: Laboratory, database: str, rows: int) -> Iterator[Catalogue]:
    settings = laboratory.settings(database)
    _forget_films(settings)
    catalogue.warm(settings)
    variables = laboratory.variables(database)
    [get_one] = make_get_requests("imdb_id", [films.imdb_id(0)])
    subjects = (
        ours("movies_list"),
        ours("movies_get", get_one),
        ours("movies_create", status=405),
        ours("movies_delete", status=405),
    )
    with contextlib.ExitStack() as stack:
        ports = {
            subject.target: stack.enter_context(serve(subject, variables)).port
            for subject in subjects
        }
        yield Catalogue(
            rows=rows,
            settings=settings,
            ports=ports,
            authorization=laboratory.authorization(database),
        )


def _measure_lists(few: Catalogue, many: Catalogue, report: Report) -> None:
    asks: dict[str, Callable[[Catalogue], str]] = {
        "first page": lambda _: "",
        "page 2": lambda _: "?page=2",
        "cursor in the middle": lambda side: _cursor(side, skipped=side.rows // 2),
        "cursor to the last page": lambda side: _cursor(side, skipped=side.rows - PAGE),
    }
    for name, query_of in asks.items():
        sides = {side.rows: _time_list(side, query_of(side)) for side in (few, many)}
        _compare(report, f"movies.list, {name}", sides[MANY], sides[FEW], few.label)


def _measure_deep_pages(few: Catalogue, many: Catalogue, report: Report) -> None:
    first = _time_list(many, "")
    pages = many.rows // PAGE
    for page in (max(2, pages // 100), pages // 2, pages * 9 // 10):
        deep = _time_list(many, f"?page={page}")
        _compare(report, f"movies.list, page {page:,}", deep, first, "page 1")
    for side in (few, many):
        some = catalogue.sample(side.settings, side.rows).pages
        spread = itertools.cycle(make_page_requests(some))
        any_page = _time_asking(side.ports["movies_list"], spread)
        name = f"movies.list, any page of {side.rows:,} movies"
        _compare(report, name, any_page, _time_list(side, ""), "page 1")


def _measure_finding(few: Catalogue, many: Catalogue, report: Report) -> None:
    samples = {side.rows: catalogue.sample(side.settings, side.rows) for side in (few, many)}
    for name, parameter in {"title": "title", "id": "imdb_id"}.items():
        sides = {}
        for side in (few, many):
            some = samples[side.rows]
            values = some.titles if parameter == "title" else some.ids
            requests = make_get_requests(parameter, values)
            sides[side.rows] = _time_asking(side.ports["movies_get"], requests)
        _compare(report, f"movies.get by {name}", sides[MANY], sides[FEW], few.label)


def _measure_the_total(many: Catalogue, report: Report) -> None:
    """Compare the statement itself, as a request around it would hide what the total costs."""
    included = statements.PAGE_AFTER
    left_out = Statement(sql=included.sql.replace(statements.TOTAL, "null"), repeatable=True)
    if left_out.sql == included.sql:
        raise RuntimeError("the total was not found in the statement")
    database = Database(many.settings, statements=[included, left_out, *statements.LISTING])
    middle = database.answer(movies.find_page_at(skipped=many.rows // 2, records=1)).first
    if middle is None:
        raise RuntimeError("the catalogue is empty")

    def time_statement(statement: Statement) -> Measure:
        def run() -> list[float]:
            return [
                _seconds(
                    lambda: database.run(
                        statement,
                        sort_key=middle.sort_key,
                        imdb_id=middle.imdb_id,
                        records=PAGE,
                    )
                )
                for _ in range(10 * PAGE)
            ]

        return run

    name = "statement of a page, total included"
    _compare(report, name, time_statement(included), time_statement(left_out), "total left out")
    database.close()


def _measure_creating_and_deleting(few: Catalogue, many: Catalogue, report: Report) -> None:
    took: dict[tuple[str, int], list[float]] = {}
    for start in range(0, len(FILMS), FILMS_A_ROUND):
        chosen = FILMS[start : start + FILMS_A_ROUND]
        for side in (few, many):
            create = [
                request("/movies.create", method="POST", body={"imdb_id": some}) for some in chosen
            ]
            delete = [
                request(f"/movies.delete/{some}", method="DELETE", headers=side.authorization)
                for some in chosen
            ]
            took.setdefault(("create", side.rows), []).extend(
                ask_each(side.ports["movies_create"], create, status=201)
            )
            took.setdefault(("delete", side.rows), []).extend(
                ask_each(side.ports["movies_delete"], delete, status=204)
            )
    medians = {what: statistics.median(values) * 1e3 for what, values in took.items()}
    for name in ("create", "delete"):
        base = (few.label, medians[name, FEW])
        report.add(f"movies.{name}", medians[name, MANY], "ms", against=base)


def _cursor(side: Catalogue, *, skipped: int) -> str:
    """Return the query that leads to what follows so many movies."""
    database = Database(side.settings, statements=statements.LISTING)
    last = database.answer(movies.find_page_at(skipped=skipped - 1, records=1)).last
    database.close()
    if last is None:
        raise RuntimeError("the catalogue has fewer movies than it should")
    return f"?cursor={Cursor(direction='after', position=last).encode()}"


def _time_list(side: Catalogue, query: str) -> Measure:
    return _time_asking(side.ports["movies_list"], [request(f"/movies.list{query}")])


def _time_asking(port: int, requests: Iterable[bytes]) -> Measure:
    return lambda: ask_repeatedly(port, requests, seconds=SECONDS)


def _compare(report: Report, name: str, one: Measure, other: Measure, against: str) -> None:
    medians = in_turn({"one": one, "other": other}, rounds=ROUNDS)
    report.add(name, medians["one"] * 1e3, "ms", against=(against, medians["other"] * 1e3))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _forget_films(settings: DatabaseSettings) -> None:
    """Delete what an earlier run that was broken off may have left."""
    database = Database(settings, statements=[statements.DELETE])
    for film in FILMS:
        with contextlib.suppress(MovieNotFound):
            database.answer(movies.delete(film, user_id=0))
    database.close()
