"""OMDb's fields, every one of them a text, to values of their types.

An odd value becomes `None` (or is left out of its list) rather than costing the movie its other
fields; a member that is no text at all makes the whole answer unusable. What comes out fits the
columns of `lib/database/tables.py`: their ranges, and no character that Postgres refuses.
"""

import html
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from html.entities import html5
from typing import Final

from lib.catalogue.movie import FIRST_YEAR, IMDB_ID, LAST_YEAR, TITLE_LENGTH, TYPES, Rating
from lib.omdb.faults import OmdbAnswerUnusable

TEXT_LENGTH: Final = 10_000  # characters; the longest real plot is a quarter of it
URL_LENGTH: Final = 2_000
SMALLINT: Final = 2**15 - 1
INTEGER: Final = 2**31 - 1
BIGINT: Final = 2**63 - 1

_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_CONTROLS: Final = {c: None for c in (*range(0x20), *range(0x7F, 0xA0)) if not chr(c).isspace()}
_UNSOUND: Final = re.compile("[\ud800-\udfff\ufffd]")
# Script, styles and elements of a page that OMDb scraped instead of a value (OMDb-API#281).
_SCRAPED: Final = re.compile(
    r"if\s?\(\s?typeof\b|@media only\b|</?(?:a|b|body|br|div|embed|form|head|html|i|iframe|img|"
    r"input|link|meta|object|p|script|span|style|svg|table|video)(?=[\s/>])",
    re.IGNORECASE,
)
_WHOLE: Final = re.compile(r"[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5}")
_YEARS: Final = re.compile(r"([0-9]{4})(?P<to>\s?[\u2013\u2014-]\s?([0-9]{4})?)?")
_DATE: Final = re.compile(r"([0-9]{1,2}) ([A-Za-z]{3}) ([0-9]{4})")
_ISO_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_RUNTIME: Final = re.compile(r"(?:([0-9]{1,4}) ?h)?(?: ?([0-9]{1,9}|[0-9]{1,3},[0-9]{3}) ?min)?")
_SCORE: Final = re.compile(r"10(?:\.0)?|[0-9](?:\.[0-9])?")
_DOLLARS: Final = re.compile(r"\$([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(\.[0-9]{1,6})?([KMB]?)")
_URL: Final = re.compile(r"https?://[^\s/?#\"<>\\]+(?:[/?#][^\s\"<>\\]*)?", re.IGNORECASE)
# "1 BAFTA Award17 wins", "3 BAFTA 9 wins": a full stop is missing.
_AWARDS_RUN_ON: Final = re.compile(
    r"(?:(?<=[A-Za-z])|(?<=BAFTA) )(?=[0-9,]{1,9} (?:win|nomination))"
)
_MONTHS: Final = {  # strptime would ask the locale
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MULTIPLES: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_COUNTRIES: Final = {"USA": "United States", "UK": "United Kingdom"}
# The same title comes back in either spelling: one of them, so that a refresh changes nothing.
_RATED: Final = {
    name.upper(): name for name in ("Not Rated", "Unrated", "Approved", "Passed", "Open")
}


def _plain(value: str) -> str | None:
    """Return a value as one clean line, or nothing if it is absent or has lost characters."""
    line = _ENTITY.sub(_character, value)
    line = " ".join(line.translate(_CONTROLS).split())
    # A lone surrogate cannot be stored, and U+FFFD stands for bytes that were no UTF-8.
    return None if line in {"", "N/A"} or _UNSOUND.search(line) else line


def _character(entity: re.Match[str]) -> str:
    # `html.unescape` would make "&notes;" a negation sign and "es;".
    name = entity[0][1:]
    return html.unescape(entity[0]) if name[0] == "#" else html5.get(name, entity[0])


class Fields:
    """An answer's members by name, each as a value of its type or, where it is odd, as nothing."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self.members = members

    def text(self, name: str) -> str | None:
        """Return a text, without the rest of a page that was scraped into it."""
        line = self._line(name)
        if line is None:
            return None
        scraped = _SCRAPED.search(line)
        line = line[: scraped.start()].rstrip() if scraped else line
        return line if 0 < len(line) <= TEXT_LENGTH else None

    def title(self) -> str | None:
        """Return the title unless it is too long to be one, or part of a page."""
        title = self._line("Title")
        if title is None and self.members.get("Title") == "N/A" and self._line("Year"):
            return "N/A"  # a film's title; what has none has no year either
        if title is None or len(title) > TITLE_LENGTH or _SCRAPED.search(title):
            return None
        return title

    def type(self) -> str | None:
        """Return the kind of title, if it is one of ours."""
        kind = (self._line("Type") or "").lower()
        return kind if kind in TYPES else None

    def imdb_id(self, name: str) -> str | None:
        """Return an imdb_id in lower case."""
        imdb_id = (self._line(name) or "").lower()
        return imdb_id if IMDB_ID.fullmatch(imdb_id) else None

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names of a list, each once."""
        return _split(self.text(name) or "")

    def people(self, name: str) -> tuple[str, ...]:
        """Return names without what each did, which stands behind them in brackets."""
        return _split(_without_brackets(self.text(name) or ""))

    def countries(self) -> tuple[str, ...]:
        """Return the countries by the names that newer answers use."""
        names = (_COUNTRIES.get(name, name) for name in self.names("Country"))
        return tuple(dict.fromkeys(names))

    def awards(self) -> str | None:
        """Return the awards with the full stop that may lack between two kinds."""
        awards = self.text("Awards")
        return awards and _AWARDS_RUN_ON.sub(". ", awards)

    def rated(self) -> str | None:
        """Return the certificate in one spelling."""
        rated = self.text("Rated")
        return rated and _RATED.get(rated.upper(), rated)

    def years(self, kind: str) -> tuple[int | None, int | None]:
        """Return the first year and the last, which only a series that ended has.

        A series with one year and no dash, "2024", began and ended in it; with a dash, it goes on.
        """
        match = _YEARS.fullmatch(self._line("Year") or "")
        if not match or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            return None, None
        year = int(match[1])
        if not match["to"]:
            return year, year if kind == "series" else None
        end = int(match[3] or 0)
        return year, end if year <= end <= LAST_YEAR else None

    def date(self, name: str) -> date | None:
        """Return a date, "14 Jun 2013" or in ISO 8601."""
        line = self._line(name) or ""
        if match := _DATE.fullmatch(line):
            day, month, year = int(match[1]), _MONTHS.get(match[2].lower(), 0), int(match[3])
        elif match := _ISO_DATE.fullmatch(line):
            year, month, day = int(match[1]), int(match[2]), int(match[3])
        else:
            return None
        try:
            return date(year, month, day) if FIRST_YEAR <= year <= LAST_YEAR else None
        except ValueError:  # the 31st of February
            return None

    def minutes(self, name: str) -> int | None:
        """Return a length, "148 min" or "2 h 28 min", in minutes."""
        match = _RUNTIME.fullmatch(self._line(name) or "")
        if not match:
            return None
        minutes = 60 * int(match[1] or 0) + int((match[2] or "0").replace(",", ""))
        return minutes if 0 < minutes <= INTEGER else None

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number in a range, written with or without thousands separators."""
        line = self._line(name) or ""
        if not _WHOLE.fullmatch(line):
            return None
        number = int(line.replace(",", ""))
        return number if low <= number <= high else None

    def rating(self) -> float | None:
        """Return IMDb's rating, from 0 to 10 with one decimal."""
        line = self._line("imdbRating") or ""
        return float(line) if _SCORE.fullmatch(line) else None

    def dollars(self, name: str) -> int | None:
        """Return US dollars; a sum in another currency is nothing, as no rate is known."""
        match = _DOLLARS.fullmatch(self._line(name) or "")
        if not match:
            return None
        exact = Decimal(match[1].replace(",", "") + (match[2] or "")) * _MULTIPLES[match[3]]
        dollars = int(exact.to_integral_value())
        return dollars if dollars <= BIGINT else None

    def url(self, name: str) -> str | None:
        """Return an address that a browser would open: http or https."""
        line = self._line(name) or ""
        return line if len(line) <= URL_LENGTH and _URL.fullmatch(line) else None

    def ratings(self) -> tuple[Rating, ...]:
        """Return what each source thinks; the key is absent from answers before 2017."""
        entries = self.members.get("Ratings")
        if entries is None or (isinstance(entries, str) and _plain(entries) is None):
            return ()
        if not isinstance(entries, list):
            raise OmdbAnswerUnusable("Ratings is no list")
        ratings = (_rating(entry) for entry in entries)
        return tuple(dict.fromkeys(rating for rating in ratings if rating))

    def _line(self, name: str) -> str | None:
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise OmdbAnswerUnusable(f"{name} is no text")
        return _plain(value)


def _rating(entry: object) -> Rating | None:
    if not isinstance(entry, dict):
        return None
    source, value = entry.get("Source"), entry.get("Value")
    if not isinstance(source, str) or not isinstance(value, str):
        return None
    source, value = _plain(source), _plain(value)
    return Rating(source=source, value=value) if source and value else None


def _split(text: str) -> tuple[str, ...]:
    """Split at the commas; each name once, in the order of the text."""
    names = (name.strip() for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name and name != "N/A"))


def _without_brackets(text: str) -> str:
    """Drop what stands in brackets; a bracket that is never closed was cut off with the text."""
    kept, depth = [], 0
    for character in text:
        if character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(character)
    return "".join(kept)
