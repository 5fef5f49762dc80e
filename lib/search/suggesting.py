"""Films that were perhaps meant where no title was found: which to look at, and which are nearest.

Two questions. The first asks for words that are a letter away from those of the title. The second
asks for films whose title is the one that was asked for with such a word in it, or that have two of
its rarest words, or a rare one, or one and the year. Which of these are nearest is told here, by
the pairs of letters that titles have in common.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import Final

from lib.catalogue.folding import fold, split_words, turn_article
from lib.catalogue.titles import name_of, other_names_of, take_year, without_brackets
from lib.database.statement import Query, Rows, Statement
from lib.errors import MovieNotFound
from lib.search.text import all_of, any_of, is_a_slip, lexeme

SUGGESTIONS: Final = 5
_MOST_WORDS: Final = 10
_MOST_TITLES: Final = 60  # with another word in it
_MOST_LIKES: Final = 10  # other words that are looked for, of all of a title's together
_JOINED: Final = 6  # letters of what may be two words, when no word is like it
_KNOWN: Final = 5  # movies that have a word, from which it is probably meant as it stands
_RARE: Final = 500  # movies that have a word, up to which it alone says which film is meant
_TIMES: Final = 30  # as many movies as have the rarest, beyond which a word says nothing
_RAREST: Final = 4  # words of which two that meet say something
_YEAR_WEIGHT: Final = 0.3
_FAME_WEIGHT: Final = 0.02  # for ten times the votes
_LEAST_SHARED: Final = 0.3
_SLIP: Final = 0.9  # as if so much were shared with a title that one word sets apart
_ARTICLES: Final = frozenset({"the", "a", "an"})

# A word that nothing is like has a row as well.
LIKE_WORDS: Final = Statement(
    repeatable=True,
    sql="""
        select asked.word, coalesce(
            json_object_agg(near.word, near.movies order by near.movies desc)
                filter (where near.word is not null), '{}')::text
        from rows from (json_array_elements_text(:words::json)) with ordinality asked (word, place)
        left join lateral (
            select word, movies from words where deletes && deletions(asked.word) and movies > 0
            order by word = asked.word desc, movies desc limit 40
        ) near on true
        group by asked.place, asked.word order by asked.place
    """,
)


def _near(condition: str) -> str:
    # + 0: in the order of the index of votes Postgres would read all movies, as few are near.
    return f"""(
        select imdb_id, loose, year, votes from movie_search where {condition}
        order by votes + 0 desc, imdb_id limit 50
    )"""  # noqa: S608


NEAR_FILMS: Final = Statement(
    repeatable=True,
    sql=f"""
        select imdb_id, title, movies.year, votes, loose from (
            {_near("loose in (select json_array_elements_text(:names::json))")}
            union {_near("tokens @@ :two::tsquery")}
            union {_near("tokens @@ :one::tsquery")}
            union {_near("tokens @@ :of_year::tsquery")}
        ) near join movies using (imdb_id)
    """,  # noqa: S608
)
STATEMENTS: Final = (LIKE_WORDS, NEAR_FILMS)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A title that nobody has.

    Attributes:
        names: All that it may mean, folded to letters and digits.
        title: Its words, without what is in brackets.
        words: Those, and of what is in brackets, except of a year.
        year: Asked for beside it or in it.
    """

    names: tuple[str, ...]
    title: tuple[str, ...]
    words: tuple[str, ...]
    year: int | None


@dataclass(frozen=True, kw_only=True)
class Likes:
    """A word of a title, and others that may be meant by it, the most frequent first.

    Attributes:
        movies: How many have the word.
    """

    word: str
    movies: int
    others: Mapping[str, int]


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
    return Asked(
        names=tuple(name.loose for name in names),
        title=_words_of(without_brackets(undated)),
        words=tuple(dict.fromkeys(_words_of(undated))),
        year=year or told,
    )


def _words_of(title: str) -> tuple[str, ...]:
    words = chain.from_iterable(split_words(turn_article(fold(title))))
    return tuple(islice(words, _MOST_WORDS))


def find_likes(asked: Asked) -> Query[tuple[Likes, ...]]:
    """Ask which words of the catalogue may be meant by those of a title."""

    def read(rows: Rows) -> tuple[Likes, ...]:
        return tuple(_read_likes(word, json.loads(near)) for word, near in rows)

    words = json.dumps(asked.words, ensure_ascii=False)
    return Query(statement=LIKE_WORDS, values={"words": words}, read=read)


def _read_likes(word: str, near: Mapping[str, int]) -> Likes:
    others = {other: near[other] for other in near if other != word and is_a_slip(word, other)}
    return Likes(word=word, movies=near.get(word, 0), others=others)


