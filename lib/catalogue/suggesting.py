"""Films that were perhaps meant where no title was found: which to look at, and which are nearest.

Two questions. The first asks for words like those of the title: itself and those that are a letter
away. The second asks for films that have them, all or some, rarely those that have only common ones
in common; which of these are nearest is told here, by the pairs of letters that titles share.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final

from lib.catalogue.folding import fold, split_words
from lib.catalogue.statements import LIKE_WORDS, NEAR_FILMS
from lib.catalogue.titles import name_of, other_names_of, take_year
from lib.database.statement import Query, Rows
from lib.errors import MovieNotFound

SUGGESTIONS: Final = 5
_MOST_WORDS: Final = 10
_COMMON: Final = 5_000  # movies that have a word, beyond which it alone says nothing of a film
_RARE: Final = 500  # movies that have a word, up to which it alone says which film
_RAREST: Final = 6  # words of which two that meet say something
_YEAR_WEIGHT: Final = 0.3
_FAME_WEIGHT: Final = 0.02  # for ten times the votes


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A title that nobody has.

    Attributes:
        names: All that it may mean, folded to letters and digits.
        words: Of the title, without a year in brackets.
        year: Asked for beside it or in it.
    """

    names: tuple[str, ...]
    words: tuple[str, ...]
    year: int | None


@dataclass(frozen=True, kw_only=True)
class Likes:
    """The words like one of a title's.

    Attributes:
        movies: How many have one of them, at most.
    """

    words: tuple[str, ...]
    movies: int


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film that may be meant."""

    imdb_id: str
    title: str
    year: int | None
    votes: int
    loose: str


def as_asked(title: str, *, year: int | None) -> Asked:
    """Return what to compare with films."""
    undated, told = take_year(title)
    names = (name_of(title, year=year), *other_names_of(title, year=year))
    words = dict.fromkeys(chain.from_iterable(split_words(fold(undated))))
    return Asked(
        names=tuple(name.loose for name in names),
        words=tuple(words)[:_MOST_WORDS],
        year=year or told,
    )


def find_likes(asked: Asked) -> Query[tuple[Likes, ...]]:
    """Ask which words of the catalogue are like those of a title."""

    def read(rows: Rows) -> tuple[Likes, ...]:
        return tuple(Likes(words=tuple(json.loads(likes)), movies=movies) for likes, movies in rows)

    return Query(statement=LIKE_WORDS, values={"words": json.dumps(asked.words)}, read=read)


def find_nearest(asked: Asked, likes: Sequence[Likes]) -> Query[tuple[Film, ...]]:
    """Ask which films are nearest to a title that nobody has, or nobody in that year."""

    def read(rows: Rows) -> tuple[Film, ...]:
        films = [
            Film(imdb_id=imdb_id, title=title, year=year, votes=votes, loose=loose)
            for imdb_id, title, year, votes, loose in rows
        ]
        names = [_pairs(name) for name in asked.names]
        films.sort(key=lambda film: (-_nearness(film, names, asked.year), film.imdb_id))
        return tuple(films[:SUGGESTIONS])

    values = {
        "names": json.dumps(asked.names),
        "most": _most_of(likes),
        "some": _some_of(likes),
        "of_year": _of_year(likes, asked.year),
    }
    return Query(statement=NEAR_FILMS, values=values, read=read)


def nothing_but(asked: Asked, films: Sequence[Film]) -> MovieNotFound:
    """Return what to tell who asked for a title: that there is none, but what is near it."""
    of_year = f" of the year {asked.year}" if asked.year else ""
    years = sorted({film.year for film in films if film.year and film.loose in asked.names})
    there_are = f" There are those of {_listed(years)}." if years else ""
    shown = [{"imdb_id": f.imdb_id, "title": f.title, "year": f.year} for f in films]
    return MovieNotFound(
        f"No movie with this title{of_year} is in the catalogue.{there_are}",
        more={"suggestions": shown},
    )


def _listed(years: Sequence[int]) -> str:
    *others, last = map(str, years)
    return f"{', '.join(others)} and {last}" if others else last


def _most_of(likes: Sequence[Likes]) -> str | None:
    """All words, or all but one."""
    every = [_any_of(one.words) for one in likes]
    if not every:
        return None
    ways = [every, *(every[:left] + every[left + 1 :] for left in range(len(every)))]
    return _any_way(ways if len(every) > 2 else ways[:1])  # noqa: PLR2004


def _some_of(likes: Sequence[Likes]) -> str | None:
    """One rare word, or two of the rarest."""
    rarest = sorted(likes, key=lambda one: one.movies)[:_RAREST]
    alone = [[_any_of(one.words)] for one in rarest if one.movies <= _RARE]
    pairs = [
        [_any_of(one.words), _any_of(other.words)]
        for one, other in combinations(rarest, 2)
        if one.movies <= _COMMON
    ]
    return _any_way([*alone, *pairs])


def _of_year(likes: Sequence[Likes], year: int | None) -> str | None:
    """One word that is not common, and about that year."""
    words = [word for one in likes if one.movies <= _COMMON for word in one.words]
    if year is None or not words:
        return None
    years = [f"#y/{about}" for about in range(year - 1, year + 2)]
    return f"{_any_of(words)} & {_any_of(years)}"


def _any_of(words: Iterable[str]) -> str:
    return "(" + " | ".join(f"'{word}'" for word in words) + ")"


def _any_way(ways: Iterable[Sequence[str]]) -> str | None:
    return " | ".join("(" + " & ".join(way) + ")" for way in ways) or None


def _nearness(film: Film, titles: Iterable[frozenset[str]], year: int | None) -> float:
    its = _pairs(film.loose)
    shared = max(2 * len(its & asked) / (len(its) + len(asked)) for asked in titles)
    near = 1 / (1 + abs(film.year - year)) if year and film.year else 0.0
    return shared + _YEAR_WEIGHT * near + _FAME_WEIGHT * math.log10(film.votes + 1)


def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of letters that follow each other, with both ends."""
    padded = f" {text} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))
