"""From where a search goes on: an opaque text that belongs to what is looked for, and its order."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

from lib.catalogue.folding import split_words
from lib.catalogue.movie import IMDB_ID, TITLE_LENGTH
from lib.errors import InvalidRequest
from lib.search.text import MOST_PARTS, Terms
from lib.web.paging import decode_cursor, encode_cursor
from lib.web.rules import Rule, Schema

_LENGTH: Final = 6144  # of an address, which is 8 KB at most
_LETTERS: Final = "^[A-Za-z0-9_-]+$"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MOST: Final = {"relevance": 2**60 - 1, "year": 2**15 - 1, "imdb_rating": 2**15 - 1}

# Whether what was asked for was found as it is, or another text instead of it, or words like it.
Way = Literal["asked", "instead", "near", "far"]
_WAYS: Final[dict[str, Way]] = {"a": "asked", "i": "instead", "n": "near", "f": "far"}


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """The last movie of a page.

    Attributes:
        value: What it is ordered by: a number, or its sort key.
        corrected: What was found instead, which every page tells; empty where nothing was.
    """

    value: str
    imdb_id: str
    way: Way = "asked"
    corrected: str = ""

    def encode(self, looked_for: str) -> str:
        """Return the cursor as callers carry it.

        Args:
            looked_for: What it belongs to: the order, the text, the filters.
        """
        place = f"{self.way[0]}{self.imdb_id} {self.corrected}\n{self.value}"
        return encode_cursor(_print_of(looked_for + "\n" + place) + place)


class CursorRule(Rule[str]):
    """A cursor as callers carry it; `decode` tells whether it is of their search."""

    rule = "must be a next_cursor of the same search"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        if len(text) > _LENGTH or not re.fullmatch(_LETTERS, text):
            raise self.refusal(name)
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "maxLength": _LENGTH, "pattern": _LETTERS}

    def refusal(self, name: str) -> InvalidRequest:
        """Return what is raised for one that is none of the search."""
        return InvalidRequest(
            "The cursor is none that this search gave out: a cursor goes with the query, the "
            "filters and the sort that it came with. Start again without one.",
            fields={name: self.rule},
        )


CURSOR: Final = CursorRule()


def decode(text: str, looked_for: str, sort: str, terms: Terms | None) -> Cursor:
    """Read a cursor; raise `InvalidRequest` for one of another search, a part of one, or none.

    Args:
        terms: The text of the search.
    """
    try:
        cursor = _decode(text, sort)
        if cursor.encode(looked_for) == text and _may_tell(cursor, terms):
            return cursor
    except ValueError:
        pass
    raise CURSOR.refusal("cursor")


def _decode(text: str, sort: str) -> Cursor:
    decoded = decode_cursor(text, longest=_LENGTH)
    place, _, value = decoded[_PRINT_LENGTH:].partition("\n")
    found, _, corrected = place.partition(" ")
    is_right = (
        found[:1] in _WAYS
        and IMDB_ID.fullmatch(found[1:])
        and "\0" not in corrected
        and (_is_key(value) if sort == "title" else _is_number(value, sort))
    )
    if not is_right:
        raise ValueError
    return Cursor(value=value, imdb_id=found[1:], way=_WAYS[found[0]], corrected=corrected)


def _may_tell(cursor: Cursor, terms: Terms | None) -> bool:
    """Tell whether every page may repeat its correction: people read that, so no text of others."""
    if cursor.way == "instead":
        return terms is not None and cursor.corrected in terms.titles[1:]
    words = [part for parts in split_words(cursor.corrected) for part in parts]
    return cursor.corrected == " ".join(words) and len(words) <= 2 * MOST_PARTS


def _is_key(text: str) -> bool:
    return 1 <= len(text) <= TITLE_LENGTH and "\0" not in text


def _is_number(text: str, sort: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and int(text) <= _MOST.get(sort, 2**31 - 1)


_PRINT_LENGTH: Final = 8


def _print_of(all_of_it: str) -> str:
    digest = hashlib.sha256(all_of_it.encode()).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode()
