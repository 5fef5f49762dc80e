"""What hits of `GET /movies.search` are narrowed by, how they are ordered, and how many there are.

Judged by going through all movies, one by one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from lib.catalogue.folding import fold, split_words
from lib.catalogue.movie import Movie, title_key
from lib.database.transactions import TransactionalDatabase
from tests import held
from tests.support import store_all

GENRES: Final = ("Drama", "Comedy", "Sci-Fi", "Film-Noir", "A, B | C")
PEOPLE: Final = ("Morgan Freeman", "Zoë Saldaña", "Jean-Luc Godard", "O'Brien", "Ed | Sons, Inc.")
LANGUAGES: Final = ("English", "French", "日本語")
WORDS: Final = ("love", "the", "night", "star", "Café", "spider-man", "II", "Nächte")
COUNT: Final = 400


def some(chance: Random, texts: Sequence[str], most: int = 3) -> tuple[str, ...]:
    return tuple(chance.sample(texts, chance.randint(0, most)))


def made_up(number: int, chance: Random) -> Movie:
    """Make a movie of few values, so that many have the same, and of which some are unknown."""

    def perhaps(value: Any) -> Any:
        return None if chance.random() < 0.2 else value

    return Movie(
        imdb_id=f"tt{number:07}",
        title=" ".join(chance.choices(WORDS, k=chance.randint(1, 3))),
        type=chance.choice(("movie", "movie", "series", "game")),
        year=perhaps(chance.randint(1985, 2004)),
        rated=perhaps(chance.choice(("R", "PG-13", "G"))),
        released=perhaps(date(chance.randint(1985, 2004), chance.randint(1, 12), 15)),
        runtime_minutes=perhaps(chance.choice((5, 89, 90, 142, 700))),
        genres=some(chance, GENRES),
        directors=some(chance, PEOPLE, 1),
        writers=some(chance, PEOPLE, 2),
        actors=some(chance, PEOPLE),
        languages=some(chance, LANGUAGES, 2),
        countries=some(chance, ("France", "United States"), 2),
        imdb_rating=perhaps(chance.randint(10, 100) / 10),
        imdb_votes=perhaps(chance.choice((5, 900, 1_000, 40_000, 100_000, 2_000_000))),
    )


MOVIES: Final = [made_up(number, Random(number)) for number in range(1, COUNT + 1)]  # noqa: S311


@pytest.fixture(scope="module")
def catalogue(worker_database: TransactionalDatabase, base_url: str) -> Iterator[httpx.Client]:
    """Call the functions on a catalogue that no test changes."""
    with worker_database.begin() as connection:
        connection.execute(text("truncate movies"))
    store_all(worker_database, MOVIES)
    with held.client(base_url) as session:
        yield session
    with worker_database.begin() as connection:
        connection.execute(text("truncate movies, omdb_answers"))


# --- The rules, once more -------------------------------------------------------------------------

FIELD_OF: Final = {
    "genre": ("genres",), "director": ("directors",), "writer": ("writers",), "actor": ("actors",),
    "person": ("directors", "writers", "actors"), "language": ("languages",),
    "country": ("countries",), "type": ("type",), "rated": ("rated",),
}  # fmt: skip
RANGED: Final = ("year", "released", "runtime_minutes", "imdb_rating", "imdb_votes")


def values(movie: Movie, name: str) -> set[str]:
    found: set[str] = set()
    for field in FIELD_OF[name]:
        value = getattr(movie, field)
        found |= {value} if isinstance(value, str) else set(value or ())
    return {fold(value) for value in found}


def number(movie: Movie, name: str) -> Any:
    value = getattr(movie, name)
    return value.isoformat() if isinstance(value, date) else value


def words(movie: Movie) -> set[str]:
    return {
        word
        for text in (movie.title, *movie.directors, *movie.writers, *movie.actors)
        for parts in split_words(fold(text))
        for word in (*parts, "".join(parts))
    }


def is_within(value: Any, low: Any, high: Any) -> bool:
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def fits(movie: Movie, asked: Mapping[str, Any]) -> bool:
    """Tell whether a movie is a hit; values are (how, [value, ...]) or (from, to)."""
    for name, rule in asked.items():
        if name == "query":
            if not any(word.startswith(rule) for word in words(movie)):
                return False
        elif name in RANGED:
            low, high = rule
            value = number(movie, name)
            if (
                value is None
                or not (low is None or value >= low)
                or not (high is None or value <= high)
            ):
                return False
        else:
            how, wanted = rule
            has = [fold(value) in values(movie, name) for value in wanted]
            if not (all(has) if how == "," else any(has)):
                return False
    return True


def written(asked: Mapping[str, Any]) -> dict[str, str]:
    def text_of(name: str, rule: Any) -> Any:
        if name == "query":
            return str(rule)
        if name in RANGED:
            low, high = rule
            return (
                str(low)
                if low == high
                else f"{'' if low is None else low}..{'' if high is None else high}"
            )
        how, wanted = rule
        return how.join(v.replace(",", "\\,").replace("|", "\\|") for v in wanted)

    return {name: text_of(name, rule) for name, rule in asked.items()}


SORTS: Final = ("title", "year", "released", "imdb_rating", "imdb_votes")


def in_order(hits: list[Movie], sort: str) -> list[str]:
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    if name == "title":
        hits = sorted(hits, key=lambda m: (title_key(m.title), m.imdb_id), reverse=descending)
        return [movie.imdb_id for movie in hits]
    known = [movie for movie in hits if number(movie, name) is not None]
    known.sort(key=lambda m: (number(m, name), m.imdb_id), reverse=descending)
    unknown = [movie for movie in hits if number(movie, name) is None]
    unknown.sort(key=lambda m: m.imdb_id, reverse=descending)
    return [movie.imdb_id for movie in (*known, *unknown)]


def walk(client: httpx.Client, **parameters: object) -> list[str]:
    """Follow the links from a search's first page to its last."""
    answer = client.get("/movies.search", params={k: str(v) for k, v in parameters.items()})
    found: list[str] = []
    while True:
        assert answer.status_code == 200, answer.text
        found += [movie["imdb_id"] for movie in answer.json()["data"]]
        if "next" not in answer.links:
            assert answer.json()["pagination"]["next_cursor"] is None
            return found
        answer = client.get(answer.links["next"]["url"])


