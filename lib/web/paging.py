"""What all lists share: which page, how many records of it, cursors, and where links lead."""

import base64
from typing import Final
from urllib.parse import quote

from lib.web.inputs import Input
from lib.web.rules import Whole

DEFAULT_RECORDS: Final = 10
MOST_RECORDS: Final = 100
LAST_PAGE: Final = 1_000_000


PAGE: Final = Input(
    rule=Whole(low=1, high=LAST_PAGE, parted=True),
    about="Which page. Not together with `cursor`.",
    default=1,
)
NUMBER_OF_RECORDS: Final = Input(
    rule=Whole(low=1, most=MOST_RECORDS),
    about=f"How many records a page has, of which at most {MOST_RECORDS} are given.",
    default=DEFAULT_RECORDS,
    example=DEFAULT_RECORDS,
    write=str,
)


def encode_cursor(place: str) -> str:
    """Return a place as callers carry it: opaque, and safe in a query."""
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, longest: int) -> str:
    """Return the place of a cursor.

    Raises:
        ValueError: It has more characters than the longest, or is none that `encode_cursor` makes.
    """
    if len(cursor) > longest:
        raise ValueError
    padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
    place = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    if encode_cursor(place) != cursor:  # several texts are read as one place
        raise ValueError
    return place


def link_target(path: str) -> str:
    """Return where the links of an answer lead that was asked for at a path."""
    # One slash: `//` would lead to another host.
    return "/" + quote(path, safe="/.-_~%").lstrip("/")
