"""Where in a text, a row or an object an IMDb id is."""

import re
from typing import Any, Final

from lib.catalogue.movie import IMDB_ID

_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
AROUND: Final = " \t\r\n\xa0\ufeff\u200b\"'`´“”„‘’«»,;:.=•()[]{}<>" + _DIRECTIONS  # noqa: RUF001
_ADDRESS: Final = re.compile(
    r"(?:(?:https?:)?/+)?(?:[a-z0-9-]+\.)*imdb\.com(?::[0-9]{1,5})?/+"
    r"(?:[a-z]{2}(?:-[a-z]{2,3})?/+)?title/+"
    r"(tt[0-9]{7,10})(?:[/?#&].*)?",
    re.ASCII | re.DOTALL,
)
# How file names of media servers write it: {imdb-tt...}, [imdbid-tt...]; and imdb://tt...
_LABEL: Final = re.compile(r"imdb(?:id)?(?:-|=|:/*)(?=tt)", re.ASCII)
_BARE_NUMBER: Final = re.compile(r"[0-9]{7,10}", re.ASCII)
NEARLY_AN_ID: Final = re.compile(r"\W*tt[0-9]+\W*", re.ASCII)
# How columns and members are called, without case and marks; the first that is there is asked
# first. In the first few a number is an id that lacks its letters.
_IMDB_COLUMNS: Final = ("const", "tconst", "imdbid", "imdbtitleid")
ID_COLUMNS: Final = (*_IMDB_COLUMNS, "imdb", "titleid", "id")
COLUMNS: Final = (*ID_COLUMNS, "url", "imdburl", "imdblink", "link")


def id_of_word(word: str, column: str = "") -> str | None:
    """Return the id that a word is, or that the address of a title's page names."""
    word = bare(word.rpartition("](")[2])  # [a title](its address) is Markdown
    if column in _IMDB_COLUMNS and _BARE_NUMBER.fullmatch(word):
        return f"tt{word}"
    address = _ADDRESS.fullmatch(word)
    word = address[1] if address else _LABEL.sub("", word.partition("#")[0], count=1)
    return word if IMDB_ID.fullmatch(word) else None


def bare(word: str) -> str:
    """Take from a word what people and programs put around ids."""
    return word.strip(AROUND).lower().rstrip("/")


def id_of_item(item: Any) -> str | None:
    """Return the id of a text, or of an object: its own member's, or else one further in."""
    if isinstance(item, str):
        return id_of_word(item)
    if not isinstance(item, dict):
        return None
    named = {plain_name(name): member for name, member in item.items()}
    for name in COLUMNS:
        member = named.get(name)
        imdb_id = id_of_word(member, name) if isinstance(member, str) else None
        if imdb_id:
            return imdb_id
    inner = (id_of_item(member) for member in item.values() if isinstance(member, dict))
    return next(filter(None, inner), None)


def plain_name(written: str) -> str:
    """Return the name of a column or a member without case and marks."""
    return re.sub(r"[^a-z0-9]", "", written.lower())
