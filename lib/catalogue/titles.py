"""What a title as people write it may mean: the names to look for, the likeliest first.

`folding` compares what is written in other letters; here it is told in other words: with the year
or another title in brackets, with a number in another form, with "part" or without.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from lib.catalogue.folding import fold, loose, split_words, turn_article
from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR

_MOST_NAMES: Final = 40
_LEAST_LETTERS: Final = 3  # of a title in brackets; below it is a number or "TV"
_WIDE: Final = {ord(c) + 0xFEE0: c for c in "()[]0123456789"}  # as Chinese is typed
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
# "1999", "TV Series 2004-2010", "2012/I"; dashes of all kinds
_YEAR: Final = re.compile(r"(?:\D*\s)?([0-9]{4})(?:\s*[-\u2010-\u2015/].*)?\s*", re.ASCII)
_YEAR_AT_END: Final = re.compile(r"(.*\S)[\s,]+([0-9]{4})", re.ASCII)
_ALSO_KNOWN_AS: Final = re.compile(r"\s*(?:a\.?k\.?a\.?|also known as)[\s:]+", re.IGNORECASE)

_NUMBERS: Final = (
    ("1", "i", "one"), ("2", "ii", "two"), ("3", "iii", "three"), ("4", "iv", "four"),
    ("5", "v", "five"), ("6", "vi", "six"), ("7", "vii", "seven"), ("8", "viii", "eight"),
    ("9", "ix", "nine"), ("10", "x", "ten"), ("11", "xi", "eleven"), ("12", "xii", "twelve"),
    ("13", "xiii", "thirteen"),
)  # fmt: skip
_IN_FORM: Final = tuple(
    {word: number[form] for number in _NUMBERS for word in number} for form in range(3)
)
_PARTS: Final = ("part", "volume", "vol", "chapter")


@dataclass(frozen=True, kw_only=True)
class Name:
    """A title to look for.

    Attributes:
        turned: Folded, with an article that stood behind it before it.
        year: That the film must be of; None for any.
    """

    title: str
    folded: str
    turned: str
    loose: str
    year: int | None


def name_of(title: str, *, year: int | None) -> Name:
    """Return a title as a name to look for."""
    folded = fold(title)
    return Name(
        title=title, folded=folded, turned=turn_article(folded), loose=loose(title), year=year
    )


def other_names_of(title: str, *, year: int | None) -> tuple[Name, ...]:
    """Return what else a title may mean than the title itself.

    Args:
        year: That was asked for; one in the title counts where none was.
    """
    names: dict[tuple[str, int | None], Name] = {}
    for meant, of_year in _meanings(title, year):
        name = name_of(meant, year=of_year)
        if any(map(str.isalnum, name.loose)):
            names.setdefault((name.loose, of_year), name)
    names.pop((loose(title), year), None)
    return tuple(names.values())[:_MOST_NAMES]


def _meanings(title: str, year: int | None) -> Iterator[tuple[str, int | None]]:
    undated, told = take_year(title)
    year = year or told
    yield undated, year
    bare = without_brackets(undated)
    yield bare, year
    for inside in _BRACKETS.findall(undated):
        if sum(map(str.isalnum, inside)) >= _LEAST_LETTERS:
            yield _ALSO_KNOWN_AS.sub("", inside, count=1).strip(), year
    undated_ways = [(bare, year)]
    if year is None and (dated := take_year_at_end(bare)):
        yield dated
        undated_ways.append(dated)
    for text, of_year in undated_ways:
        for with_other_numbers in _with_other_numbers(text):
            yield with_other_numbers, of_year
    if bare[:3].casefold() == "the" and bare[3:4].isalnum():
        yield bare[3:], year  # "TheShining"


def without_brackets(title: str) -> str:
    """Return a title without what stands in brackets."""
    return " ".join(_BRACKETS.sub(" ", title).split())


def take_year(title: str) -> tuple[str, int | None]:
    """Return a title without a year in brackets, and that year, if there is one."""
    title = title.translate(_WIDE)
    for bracket in _BRACKETS.finditer(title):
        dated = _YEAR.fullmatch(bracket[1])
        if dated and (year := _as_year(dated[1])):
            return " ".join((title[: bracket.start()] + title[bracket.end() :]).split()), year
    return title, None


def take_year_at_end(title: str) -> tuple[str, int] | None:
    """Return a title without the year that it ends in, and that year; None if there is none."""
    dated = _YEAR_AT_END.fullmatch(title)
    year = _as_year(dated[2]) if dated else None
    return (dated[1], year) if dated and year else None


def _as_year(digits: str) -> int | None:
    return int(digits) if FIRST_YEAR <= int(digits) <= LAST_YEAR else None


def _with_other_numbers(title: str) -> Iterator[str]:
    """Yield "Rocky II", "Rocky two", "Rocky part 2" and so on for "Rocky 2"."""
    words = list(chain.from_iterable(split_words(turn_article(fold(title)))))
    if len(words) == 1 or not any(word in _IN_FORM[0] for word in words):
        return  # "9" and "Nine" are two films
    kinds = [words]
    if words[-1] in _IN_FORM[0]:
        *begin, last = words
        if len(begin) > 1 and begin[-1] in _PARTS:
            begin.pop()
        kinds = [[*begin, *part, last] for part in ([], *([part] for part in _PARTS))]
    for kind in kinds:
        for numbers in _IN_FORM:
            yield " ".join(numbers.get(word, word) for word in kind)
