"""Ranges of the numbers and days that films have: `1994`, `1990..1999`, `1990..`, `..1999`."""

import re
from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from lib.web.parsing import refuse
from lib.web.rules import Rule, Schema

MOST: Final = 2**31 - 1  # the greatest end of a range, and what an open one ends with
_WHOLE_NUMBER: Final = re.compile("0|[1-9][0-9]{0,9}", re.ASCII)
Bounds = tuple[int, int]  # the least and the greatest that is wanted; what is unknown is 0


class Scale(NamedTuple):
    """How the ends of a range are written, and as which numbers the search rows hold them.

    Attributes:
        of: What they are, in words.
        pattern: A regular expression of how they look.
        read: Returns the number of a text, None for what is none.
    """

    of: str
    pattern: str
    read: Callable[[str], int | None]


class Range(Rule[Bounds]):
    """One number of a scale, or all from one to another, either of which may be left out."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    @property
    def asks_for(self) -> str:
        """What it is, for people."""
        return f"one or a range (A..B, A.., ..B) of {self.scale.of}"

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return f"must be {self.asks_for}"

    def from_text(self, name: str, text: str) -> Bounds:
        """Read a parameter."""
        low, dots, high = text.partition("..")
        ends = [self.scale.read(low) if low else 0, self.scale.read(high) if high else MOST]
        if not dots:
            ends[1] = ends[0]
        if not (low or high) or None in ends:
            refuse(name, self.rule)
        begin, end = ends[0] or 0, ends[1] or 0
        if begin > end:
            refuse(name, "must begin with the smaller end of its range")
        return max(begin, 1), end  # what is unknown is in no range

    def schema(self) -> Schema:
        """Return the JSON schema, which cannot tell which of two ends is the smaller."""
        end = f"({self.scale.pattern})"
        return {"type": "string", "pattern": rf"^({end}(\.\.{end}?)?|\.\.{end})$"}


def numbers(what: str, *, low: int, high: int, most: int | None = None) -> Scale:
    """Return the scale of whole numbers in a range.

    Args:
        most: The greatest that rows hold: what is above counts as that.
    """

    def read(text: str) -> int | None:
        if not _WHOLE_NUMBER.fullmatch(text) or not low <= int(text) <= high:
            return None
        return min(int(text), most or high)

    digits = dict.fromkeys((len(str(low)) - 1, len(str(high)) - 1))
    pattern = f"[1-9][0-9]{{{','.join(map(str, digits))}}}"
    return Scale(
        of=f"{what} from {low} to {high}", pattern=pattern if low else f"0|{pattern}", read=read
    )


def _read_tenths(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]|10(?=$|\.0))(?:\.([0-9]))?", text, re.ASCII)
    return int(found[1]) * 10 + int(found[2] or 0) if found else None


def _read_day(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        return None
    try:
        return int(date.fromisoformat(text).strftime("%Y%m%d"))
    except ValueError:
        return None


TENTHS: Final = Scale(
    of="numbers from 0 to 10 with at most one decimal",
    pattern=r"[0-9](\.[0-9])?|10(\.0)?",
    read=_read_tenths,
)
DAYS: Final = Scale(
    of="days as 1994-10-14",
    pattern=r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
    read=_read_day,
)
