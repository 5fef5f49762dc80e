"""Words that are alike: one letter more, less or other, two letters changed, a blank too many.

The dictionary has each word of the catalogue, and each less any one of its letters: two words that
have one of these in common are alike, or nearly so.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from lib.database.statement import Query, Rows, Statement
from lib.search.text import (
    ANYTHING,
    COMMON,
    IN_ALL,
    IN_TITLE,
    NOTHING,
    Terms,
    Words,
    all_of,
    any_of,
    is_a_slip,
    lexeme,
)

# Other words that a word may have been meant as; of a word that there is as it is written, too.
_MOST_OTHERS: Final = 40
_FEW_OTHERS: Final = 6

# Each of more words, and each with all the others in turn, makes a query that takes too long.
_MOST_TRIED: Final = 12

# Of short words hundreds are alike.
ALIKE: Final = Statement(
    repeatable=True,
    sql="""
        select given.word, known.word, known.movies
        from unnest(:words::text[]) given (word), lateral (
            select word, movies from words where deletes && deletions(given.word) and movies > 0
            order by word = given.word desc, movies desc, word limit 300
        ) known
        union all
        select '', word, movies from words where word = any(:parts::text[]) and movies > 0
    """,
)
LEXEMES: Final = Statement(
    repeatable=True,
    sql="""
        select lexeme from movie_search, unnest(tokens)
        where imdb_id = :imdb_id::text and not starts_with(lexeme, '#')
    """,
)


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What may have been meant instead of each word, the likeliest first.

    Attributes:
        words: As they were asked for.
        known: Those that films have.
        others: Of each word others, as one or as two words, or none where it may be left out. It is
            not among them itself.
    """

    words: tuple[str, ...]
    known: frozenset[str]
    others: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def are_for_all(self) -> bool:
        """Whether each word that no film has may have been meant as another."""
        return all(
            word in self.known or others
            for word, others in zip(self.words, self.others, strict=True)
        )


def words_of(terms: Terms) -> tuple[str, ...]:
    """Return the words that may be mended."""
    return tuple(part for parts in terms.words for part in parts)


def find_alike(words: Sequence[str]) -> Query[Rows]:
    """Ask the dictionary what may have been meant, for `correct`.

    Whoever asks for the same words in another order asks the same.
    """
    parts = {part for word in words for pair in _halves(word) for part in pair}
    parts.update(*(_like_short(word) for word in words if _is_short(word)))
    return Query(
        statement=ALIKE,
        values={"words": as_array(sorted(set(words))), "parts": as_array(sorted(parts))},
        read=lambda rows: rows,
    )


def find_lexemes(imdb_id: str) -> Query[frozenset[str]]:
    """Ask for the words of a film's title and people."""
    return Query(
        statement=LEXEMES,
        values={"imdb_id": imdb_id},
        read=lambda rows: frozenset(str(row[0]).lstrip("@") for row in rows),
    )


def as_array(texts: Iterable[str]) -> str:
    """Write an array of texts as Postgres reads it."""
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def near_words(found: Corrections) -> Words:
    """Return queries of the words with as few as possible mended, all in one place.

    Those that no film has; where films have each, any one of them.
    """
    wrong = [place for place, word in enumerate(found.words) if word not in found.known]
    ways = [wrong] if wrong else [[at] for at, others in enumerate(found.others) if others]
    if len(found.words) > _MOST_TRIED:
        ways = ways[: bool(wrong)]

    def query(marks: Sequence[str], *, indexed: bool) -> str:
        return any_of([_query_of(found, way, marks, indexed=indexed) for way in ways])

    return _words(query, is_possible=found.are_for_all and bool(ways))


def far_words(found: Corrections) -> Words:
    """Return queries of the words, each of which may be mended."""

    def query(marks: Sequence[str], *, indexed: bool) -> str:  # noqa: ARG001  each narrows
        return all_of([
            any_of([_all((word,), marks), *(_all(way, marks) for way in others[:_FEW_OTHERS])])
            for word, others in zip(found.words, found.others, strict=True)
        ])  # fmt: skip

    return _words(query, is_possible=found.are_for_all and bool(found.words))


class _Query(Protocol):
    def __call__(self, marks: Sequence[str], *, indexed: bool) -> str: ...


