"""What a caller types, read as words and as titles that it may be; pure functions on texts.

Words become lexemes of a `tsquery` as the search rows hold them: of titles as they are, of people
with "@" before, what can be filtered by with "#" and a letter. No lexeme of another kind begins
with such a mark, so none is met by the beginning of a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lib.catalogue.folding import fold, loose, split_words
from lib.catalogue.titles import other_names_of, take_year, take_year_at_end, without_brackets
from lib.web.parsing import refuse
from lib.web.rules import Rule, Schema, Text

QUERY_LENGTH: Final = 100
MOST_WORDS: Final = 10
MOST_PARTS: Final = 24  # with what is not counted, and what stands between marks: each is looked up
UNCOUNTED: Final = ("the", "of", "and", "to", "in")

# What stands before the words of titles and of people, and before those of titles.
IN_ALL: Final = ("", "@")
IN_TITLE: Final = ("",)
NOTHING: Final = "'~'"  # a lexeme that no row has
ANYTHING: Final = "!'~'"  # true of every row, and never asked of an index

_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]+)[)\]]")

# A film's number is written in one way and asked for in another.
_ROMAN: Final = (
    "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv",
    "xvi", "xvii", "xviii", "xix", "xx",
)  # fmt: skip
_WRITTEN: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS: Final[dict[str, tuple[str, ...]]] = {
    way: tuple(other for other in ways if other != way)
    for number, roman in enumerate(_ROMAN, start=1)
    for ways in [(str(number), roman, *_WRITTEN[number - 1 : number])]
    for way in ways
}
# Of these a row has so many that they narrow nothing down.
COMMON: Final = frozenset((
    "the", "a", "an", "of", "in", "and", "to", "on", "my", "la", "le", "les", "de", "des", "du",
    "der", "die", "das", "el", "los", "las", "il", "lo", "un", "une", "et", "y",
))  # fmt: skip
# Nobody who has typed these is about to type more of them.
_COMPLETE: Final = frozenset({("the",), ("and",), ("of",)})
_SHORT: Final = 2  # letters with which very many words begin


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A text that is looked for.

    Attributes:
        text: As it was asked for, without surplus blanks.
        year: Films of this year are meant first; None when the text does not end in a year.
        words: Each by its parts: "spider-man" is ("spider", "man"). Without that year.
        whole: All of it, folded.
        titles: What the title may be, folded, the likeliest first.
        is_typed: Whether more letters of the last word may follow.
    """

    text: str
    year: int | None
    words: tuple[tuple[str, ...], ...]
    whole: str
    titles: tuple[str, ...]
    is_typed: bool

    @property
    def counted(self) -> int:
        """How many words there are, but for those that long titles are full of."""
        return sum("".join(parts) not in UNCOUNTED for parts in self.words)

    @cached_property
    def loose_titles(self) -> tuple[str, ...]:
        """Letters and digits of what the title may be, numbers written in all ways."""
        others = other_names_of(self.text, year=self.year)
        found = (loose(self.whole), *map(loose, self.titles), *(name.loose for name in others))
        return tuple(dict.fromkeys(found))


def read_terms(text: str, *, year: int | None = None) -> Terms:
    """Read what was asked for: a title, perhaps with a year or with another title in brackets.

    Args:
        text: Without surplus blanks.
        year: Which year is meant, when that is known and not in the text.
    """
    undated, told = take_year(text)
    year, rest = year or told, fold(undated)
    if year is None and (dated := take_year_at_end(rest)):
        rest, year = dated
    rest = rest.rstrip(" ,-")
    if not any(split_words(rest)):
        year, rest = None, fold(text)
    titles = dict.fromkeys((rest, without_brackets(rest), *_BRACKETS.findall(rest)))
    return Terms(
        text=text,
        year=year,
        words=tuple(split_words(rest)),
        whole=fold(text),
        titles=tuple(title for title in titles if any(split_words(title))) or (rest,),
        is_typed=rest[-1:].isalnum(),
    )