def find_near(asked: Asked, likes: Sequence[Likes]) -> Query[Sequence[Film]]:
    """Ask which films may be meant by a title that nobody has, or nobody in that year.

    Who asks for another year may ask the same, so `choose_nearest` comes after that.
    """

    def read(rows: Rows) -> Sequence[Film]:
        return tuple(
            Film(imdb_id=imdb_id, title=title, year=year, votes=votes, loose=loose)
            for imdb_id, title, year, votes, loose in rows
        )

    rarest = _rarest(likes)
    names = (*asked.names, *sorted(set(_slips_of(asked, likes))))
    values = {
        "names": json.dumps(names, ensure_ascii=False),
        "two": _any_way(combinations(rarest, 2)),
        "one": _any_way([one] for one in rarest if one.movies <= _RARE),
        "of_year": _of_year(rarest, asked.year),
    }
    return Query(statement=NEAR_FILMS, values=values, read=read)


def choose_nearest(films: Sequence[Film], asked: Asked, likes: Sequence[Likes]) -> Sequence[Film]:
    """Return those that were most probably meant, the nearest first."""
    pairs = [_pairs(name) for name in asked.names]
    slips = frozenset(_slips_of(asked, likes))
    near = {film: _nearness(film, asked, slips, pairs) for film in films}
    near = {film: how for film, how in near.items() if how}
    return tuple(sorted(near, key=lambda film: (-near[film], film.imdb_id))[:SUGGESTIONS])


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


def _slips_of(asked: Asked, likes: Sequence[Likes]) -> Iterator[str]:
    """Yield the title with one word that is like one of its own, as few as are worth a look."""
    others = {one.word: one.others for one in likes}
    most = _MOST_TITLES // max(1, len(asked.title))
    for place, word in enumerate(asked.title):
        for other in islice(others.get(word, ()), most):
            words = [*asked.title[:place], other, *asked.title[place + 1 :]]
            yield "".join(words[1:] if words[1:] and words[0] in _ARTICLES else words)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a text query.

    Attributes:
        movies: How many it finds, at most.
    """

    query: str
    movies: int


def _rarest(likes: Sequence[Likes]) -> list[Part]:
    """Return what asks for the rarest words, without those that are far more common."""
    most = _MOST_LIKES // max(1, len(likes))
    rarest = sorted((_part(one, most) for one in likes), key=lambda one: one.movies)[:_RAREST]
    return [one for one in rarest if one.movies <= max(_RARE, _TIMES * rarest[0].movies)]


def _part(likes: Likes, most: int) -> Part:
    words = {likes.word: likes.movies}
    if likes.movies < _KNOWN:
        words.update(islice(likes.others.items(), most))
    lexemes = [lexeme(word) for word in words]
    if len(words) == 1 and not likes.movies and len(likes.word) >= _JOINED:
        lexemes.append(lexeme(likes.word[: len(likes.word) // 2 - 1]) + ":*")
    return Part(query=any_of(lexemes), movies=sum(words.values()))


def _of_year(rarest: Sequence[Part], year: int | None) -> str | None:
    """One of the rarest words, and about that year."""
    ways = _any_way([one] for one in rarest)
    if year is None or ways is None:
        return None
    years = [lexeme(f"#y/{about}") for about in range(year - 1, year + 2)]
    return all_of([ways, any_of(years)])


def _any_way(ways: Iterable[Iterable[Part]]) -> str | None:
    queries = [all_of([one.query for one in way]) for way in ways]
    return f"({' | '.join(queries)})" if queries else None


def _nearness(
    film: Film, asked: Asked, slips: frozenset[str], pairs: Iterable[frozenset[str]]
) -> float:
    """Return how near a film is, 0 for one that was hardly meant."""
    its = _pairs(film.loose)
    shared = _SLIP if film.loose in slips else 0.0
    shared = max(shared, *(_share(of_name, its) for of_name in pairs))
    if shared < _LEAST_SHARED:
        return 0.0
    near = 1 / (1 + abs(film.year - asked.year)) if asked.year and film.year else 0.0
    return shared + _YEAR_WEIGHT * near + _FAME_WEIGHT * math.log10(film.votes + 1)


def _share(pairs: frozenset[str], others: frozenset[str]) -> float:
    """Return which part is common: of both together, a quarter of the smaller one alone."""
    common = len(pairs & others)
    together = 2 * common / (len(pairs) + len(others))
    return 0.75 * together + 0.25 * common / min(len(pairs), len(others))


def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of letters that follow each other, with both ends."""
    padded = f" {text} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))