ASKED: Final[list[dict[str, Any]]] = [
    {},
    {"genre": ("|", ["Drama"])},
    {"genre": (",", ["Drama", "Comedy"])},
    {"genre": ("|", ["drama", "SCI-FI", "no such"])},
    {"genre": ("|", ["A, B | C"])},
    {"type": ("|", ["movie", "game"])},
    {"type": ("|", ["film"])},
    {"rated": ("|", ["pg-13"])},
    {"person": ("|", ["zoe saldana"])},
    {"person": (",", ["Morgan Freeman", "Jean‐Luc Godard"])},
    {"director": ("|", ["Ed | Sons, Inc."])},
    {"actor": ("|", ["O’Brien"]), "writer": ("|", ["morgan freeman"])},
    {"language": ("|", ["日本語"]), "country": ("|", ["france"])},
    {"year": (1990, 1999)},
    {"year": (1988, None), "genre": ("|", ["Comedy"])},
    {"year": (None, 1991)},
    {"year": (1994, 1994)},
    {"released": ("1990-02-01", "1996-12-15")},
    {"released": (None, "1999-12-31"), "type": ("|", ["series"])},
    {"runtime_minutes": (90, None)},
    {"runtime_minutes": (None, 89)},
    {"runtime_minutes": (650, 800)},
    {"imdb_rating": (7.5, None)},
    {"imdb_rating": (None, 3.0), "language": ("|", ["English"])},
    {"imdb_votes": (1_000, None)},
    {"imdb_votes": (901, 99_999), "year": (1985, 1995)},
    {"imdb_votes": (1_000, None), "released": ("1990-01-01", None)},
    {"imdb_votes": (None, 1_000), "released": ("1990-01-01", None)},
    {"query": "love"},
    {"query": "spiderman", "genre": ("|", ["Drama", "Comedy"])},
    {"query": "nacht", "imdb_rating": (5.0, None)},
    {"query": "godard"},
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: str(written(asked)))
def test_each_hit_is_met_once_in_every_order(
    catalogue: httpx.Client, asked: dict[str, Any]
) -> None:
    hits = [movie for movie in MOVIES if fits(movie, asked)]
    for sort in (*SORTS, *(f"-{sort}" for sort in SORTS)):
        found = walk(catalogue, **written(asked), sort=sort, number_of_records=37)
        assert found == in_order(hits, sort), sort
    if "query" in asked:
        found = walk(catalogue, **written(asked), number_of_records=37)
        assert sorted(found) == sorted(movie.imdb_id for movie in hits)


FACETS: Final[Mapping[str, Callable[[Movie], Sequence[str]]]] = {
    "types": lambda movie: [movie.type],
    "genres": lambda movie: movie.genres,
    "decades": lambda movie: [str(movie.year // 10 * 10)] if movie.year else [],
    "languages": lambda movie: movie.languages,
    "countries": lambda movie: movie.countries,
    "rated": lambda movie: [movie.rated] if movie.rated else [],
}


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: str(written(asked)))
def test_counts_and_facets_are_those_of_the_hits(
    catalogue: httpx.Client, asked: dict[str, Any]
) -> None:
    hits = [movie for movie in MOVIES if fits(movie, asked)]
    answer = catalogue.get("/movies.search", params={**written(asked), "counts": "true"}).json()

    assert answer["pagination"]["total_records"] == len(hits)
    assert answer["pagination"]["total_is_exact"] is True
    for name, read in FACETS.items():
        told = {entry["value"]: entry["movies"] for entry in answer["facets"][name]}
        assert told == Counter(value for movie in hits for value in read(movie)), name
        counted = [entry["movies"] for entry in answer["facets"][name]]
        assert counted == sorted(counted, reverse=True)


def test_small_pages_meet_each_hit_once_by_relevance(catalogue: httpx.Client) -> None:
    for query in ("love", "the star", "ni", "morgan freeman", "godard night", "the 1999"):
        pages = walk(catalogue, query=query, number_of_records=3)
        whole = walk(catalogue, query=query, number_of_records=100)
        assert len(set(pages)) == len(pages)
        assert pages == whole


def test_without_a_query_the_best_known_come_first(catalogue: httpx.Client) -> None:
    assert walk(catalogue, number_of_records=100) == in_order(MOVIES, "-imdb_votes")
