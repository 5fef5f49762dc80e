"""What people ask a catalogue for, made of films that some know: each way to ask is a class."""

import collections
import itertools
import random
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from lib.database.settings import DatabaseSettings
from local.bench.calling import request
from local.bench.catalogue import connect

WORD: Final = re.compile(r"[^\W_]+")
_KNOWN: Final = 20  # of so many films, one is asked for
_COMMON: Final = 20  # words
_TYPED: Final = 3  # letters, before anybody reads what is found
_LONG: Final = 5  # letters of a word that is mistyped
_FILMS: Final = """
    select title, year, genres, languages, countries, directors || actors from movies
    where actors <> '{}' order by imdb_votes desc nulls last, imdb_id limit %s
"""


@dataclass(frozen=True, kw_only=True)
class Film:
    """What somebody may know of a film."""

    title: str
    year: int
    genres: Sequence[str]
    languages: Sequence[str]
    countries: Sequence[str]
    people: Sequence[str]


@dataclass(frozen=True)
class Search:
    """What somebody looks for.

    Attributes:
        filters: Values by their parameters.
    """

    words: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the request."""
        return {**({"query": self.words} if self.words else {}), **self.filters}

    def request(self, path: str = "/movies.search", **more: str) -> bytes:
        """Return it as a request to `movies.search`, with more parameters."""
        asked = {**self.parameters, **more}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
        return request(f"{path}?{query}")


def known_films(settings: DatabaseSettings, rows: int) -> list[Film]:
    """Return the films with most votes of a catalogue that has so many films in all."""
    with connect(settings) as connection:
        cursor = connection.cursor()
        cursor.execute(_FILMS, (rows // _KNOWN,))
        found: Sequence[Any] = cursor.fetchall()
    return [
        Film(title=title, year=year, genres=genres, languages=spoken, countries=made, people=people)
        for title, year, genres, spoken, made, people in found
    ]


def make_searches(films: Sequence[Film], count: int) -> dict[str, list[Search]]:
    """Return so many searches of each class, the same ones each time."""
    chance = random.Random(count)  # noqa: S311  no secret
    classes: dict[str, Callable[[Film], Search]] = {
        "a full title": lambda film: Search(film.title),
        "a title cut while typed": lambda film: Search(_cut(film.title, chance)),
        "a title, one letter wrong": lambda film: Search(mistype(film.title, chance)),
        "a person's name": lambda film: Search(chance.choice(film.people)),
        "a word, two filters": lambda film: Search(
            WORD.findall(film.title)[-1], {"genre": film.genres[0], "language": film.languages[0]}
        ),
        "three filters": lambda film: Search(
            filters={
                "genre": film.genres[0],
                "country": film.countries[0],
                "year": f"{film.year // 10 * 10}..{film.year // 10 * 10 + 9}",
            }
        ),
    }
    made = {
        name: [make(film) for film in chance.choices(films, k=count)]
        for name, make in classes.items()
    }
    letters, common = itertools.cycle(string.ascii_lowercase), itertools.cycle(_common(films))
    made["a common word"] = [Search(word) for word in itertools.islice(common, count)]
    made["one letter"] = [Search(letter) for letter in itertools.islice(letters, count)]
    made["nothing found"] = [Search(nonsense(chance)) for _ in range(count)]
    return made


def mistype(title: str, chance: random.Random) -> str:
    """Leave a letter of a long word out, add one, take another one or swap it with the next."""
    words = [word for word in WORD.finditer(title) if len(word[0]) >= _LONG]
    if not words:
        return title
    word = chance.choice(words)
    at = chance.randrange(word.start(), word.end() - 1)
    before, here, following, after = title[:at], title[at], title[at + 1], title[at + 2 :]
    other = chance.choice(string.ascii_lowercase)
    pairs = (following, here + other + following, other + following, following + here)
    typed = [before + pair + after for pair in pairs if pair != here + following]
    return chance.choice(typed)


def nonsense(chance: random.Random) -> str:
    """Return a word that is near no other."""
    return "".join(chance.choices("qwxzjkv", k=9))


def _cut(title: str, chance: random.Random) -> str:
    return title[: chance.randint(min(_TYPED, len(title)), len(title))].rstrip()


def _common(films: Sequence[Film]) -> Iterator[str]:
    words = (word.casefold() for film in films for word in WORD.findall(film.title))
    return (word for word, _ in collections.Counter(words).most_common(_COMMON))
