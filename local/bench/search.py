"""What finding films takes: every way to ask, against the floor, with SQLite's FTS5 beside it.

Mostly one request at a time, and hardly any twice. The floor is the framework and one round trip,
asked in turn with them. FTS5 is asked in this process and answers with numbers: what it takes is an
index alone, without a request, a film or a byte of JSON.
"""

import contextlib
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import requests

from lib.database.statement import Query
from lib.search import attempts
from lib.search.asking import PARAMETERS, wanted_hits
from lib.search.statements import BY_RELEVANCE
from local.bench import catalogue, fts5, queries, rivals
from local.bench.calling import ask_each, request
from local.bench.laboratory import MANY, Laboratory
from local.bench.queries import Film, Search
from local.bench.report import Report, Value, in_turn
from local.bench.serving import Served, Subject, ours, serve
from local.bench.throughput import CONNECTIONS, Load

SEARCHES: Final = 200  # of each class
ROUNDS: Final = 10
RATE_ROUNDS: Final = 8
WALKED: Final = 10  # pages of a hundred, to where the deep ones are
_WARM_UP: Final = 20
_FEW: Final = 5  # of so many searches FTS5 is asked one
_FOUND_AT_ONCE: Final = ("a full title", "a title cut while typed", "a word, two filters")
_SORTS: Final = ("title", "year", "released", "imdb_rating", "imdb_votes")
_SORTED: Final = (
    Search(filters={"genre": "Drama"}),
    Search(filters={"genre": "Western|Film-Noir"}),
    Search(filters={"language": "English", "type": "movie", "year": "1990..1999"}),
    Search("the", {"genre": "Comedy"}),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked."""

    search: Served
    get: Served
    random: Served
    floor: Served


def measure(laboratory: Laboratory, report: Report) -> None:
    """Measure the classes, without counts and with them, the sorts, and titles nobody has."""
    settings = laboratory.settings(laboratory.many)
    catalogue.warm(settings)
    films = queries.known_films(settings, MANY)
    searches = queries.make_searches(films, SEARCHES)
    with contextlib.ExitStack() as stack:
        index = _open_index(stack, laboratory)
        asked = _serve(stack, laboratory)
        _measure_classes(asked, index, searches, report)
        _measure_sorts(asked, report)
        _measure_the_rest(asked, films, report)
        _measure_rates(laboratory, asked.search, searches, report)


def _open_index(stack: contextlib.ExitStack, laboratory: Laboratory) -> fts5.Fts5:
    made_of = catalogue.fingerprint(Path(fts5.__file__))
    path = laboratory.postgres.folder / f"films-{MANY}-{made_of}.sqlite"
    fts5.provide(laboratory.settings(laboratory.many), path)
    return stack.enter_context(contextlib.closing(fts5.Fts5(path)))


def _serve(stack: contextlib.ExitStack, laboratory: Laboratory) -> Asked:
    variables = laboratory.variables(laboratory.many)

    def start(subject: Subject) -> Served:
        return stack.enter_context(serve(subject, variables))

    return Asked(
        search=start(ours("movies_search")),
        get=start(ours("movies_get", status=400)),
        random=start(ours("movies_random")),
        floor=start(rivals.floor(laboratory.scratch_folder)),
    )


def _measure_classes(
    asked: Asked, index: fts5.Fts5, searches: Mapping[str, Sequence[Search]], report: Report
) -> None:
    for some in searches.values():  # so that none of what is measured waits for the disk
        ask_each(asked.search.port, [search.request() for search in some])
    for heading, more, by_index in (
        ("a page of ten", {}, index.find),
        ("a page of ten, counts and facets", {"counts": "true"}, index.count),
    ):
        report.begin(f"Search: {heading}, one request at a time, {MANY:,} movies")
        made = {
            name: [search.request(**more) for search in some] for name, some in searches.items()
        }
        took, floor = _ask_in_turn(asked.search, made, asked.floor)
        # Of some it counts half a second.
        beside = {name: _time_index(by_index, some[::_FEW]) for name, some in searches.items()}
        for name, times in took.items():
            _report(report, name, times, floor, beside[name])
        everything = list(itertools.chain(*took.values()))
        _report(report, "all classes", everything, floor, list(itertools.chain(*beside.values())))
        base = ("floor", floor * 1e3)
        report.add("all, 99th percentile", _last(everything) * 1e3, "ms", against=base)


def _measure_sorts(asked: Asked, report: Report) -> None:
    report.begin("Search: sorts with filters, the first page and one after a thousand movies")
    made: dict[str, list[bytes]] = {}
    for sort in (order + name for name in _SORTS for order in ("", "-")):
        first = [search.request(sort=sort) for search in _SORTED]
        deep = [
            search.request(sort=sort, cursor=cursor)
            for search in _SORTED
            if (cursor := _walk(asked.search, search, sort))
        ]
        made |= {f"{sort}, first page": first * ROUNDS}
        made |= {f"{sort}, deep": deep * ROUNDS} if deep else {}
    took, floor = _ask_in_turn(asked.search, made, asked.floor)
    for name, times in took.items():
        _report(report, name, times, floor)


def _measure_the_rest(asked: Asked, films: Sequence[Film], report: Report) -> None:
    report.begin("Search: what movies.get suggests, and films by chance")
    chance = random.Random(0)  # noqa: S311  no secret
    some = chance.choices(films, k=SEARCHES)
    missed = {
        "a title, one letter wrong": [queries.mistype(film.title, chance) for film in some],
        "a title without one of its words": [film.title.rpartition(" ")[0] + " x" for film in some],
        "a title that nobody has": [queries.nonsense(chance) for _ in some],
    }
    made = {name: _not_found(asked.get, titles) for name, titles in missed.items()}
    took, floor = _ask_in_turn(asked.get, made, asked.floor, status=404)
    for name, times in took.items():
        _report(report, f"movies.get, {name}", times, floor)
    by_chance = [search.request("/movies.random") for search in _SORTED if not search.words]
    by_chance *= ROUNDS
    took, floor = _ask_in_turn(asked.random, {"movies.random": by_chance}, asked.floor)
    _report(report, "movies.random, filtered", took["movies.random"], floor)


def _measure_rates(
    laboratory: Laboratory,
    here: Served,
    searches: Mapping[str, Sequence[Search]],
    report: Report,
) -> None:
    about = f"{CONNECTIONS} connections, different queries"
    report.begin(f"Search against the same statement asked by bare asyncpg, {about}")
    # What is found as it was asked is asked with one statement.
    some = [search for name in _FOUND_AT_ONCE for search in searches[name]]
    random.Random(0).shuffle(some)  # noqa: S311  no secret
    bare = [query_of(search) for search in some]
    with serve(rivals.bare(bare[0]), laboratory.variables(laboratory.many)) as there:
        loads = {
            "there": Load(where=there, requests=itertools.cycle(rivals.make_bare_requests(bare))),
            "here": Load(where=here, requests=itertools.cycle([one.request() for one in some])),
        }
        for load in loads.values():
            load.rate(CONNECTIONS)
        rates = in_turn(
            {name: load.measure(CONNECTIONS) for name, load in loads.items()}, rounds=RATE_ROUNDS
        )
    used = {name: Value(statistics.median(load.used) * 1e3, "ms") for name, load in loads.items()}
    parts = {
        "CPU by asyncpg": used["there"],
        "CPU here": used["here"],
        "by asyncpg": Value(rates["there"], "/s"),
        "here": Value(rates["here"], "/s"),
    }
    report.add_parts("movies.search", parts, against=("asyncpg", rates["there"]))


def query_of(search: Search) -> Query[Any]:
    """Ask as `movies.search` does, where that finds what is asked."""
    wanted = wanted_hits(PARAMETERS.read_query(search.parameters))
    values = attempts.relevance_values(
        attempts.as_asked(wanted.terms, wanted.filters), wanted.filters, None, wanted.records
    )
    return Query(statement=BY_RELEVANCE, values=values, read=lambda rows: rows)


def _get(title: str) -> bytes:
    return Search(filters={"title": title}).request("/movies.get")


def _ask_in_turn(
    where: Served, made: Mapping[str, Sequence[bytes]], floor: Served, *, status: int = 200
) -> tuple[dict[str, list[float]], float]:
    """Ask each once, some of each name a round; return what they took, and the floor's median."""
    for name_requests in made.values():
        ask_each(where.port, itertools.repeat(name_requests[0], _WARM_UP), status=status)
    took: dict[str, list[float]] = {name: [] for name in made}
    on_floor: list[float] = []
    for number in range(ROUNDS):
        on_floor += ask_each(floor.port, [request("/")] * _WARM_UP)
        for name, some in made.items():
            took[name] += ask_each(where.port, some[number::ROUNDS], status=status)
    return took, statistics.median(on_floor)


def _not_found(where: Served, titles: Iterable[str]) -> list[bytes]:
    """Return the requests for those titles that none of the movies has."""
    url = f"http://127.0.0.1:{where.port}/"
    return [
        _get(title)
        for title in titles
        if requests.get(url, {"title": title}, timeout=30).status_code == HTTPStatus.NOT_FOUND
    ]


def _walk(where: Served, search: Search, sort: str) -> str | None:
    """Return the cursor that follows a thousand movies, or the last there is."""
    cursor: str | None = None
    asked: dict[str, Any] = {**search.parameters, "sort": sort, "number_of_records": 100}
    for _ in range(WALKED):
        answer = requests.get(f"http://127.0.0.1:{where.port}/", asked, timeout=30)
        answer.raise_for_status()
        following = answer.json()["pagination"]["next_cursor"]
        if following is None:
            break
        cursor = asked["cursor"] = following
    return cursor


def _time_index(ask: Callable[[Search], object], searches: Iterable[Search]) -> list[float]:
    took = []
    for search in searches:
        started = time.perf_counter()
        ask(search)
        took.append(time.perf_counter() - started)
    return took


def _report(
    report: Report,
    name: str,
    took: Sequence[float],
    floor: float,
    beside: Sequence[float] | None = None,
) -> None:
    parts: dict[str, Value] = {}
    if beside is not None:
        parts |= {
            "FTS5, 99th": Value(_last(beside) * 1e3, "ms"),
            "FTS5": Value(statistics.median(beside) * 1e3, "ms"),
        }
    parts |= {
        "99th": Value(_last(took) * 1e3, "ms"),
        "median": Value(statistics.median(took) * 1e3, "ms"),
    }
    report.add_parts(name, parts, against=("floor", floor * 1e3))


def _last(took: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return sorted(took)[min(len(took) - 1, len(took) * 99 // 100)]
