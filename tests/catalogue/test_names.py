"""What people type: names of films, and whether each leads to the film that is meant.

Of names made by rules the share is judged, and what is lost is listed when it is too small.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
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
from lib.omdb.reading import read_movie
from lib.search.text import MOST_WORDS, QUERY_LENGTH
from tests.catalogue.names import Named, cut, mistyped, names_of
from tests.support import asks

TABLE: Final = tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))
SAMPLES: Final = os.environ.get("MOVIES_OMDB_SAMPLES")
EACH: Final = 20  # films that a rule is tried on
with_samples = pytest.mark.skipif(
    not SAMPLES, reason="MOVIES_OMDB_SAMPLES names no folder of recorded answers"
)
ALL: Final[tuple[float, dict[str, list[str]]]] = (1.0, {})  # the share, and what is lost
Known = Sequence[tuple[str, str, int | None]]  # id, title, year
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


def recorded_films() -> Iterator[Movie]:
    """Yield the films of recorded answers, and those that are only in lists of search hits."""
    for body in Path(SAMPLES or "", "details.jsonl").read_bytes().splitlines():
        with suppress(OmdbTombstone):
            yield read_movie(200, body)
    for line in Path(SAMPLES or "", "searches.jsonl").read_text("utf-8").splitlines():
        for hit in json.loads(line)["Search"]:
            # Who talks about a film calls that "The Prestige (2006)": a title of its own, then.
            if not re.search(r"\([0-9]{4}\)", hit["Title"]):
                year = int(hit["Year"][:4])
                yield Movie(imdb_id=hit["imdbID"], title=hit["Title"], type=hit["Type"], year=year)


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


def told(client: httpx.Client, named: Named, *, year: int | None) -> list[str]:
    """Return the ids of what `movies.get` answers: the film and others, or what it suggests."""
    answer = get(client, named.name, year)
    films = answer.get("error", {}).get("suggestions", [])
    if "data" in answer:
        films = [answer["data"], *answer["alternatives"]]
    return [film["imdb_id"] for film in films]


def hits(client: httpx.Client, named: Named) -> list[str]:
    """Return the ids of the first ten films that `movies.search` finds."""
    answer = client.get("/movies.search", params={"query": named.name}).json()
    return [movie["imdb_id"] for movie in answer["data"]]


def is_searched(name: str) -> bool:
    """Tell whether a query is as short as it has to be."""
    return len(name) <= QUERY_LENGTH and len(re.findall(r"\w+", name)) <= MOST_WORDS


def judge(
    named: Sequence[Named], is_right: Callable[[Named], bool]
) -> tuple[float, dict[str, list[str]]]:
    """Return the share of names that are right, and by rule those that are not."""
    lost: dict[str, list[str]] = {}
    for name in named:
        if not is_right(name):
            lost.setdefault(name.rule, []).append(name.name)
    return 1 - sum(map(len, lost.values())) / len(named), lost


@pytest.fixture
def known(store_all: StoreAll) -> Known:
    """Store all recorded films, and return those that somebody has seen, for names of them."""
    films = {film.imdb_id: film for film in reversed(list(recorded_films()))}
    store_all(films.values())
    return [
        (film.imdb_id, film.title, film.year)
        for film in films.values()
        if film.type == "movie" and film.imdb_votes
    ]


@with_samples
def test_a_name_of_a_real_film_leads_to_it(client: httpx.Client, known: Known) -> None:
    written, wrong = of_each_rule(names_of(known)), of_each_rule(mistyped(known))

    assert judge(written, lambda one: one.imdb_id in told(client, one, year=one.year)[:1]) == ALL
    assert judge(written, lambda one: one.imdb_id in told(client, one, year=None)[:1]) == ALL
    assert judge(wrong, lambda one: one.imdb_id in told(client, one, year=one.year)[:1]) == ALL
    assert judge(wrong, lambda one: one.imdb_id in told(client, one, year=None)[:1]) == ALL
    shortened = of_each_rule(cut(known))
    share, lost = judge(shortened, lambda one: one.imdb_id in told(client, one, year=one.year))
    assert share > 0.9, lost


@with_samples
@asks("/movies.search")
def test_a_search_for_a_name_of_a_real_film_finds_it(client: httpx.Client, known: Known) -> None:
    written, wrong, shortened = (
        [one for one in of_each_rule(made) if is_searched(one.name)]
        for made in (names_of(known), mistyped(known), cut(known))
    )

    assert judge(written, lambda one: one.imdb_id in hits(client, one)[:1]) == ALL
    share, lost = judge(wrong, lambda one: one.imdb_id in hits(client, one)[:1])
    assert share > 0.9, lost
    share, lost = judge(shortened, lambda one: one.imdb_id in hits(client, one))
    assert share > 0.9, lost
