"""How people write the titles of films: rules that make names, and which film each means.

A rule returns nothing where it has nothing to do. Typing errors are at random, and each time the
same.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

Rule = Callable[[str], str | None]

_ROMANS: Final = dict(zip("2345678", ("II", "III", "IV", "V", "VI", "VII", "VIII"), strict=True))
_DIGITS: Final = {roman: digit for digit, roman in _ROMANS.items()}
_WORDS: Final = {"1": "One", "2": "Two", "3": "Three", "4": "Four", "5": "Five", "8": "Eight",
                 "9": "Nine", "12": "Twelve"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Named:
    """A name for a film.

    Attributes:
        rule: By which it was made.
        year: Of the film.
    """

    name: str
    rule: str
    imdb_id: str
    year: int | None


def _unless_same(change: Rule) -> Rule:
    def changed(title: str) -> str | None:
        made = change(title)
        return None if made is None or made == title else made

    return changed


def _sub(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Rule:
    return _unless_same(lambda title: re.sub(pattern, replacement, title))


def _numbers(table: dict[str, str]) -> Rule:
    words = "|".join(table)
    return _sub(rf"(?<![\w#.,])({words})(?![\w,.])", lambda found: table[found[1]])


def _without_accents(title: str) -> str:
    decomposed = unicodedata.normalize("NFD", title)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


# As people write a title that they know: all of these are found.
WRITTEN: Final[dict[str, Rule]] = {
    "as it is": lambda title: title,
    "in small letters": _unless_same(str.lower),
    "in capitals": _unless_same(str.upper),
    "decomposed": _unless_same(lambda title: unicodedata.normalize("NFD", title)),
    "full width": lambda title: re.sub("[!-~]", lambda c: chr(ord(c[0]) + 0xFEE0), title),
    "the article at the end": _sub(r"^(The|A|An|La|Le|Der|Die) (.*)$", r"\2, \1"),
    "without the article": _sub(r"^(The|A|An) (?=\S{3})", ""),
    "an article too many": _sub(r"^(?!The |A |An |L[ae] |D[a-z]{1,2} )(?=[A-Z])", "The "),
    "without accents": _unless_same(_without_accents),
    "with accents of others": _sub(r"(?<=[a-z])o", "ö"),
    "with a stroke": _sub(r"(?<=[a-z])o(?=[a-z])", "ø"),
    "with printers' marks": _unless_same(
        lambda title: title.replace("'", "\u2019").replace("...", "\u2026").replace("-", "\u2013")
    ),
    "with an accent for an apostrophe": _sub("'", "\u00b4"),
    "without apostrophes": _sub("'", ""),
    "without marks": _sub(r"[^\w\s]", ""),
    "with blanks for marks": _sub(r"(?<=\w)[-.·:,](?=\w)|: | - ", " "),
    "in one word": _sub(r"(?<=\w)[-· ](?=\w)", ""),
    "a dash for the colon": _sub(": ", " - "),
    "& in words": _sub("&", "and"),
    "and as a mark": _sub(r"\band\b", "&"),
    "and as another mark": _sub(r"\band\b", "+"),
    "roman numbers": _numbers(_ROMANS),
    "arabic numbers": _numbers(_DIGITS),
    "numbers in words": _numbers(_WORDS),
    "without part": _sub(r":? Part (?=[IV]+$)", " "),
    "part with digits": _sub(r":? Part II$", " Part 2"),
    "a part of its own": _sub(r" ([234])$", r" Part \1"),
    "volume in full": _sub(r"Vol\. ", "Volume "),
    "a raised number": _sub(r" ([23])$", lambda found: " \u00b2\u00b3"[int(found[1]) - 1]),
    "another title behind it": lambda title: f"{title} (Ein anderer Titel)",
    # "(1917)" is a year.
    "behind another title": lambda title: (
        None if title.isdigit() else f"Ein anderer Titel ({title})"
    ),
    "also known as": lambda title: f"{title} (a.k.a. Quite Another)",
}
# As who knows the beginning of a title, or remembers it so: several films may be meant.
CUT: Final[dict[str, Rule]] = {
    "without the subtitle": _sub(r"(: | - | or: ).*", ""),
    "without the last word": _sub(r"(?<=\w{4}) \S+$", ""),
}
DATED: Final[dict[str, Callable[[str, int], str]]] = {
    "a year in brackets": "{} ({})".format,
    "a year in square brackets": "{} [{}]".format,
    "a year and what it is": "{} (TV Series {}–)".format,
    "a year behind it": "{} {}".format,
}


def _drop(title: str, at: int, _: str) -> str:
    return title[:at] + title[at + 1 :]


def _double(title: str, at: int, _: str) -> str:
    return title[:at] + title[at] + title[at:]


def _swap(title: str, at: int, _: str) -> str:
    return title[:at] + title[at + 1] + title[at] + title[at + 2 :]


def _replace(title: str, at: int, letter: str) -> str:
    return title[:at] + letter + title[at + 1 :]


TYPING_ERRORS: Final = {
    "a letter missing": _drop,
    "a letter twice": _double,
    "two letters the wrong way round": _swap,
    "another letter": _replace,
}


def names_of(films: Iterable[tuple[str, str, int | None]]) -> Iterator[Named]:
    """Yield every name that the rules make of films, given as id, title and year."""
    for imdb_id, title, year in films:
        for rule, write in WRITTEN.items():
            if name := write(title):
                yield Named(name=name, rule=rule, imdb_id=imdb_id, year=year)
        for rule, date in DATED.items():
            if year is not None:
                yield Named(name=date(title, year), rule=rule, imdb_id=imdb_id, year=year)


def cut(films: Iterable[tuple[str, str, int | None]]) -> Iterator[Named]:
    """Yield the beginnings of titles."""
    for imdb_id, title, year in films:
        for rule, shorten in CUT.items():
            if name := shorten(title):
                yield Named(name=name, rule=rule, imdb_id=imdb_id, year=year)


def mistyped(films: Iterable[tuple[str, str, int | None]]) -> Iterator[Named]:
    """Yield each film's title with one typing error of each kind, anywhere in it."""
    for imdb_id, title, year in films:
        chance = random.Random(imdb_id)  # noqa: S311  the same each time is what is wanted
        for rule, mistake in TYPING_ERRORS.items():
            if len(title) > 1:
                at = chance.randrange(len(title) - 1)
                name = mistake(title, at, chance.choice("etaoinshrdlu"))
                if name.casefold() != title.casefold():
                    yield Named(name=name, rule=rule, imdb_id=imdb_id, year=year)
