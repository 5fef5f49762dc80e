"""What all lists share: which page, how many records of it, cursors, and where links lead."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from lib.errors import InvalidRequest
from lib.web.parsing import parse_whole_number

DEFAULT_RECORDS: Final = 10
MOST_RECORDS: Final = 100
LAST_PAGE: Final = 1_000_000


def parse_page_number(query: Mapping[str, str]) -> int:
    """Read `page`, by default the first; raise `InvalidRequest` for what is no page's number."""
    number = parse_whole_number(query.get("page", "1"))
    if number is None or not 1 <= number <= LAST_PAGE:
        raise InvalidRequest(
            f"page must be a whole number from 1 to {LAST_PAGE:,}, in the digits 0 to 9.",
            fields={"page": f"must be a whole number from 1 to {LAST_PAGE}"},
        )
    return number


def parse_number_of_records(query: Mapping[str, str]) -> int:
    """Read `number_of_records`, of which at most a hundred are given; raise `InvalidRequest`."""
    number = parse_whole_number(query.get("number_of_records", str(DEFAULT_RECORDS)))
    if number is None or number < 1:
        raise InvalidRequest(
            "number_of_records must be a whole number from 1 upwards, in the digits 0 to 9; "
            f"at most {MOST_RECORDS} are given.",
            fields={"number_of_records": "must be a whole number from 1 upwards"},
        )
    return min(number, MOST_RECORDS)


def encode_cursor(place: str) -> str:
    """Return a place as callers carry it: opaque, and safe in a query."""
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, longest: int) -> str:
    """Return the place of a cursor.

    Several texts may be read as one place, of which `encode_cursor` makes one only.

    Raises:
        ValueError: It has more characters than the longest, or is none.
    """
    if len(cursor) > longest:
        raise ValueError
    padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True).decode()


def link_target(path: str) -> str:
    """Return where the links of an answer lead that was asked for at a path."""
    # One slash: `//` would lead to another host.
    return "/" + quote(path, safe="/.-_~%").lstrip("/")
