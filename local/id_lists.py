"""IMDb ids out of the files that people have.

A file is a list with one or more ids or addresses of title pages a line; or a table (IMDb's exports
and data sets, and what spreadsheets make of them), with or without a header; or JSON. Its first
line decides, by rule: `csv.Sniffer` guesses, and guesses wrong where titles hold commas.
"""

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from local.failure import Failure
from local.id_records import Layout, Lines, Reading, cells_of
from local.id_texts import (
    COLUMNS,
    ID_COLUMNS,
    NEARLY_AN_ID,
    bare,
    id_of_item,
    id_of_word,
    plain_name,
)

MOST_SHOWN: Final = 5
_LONGEST_SHOWN: Final = 100
_BLANK: Final = re.compile(r"[\s,]*")
_BETWEEN: Final = re.compile(r"[\s,;|]+")
_DELIMITERS: Final = ("\t", ";", ",", "|")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^"\w\r\n])"?\s*')  # Excel's first line, now and then
# An array or an object, for only such begin so; a file of links and names in brackets begins else.
_JSON: Final = re.compile(
    r"\s*(?:\[\s*(?:[\"\[{\]0-9-]|true|false|null|NaN|Infinity|\Z)|\{\s*(?:[\"}]|\Z))"
)
_MARKDOWN: Final = re.compile(r'\s*\[[^\]"]*\]\(')
_PACKED: Final = {b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "packed by gzip"}


@dataclass(kw_only=True)
class IdList:
    """What a file holds.

    Attributes:
        name: How to call the file.
        imdb_ids: Each id once, in the file's order.
        repeated: How many more times ids stand there.
        unread: How many lines (in JSON: items) hold something else.
        shown: The first of those as they are written, each behind its place.
    """

    name: str
    most: int
    imdb_ids: dict[str, None] = field(default_factory=dict)
    repeated: int = 0
    unread: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, imdb_ids: Iterable[str]) -> None:
        """Take what stands in one line, where the same id twice is no repetition."""
        for imdb_id in dict.fromkeys(imdb_ids):
            self.repeated += imdb_id in self.imdb_ids
            self.imdb_ids[imdb_id] = None
        if len(self.imdb_ids) > self.most:
            raise Failure(f"{self.name} holds more than {self.most:,} ids: import it in parts")

    def leave_out(self, place: str, written: str, *, lines: int = 1) -> None:
        """Count what holds no id."""
        self.unread += lines
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(f"{place}: {_show(written)}")


def read(path: Path, *, most: int) -> IdList:
    """Read a file, or standard input where the path is "-".

    Raises:
        Failure: It cannot be read, holds no id at all, or more than `most`.
    """
    found = IdList(name="standard input" if str(path) == "-" else str(path), most=most)
    try:
        with _open(path) as file:
            _read(file, found)
    except OSError as error:
        raise Failure(f"{found.name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Failure(f"{found.name} is no JSON: {error}") from error
    if not found.imdb_ids:
        seen = f" ({found.shown[0]})" if found.shown else ""
        raise Failure(f"{found.name} holds no ids{seen}: expected one a line, such as tt0111161")
    return found


@contextlib.contextmanager
def _open(path: Path) -> Iterator[io.BufferedReader]:
    if str(path) == "-":
        if sys.stdin is None:  # closed by who started us
            raise Failure("standard input is closed: nothing can be read from it")
        with open(sys.stdin.fileno(), "rb", closefd=False) as file:
            yield file
    else:
        with path.open("rb") as file:
            yield file


def _read(file: io.BufferedReader, found: IdList) -> None:
    start = file.peek(4096)
    for magic, what in _PACKED.items():
        if start.startswith(magic):
            raise Failure(f"{found.name} is {what}: unpack it, and give the file in it")
    # What is no text in its encoding can only be titles, as ids are ASCII.
    encoding = _encoding(start)
    with io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="") as text:
        lines = Lines(text)
        first = lines.first()
        if _JSON.match(first) and not _MARKDOWN.match(first):
            _read_json(first + text.read(), found)
        else:
            _read_lines(first, lines, found)