class SearchText(Rule[Terms]):
    """A text that films are looked for by; surplus blanks do not count."""

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return (
            f"must be a text of 1 to {QUERY_LENGTH} characters, and at most {MOST_WORDS} words, "
            f"not counting {', '.join(UNCOUNTED)}; with these, and with each part of a word like "
            f"a-b, at most {MOST_PARTS}"
        )

    def from_text(self, name: str, text: str) -> Terms:
        """Read a parameter."""
        text = " ".join(text.split())
        terms = read_terms(text) if 1 <= len(text) <= QUERY_LENGTH else None
        if terms is None or terms.counted > MOST_WORDS or sum(map(len, terms.words)) > MOST_PARTS:
            refuse(name, self.rule)
        return terms

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken, which cannot count words."""
        return Text(QUERY_LENGTH).schema()


def is_a_slip(word: str, other: str) -> bool:
    """Tell whether two words are a letter apart, or two letters that follow each other."""
    while word[:1] == other[:1] != "":
        word, other = word[1:], other[1:]
    return (
        word[1:] in {other, other[1:]}
        or word == other[1:]
        or (word[2:] == other[2:] and word[:2] == other[:2][::-1])
    )


# --- Queries for the index ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Words:
    """The `tsquery` texts of some words.

    Attributes:
        anywhere: All of them, in the title and in people's names.
        indexed: What of it the index is asked, nothing if that is left to the filters; the rest is
            looked at in the rows that it gives.
        title: All of them, in the title.
        title_indexed: As `indexed`, in the title.
        whole: All of them, in the title, and none only as a beginning.
    """

    anywhere: str
    indexed: str
    title: str
    title_indexed: str
    whole: str


def compose(
    words: Sequence[tuple[str, ...]], *, is_typed: bool, is_filtered: bool = False
) -> Words:
    """Make queries of words, all of which are demanded, the last one perhaps as a beginning.

    Args:
        is_filtered: Whether the index is asked for something else as well.
    """
    last = len(words) - 1
    if (last > 0 or is_filtered) and words and words[last] in _COMPLETE:
        is_typed = False
    places = _narrowing(words, is_typed=is_typed, is_filtered=is_filtered)
    queries = []
    for marks in (IN_ALL, IN_TITLE):
        every = [
            _word(word, marks, is_first=not place, is_beginning=is_typed and place == last)
            for place, word in enumerate(words)
        ]
        asked = [every[place] for place in places]
        queries += [all_of(every) or NOTHING, all_of(asked) or ("" if words else NOTHING)]
    anywhere, indexed, title, title_indexed = queries
    whole = compose(words, is_typed=False).title if is_typed else title
    return Words(
        anywhere=anywhere, indexed=indexed, title=title, title_indexed=title_indexed, whole=whole
    )


def _narrowing(
    words: Sequence[tuple[str, ...]], *, is_typed: bool, is_filtered: bool
) -> Sequence[int]:
    """Return the places of the words that the index is asked for, as others narrow little down."""
    texts = ["".join(word) for word in words]
    places = range(len(words))
    # Of all that begins with a letter or two the index would gather far more than the others leave.
    if is_typed and len(texts[-1]) <= _SHORT:
        # What films are filtered by narrows less than two letters do.
        is_wide = is_filtered and len(words) == len(texts[-1]) == 1
        places = places[:-1] if is_wide or any(map(_is_narrow, texts[:-1])) else places
    rare = [place for place in places if texts[place] not in COMMON]
    return rare if len(rare) > 1 else places


def _is_narrow(text: str) -> bool:
    return text not in COMMON and (len(text) > _SHORT or (text.isdigit() and len(text) == _SHORT))


def _word(
    parts: tuple[str, ...], marks: Sequence[str], *, is_first: bool, is_beginning: bool
) -> str:
    end = ":*" if is_beginning else ""
    # Of a word in parts a short last one is no beginning: "schindler's" is not all that has an "s".
    end_of_part = end if len(parts) == 1 or len(parts[-1]) > _SHORT else ""
    ways = []
    for mark in marks:
        lexemes = [lexeme(mark + part) for part in parts]
        ways.append(all_of([*lexemes[:-1], lexemes[-1] + end_of_part]))
        if len(parts) > 1:
            ways.append(lexeme(mark + "".join(parts)) + end)
    if len(parts) == 1 and not is_first:
        ways += map(lexeme, _NUMBERS.get(parts[0], ()))
    return any_of(ways)


def lexeme(text: str) -> str:
    """Quote a lexeme for a `tsquery`."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def any_of(queries: Sequence[str]) -> str:
    """Return the query that any of these satisfies."""
    return queries[0] if len(queries) == 1 else f"({' | '.join(queries)})"


def all_of(queries: Sequence[str]) -> str:
    """Return the query that all of these satisfy together, nothing for none."""
    return queries[0] if len(queries) == 1 else f"({' & '.join(queries)})" if queries else ""
