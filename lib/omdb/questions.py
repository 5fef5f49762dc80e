"""What OMDb is asked for a movie, and what makes two questions the same one."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from lib.catalogue.movie import TITLE_LENGTH, TYPOGRAPHIC, title_key
from lib.catalogue.wanted import Wanted

# OMDb compares letter by letter; these are rarer than those that all titles are compared without.
_RARE: Final = {
    "'": "\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bd\u02c8\uff07",
    '"': "\u201e\u201f\u2033\u2036\u02ba\u02dd\uff02",
    "-": "\u2015\u2e3a\u2e3b\ufe58\ufe63\uff0d",
    "/": "\u2044\u2215\uff0f",
    ".": "\u2024\uff0e",
    "..": "\u2025",
    ":": "\u2236\uff1a",
    "&": "\uff06",
    "!": "\uff01",
    "?": "\uff1f",
    ",": "\uff0c",
}
_MARKS: Final = str.maketrans(
    {odd: mark for table in (TYPOGRAPHIC, _RARE) for mark, odds in table.items() for odd in odds}
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What OMDb is to be asked.

    Attributes:
        imdb_id: The movie's; None where a title is asked for.
        title: As it goes to OMDb.
        key: The same for all questions to which a movie that answers one of them is the answer.
        spelling: The same for those that OMDb is sure to answer alike: where it knows no
            "Cäsablanca", it may know "Casablanca".
    """

    imdb_id: str | None
    title: str
    year: int | None
    key: str
    spelling: str


def question(wanted: Wanted) -> Question:
    """Return the question that finds what a caller wants."""
    if wanted.imdb_id is not None:
        key = wanted.imdb_id
        return Question(imdb_id=key, title="", year=None, key=key, spelling=key)
    title = plain(wanted.title)
    year = "" if wanted.year is None else str(wanted.year)
    return Question(
        imdb_id=None,
        title=title,
        year=wanted.year,
        key=f"{year}:{title_key(wanted.title)}",  # no id begins like this
        spelling=f"{year}:{title.casefold()[:TITLE_LENGTH]}",
    )


def plain(title: str) -> str:
    """Return a title in composed characters, with straight marks and nothing that is invisible."""
    straight = unicodedata.normalize("NFC", title).translate(_MARKS)
    visible = "".join(" " if c.isspace() else c for c in straight if c.isspace() or _is_seen(c))
    return re.sub(" +", " ", visible).strip()


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf"}