def _encoding(start: bytes) -> str:
    """Tell what Excel calls Unicode text, with its mark or without, from UTF-8."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if start[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" else "utf-8-sig"


def _read_lines(first: str, lines: Lines, found: IdList) -> None:
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator:
        next(lines)
        first = lines.first()
    columns, delimiter = _header(first, separator[1] if separator else None, found)
    if columns:
        next(lines)
    elif delimiter is None:
        delimiter = next((mark for mark in _DELIMITERS if mark in first), None)
    layout = Layout(
        delimiter=delimiter or "\t",
        # A plain list quotes no line ends, and what tabs part quotes nothing, if it is none of
        # IMDb's exports that went through a spreadsheet.
        quotes=(delimiter or "\t") != "\t" or "const" in columns,
        ids_of=partial(_of_columns, columns=columns) if columns else _of_words,
    )
    for place, written, (imdb_ids, is_whole) in layout.records(lines):
        found.add(imdb_ids)
        if not is_whole:
            found.leave_out(f"line {place}", written[0], lines=len(written))


def _header(line: str, separator: str | None, found: IdList) -> tuple[dict[str, int], str | None]:
    """Return the places of the columns that may hold ids, none where this is no header."""
    if line.lower().startswith("letterboxd list export"):
        raise _of_letterboxd(found)
    for delimiter in [separator] if separator else _DELIMITERS:
        cells = cells_of(line, delimiter) or []
        places = {plain_name(cell): place for place, cell in reversed(list(enumerate(cells)))}
        if any(map(id_of_word, cells)) or not places.keys() & {*COLUMNS, "letterboxduri"}:
            continue
        if "letterboxduri" in places and not places.keys() & {*ID_COLUMNS}:
            raise _of_letterboxd(found)
        return {name: places[name] for name in COLUMNS if name in places}, delimiter
    return {}, separator


def _of_letterboxd(found: IdList) -> Failure:
    return Failure(
        f"{found.name} is an export of Letterboxd's, which holds no IMDb ids: nothing in it can be "
        "imported by id"
    )


def _of_columns(cells: list[str], columns: Mapping[str, int]) -> Reading:
    """Return the id of a row, from the first column that has one."""
    for name, place in columns.items():
        imdb_id = id_of_word(cells[place], name) if place < len(cells) else None
        if imdb_id:
            return [imdb_id], True
    return [], False


def _of_words(cells: list[str]) -> Reading:
    """Return the ids of a line without named columns, and whether the line is in order."""
    if cells[0].lstrip().startswith("#"):
        return [], True
    words = [word for cell in cells for word in _BETWEEN.split(cell.partition(" #")[0])]
    imdb_ids = list(filter(None, map(id_of_word, words)))
    odd = [word for word in words if not id_of_word(word) and NEARLY_AN_ID.fullmatch(bare(word))]
    return imdb_ids, bool(imdb_ids) and not odd


def _read_json(text: str, found: IdList) -> None:
    """Read an array or an object, or several, one behind the other (as in JSON Lines)."""
    decoder, number = json.JSONDecoder(), 0
    end = len(text) - len(text.lstrip())
    while end < len(text):
        value, end = decoder.raw_decode(text, end)
        between = _BLANK.match(text, end)
        end = between.end() if between else end
        for item in _items(value):
            number += 1
            imdb_id = id_of_item(item)
            if imdb_id:
                found.add([imdb_id])
            else:
                found.leave_out(f"item {number}", json.dumps(item, ensure_ascii=False))


def _items(value: Any) -> Iterator[Any]:
    """Return what arrays hold, also those in an object that is no title itself."""
    if isinstance(value, list):
        for item in value:
            yield from _items(item)
    elif (
        isinstance(value, dict)
        and not id_of_item(value)
        and any(isinstance(member, list) for member in value.values())
    ):
        for member in value.values():
            if isinstance(member, list):
                yield from _items(member)
    else:
        yield value


def _show(written: str) -> str:
    """Cut a line, and take from it what a terminal would obey."""
    text = written.strip().replace("\t", " ")
    cut = text[:_LONGEST_SHOWN] + ("…" if len(text) > _LONGEST_SHOWN else "")
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in cut)