def _words(query: _Query, *, is_possible: bool) -> Words:
    if not is_possible:
        return Words(
            anywhere=NOTHING, indexed=NOTHING, title=NOTHING, title_indexed=NOTHING, whole=NOTHING
        )
    title = query(IN_TITLE, indexed=False)
    return Words(
        anywhere=query(IN_ALL, indexed=False),
        indexed=query(IN_ALL, indexed=True),
        title=title,
        title_indexed=query(IN_TITLE, indexed=True),
        whole=title,
    )


def texts_of(found: Corrections) -> Iterator[str]:
    """Yield the words with one of them mended, in any way there is, the first word first.

    Where several have to be, each in its likeliest way but for one.
    """
    best = [
        (word,) if word in found.known or not others else others[0]
        for word, others in zip(found.words, found.others, strict=True)
    ]
    wrong = [place for place, word in enumerate(found.words) if word not in found.known]
    for place in wrong or range(len(best)):
        for other in found.others[place]:
            yield " ".join(chain(*best[:place], other, *best[place + 1 :]))


def text_of(found: Corrections, lexemes: frozenset[str]) -> str:
    """Return the words as a film has them, so far as it has words like them."""
    said: list[str] = []
    for word, others in zip(found.words, found.others, strict=True):
        ways = [(word,), *others]
        said += next((way for way in ways if lexemes.issuperset(way)), (word,))
    return " ".join(said)


def _query_of(
    found: Corrections, mended: Sequence[int], marks: Sequence[str], *, indexed: bool
) -> str:
    """Return the query of the words with these mended; the index is asked without common ones."""
    rare = [at for at, word in enumerate(found.words) if at in mended or word not in COMMON]
    places = rare if indexed and len(rare) > 1 else range(len(found.words))
    return all_of([
        any_of([_all(way, marks) for way in (others if at in mended else ((word,),))])
        for at, (word, others) in enumerate(zip(found.words, found.others, strict=True))
        if at in places
    ])  # fmt: skip


def _all(words: tuple[str, ...], marks: Sequence[str]) -> str:
    if not words:
        return ANYTHING
    return all_of([any_of([lexeme(mark + word) for mark in marks]) for word in words])


def correct(words: tuple[str, ...], rows: Rows) -> Corrections:
    """Read what the dictionary says of words."""
    counts: dict[str, int] = {}
    alike: dict[str, list[str]] = {}
    for given, word, movies in rows:
        counts[word] = movies
        if given and given != word and is_a_slip(given, word):
            alike.setdefault(given, []).append(word)
    return Corrections(
        words=words,
        known=frozenset(word for word in words if word in counts),
        others=tuple(
            tuple(_others(word, alike.get(word, []), counts, is_alone=len(words) == 1))
            for word in words
        ),
    )


def _others(
    word: str, alike: Sequence[str], counts: Mapping[str, int], *, is_alone: bool
) -> Iterator[tuple[str, ...]]:
    yield from ((other,) for other in alike[:_MOST_OTHERS])
    if _is_short(word):
        known = [other for other in _like_short(word) if other in counts]
        known.sort(key=lambda other: (-counts[other], other))
        yield from ((other,) for other in known[:_MOST_OTHERS])
    if word not in counts:
        yield from (pair for pair in _halves(word) if all(half in counts for half in pair))
    if not is_alone and (len(word) == 1 or (len(word) <= _SHORT and word not in counts)):
        yield ()


_SHORT: Final = 2
_LETTERS: Final = string.ascii_lowercase + string.digits


def _is_short(word: str) -> bool:
    """Tell whether a word has letters, and few: a number is no other."""
    return len(word) <= _SHORT and word.isalpha()


def _like_short(word: str) -> set[str]:
    """Return what a short word may be meant as: less a letter it has hardly one left."""
    places = range(len(word) + 1)
    longer = {word[:at] + letter + word[at:] for at in places for letter in _LETTERS}
    other = {word[:at] + letter + word[at + 1 :] for at in places[:-1] for letter in _LETTERS}
    return (longer | other | {word[::-1]}) - {word}


def _halves(word: str) -> Iterator[tuple[str, str]]:
    """Yield the two words that a word may be without its blank, or with a letter instead of it."""
    for at in range(1, len(word)):
        for behind in (word[at:], word[at + 1 :]):
            if behind and len(word) > _SHORT:
                yield word[:at], behind
