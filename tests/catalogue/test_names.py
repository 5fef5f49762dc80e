"""What people type: names of films, and whether each leads to the film that is meant.

Of names made by rules the share is judged, and what is lost is listed when it is too small.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.omdb.faults import OmdbTombstone
from lib.omdb.reading import read_movie, read_search
from tests.catalogue.names import Named, mistyped, names_of

TABLE: Final = tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))
SAMPLES: Final = os.environ.get("MOVIES_OMDB_SAMPLES")
EACH: Final = 25  # films that a rule is tried on

with_samples = pytest.mark.skipif(
    not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of recorded answers"
)
StoreAll = Callable[[Iterable[Movie]], object]


@pytest.fixture
def store_all(settings: DatabaseSettings, database: TransactionalDatabase) -> Iterator[StoreAll]:
    """Store movies, and count their words."""
    upsert = Statement(repeatable=True, sql=statements.upserting())
    writing = Database(settings, statements=[upsert])

    def store(stored: Iterable[Movie]) -> None:
        writing.run(upsert, movies=movies.as_records(list(stored)))
        with database.begin() as connection:
            connection.execute(text("select gather_words(1000000)"))
            connection.execute(text("analyze movies, movie_search, words"))

    yield store
    writing.close()


def table_films() -> Iterator[Movie]:
    for imdb_id, [title, year, votes] in TABLE["films"].items():
        yield Movie(imdb_id=imdb_id, title=title, type="movie", year=year, imdb_votes=votes)


def recorded_films() -> list[Movie]:
    """Return films of recorded answers, those that somebody has heard of first."""
    known, hits = [], []
    for body in Path(SAMPLES or "", "details.jsonl").read_bytes().splitlines():
        try:
            known.append(read_movie(200, body))
        except OmdbTombstone:
            continue
    for body in Path(SAMPLES or "", "searches.jsonl").read_bytes().splitlines():
        hits += read_search(200, body).hits
    known.sort(key=lambda movie: -(movie.imdb_votes or 0))
    ids = {movie.imdb_id for movie in known}
    others = [
        Movie(imdb_id=hit.imdb_id, title=hit.title, type=hit.type, year=hit.year)
        for hit in hits
        if hit.imdb_id not in ids and hit.type
    ]
    return [*known, *others]


def get(client: httpx.Client, name: str, year: int | None) -> dict[str, Any]:
    params = {"title": name} if year is None else {"title": name, "year": str(year)}
    answer: dict[str, Any] = client.get("/movies.get", params=params).json()
    return answer


def of_each_rule(named: Iterable[Named]) -> list[Named]:
    by_rule = groupby(sorted(named, key=lambda name: name.rule), key=lambda name: name.rule)
    return [name for _, of_rule in by_rule for name in islice(of_rule, EACH)]


def test_a_name_is_found_in_the_form_that_is_told(
    client: httpx.Client, store_all: StoreAll
) -> None:
    store_all(table_films())

    wrong = []
    for case in TABLE["name"]:
        answer = get(client, case["asked"], case.get("year"))
        if case["match"] == "none":
            error = answer.get("error", {})
            told = [one["imdb_id"] for one in error.get("suggestions", [])][:1]
            right = told == [case["suggested"]] if "suggested" in case else not told
            right = right and case.get("years", "") in error.get("message", "")
        else:
            found = (answer.get("data", {}).get("imdb_id"), answer.get("match"))
            others = [one["imdb_id"] for one in answer.get("alternatives", [])]
            right = found == (case["film"], case["match"])
            right = right and case.get("others", others) == others
        if not right:
            wrong.append((case, answer))
    assert not wrong
    assert len(TABLE["name"]) > 70


def leads_to(answer: dict[str, Any], named: Named) -> bool:
    """Tell whether an answer is the film, or suggests it first."""
    suggested = answer.get("error", {}).get("suggestions", [])
    found = answer.get("data") or (suggested[0] if suggested else {})
    return bool(found.get("imdb_id") == named.imdb_id)


def judge(
    named: Sequence[Named], is_right: Callable[[Named], bool]
) -> tuple[float, dict[str, list[str]]]:
    """Return the share of names that are right, and by rule those that are not."""
    lost: dict[str, list[str]] = {}
    for name in named:
        if not is_right(name):
            lost.setdefault(name.rule, []).append(name.name)
    return 1 - sum(map(len, lost.values())) / len(named), lost


@with_samples
@pytest.mark.parametrize(
    ("make", "is_dated", "least"),
    [
        (names_of, True, 0.99),
        (names_of, False, 0.97),
        (mistyped, True, 0.97),
        (mistyped, False, 0.9),
    ],
)
def test_names_of_real_films_lead_to_them(
    client: httpx.Client, store_all: StoreAll, make: Any, is_dated: bool, least: float
) -> None:
    films = recorded_films()
    store_all(films)
    known = [film for film in films if film.type == "movie" and film.imdb_votes]
    named = of_each_rule(make((film.imdb_id, film.title, film.year) for film in known))

    share, lost = judge(
        named,
        lambda name: leads_to(get(client, name.name, name.year if is_dated else None), name),
    )

    assert share >= least, (share, lost)
