"""Tables and lists of ids, read so that no quotation mark hides a line of them."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from local.id_texts import AROUND

LONGEST_FIELD: Final = 1 << 24  # a million ids in one line; csv's own limit is 128 KB
_QUOTING: Final[Mapping[bool, Literal[0, 3]]] = {True: csv.QUOTE_MINIMAL, False: csv.QUOTE_NONE}
Reading = tuple[list[str], bool]  # ids, and whether there is nothing to complain of


class Lines:
    """The lines of a file; it remembers those of the record that is being read."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._waiting: list[str] = []
        self.number = 0
        self.record: list[str] = []

    def first(self) -> str:
        """Return the first line that is neither blank nor a comment, and keep it to be read."""
        for line in self._text:
            self.number += 1
            if line.strip() and not line.lstrip().startswith("#"):
                self.number -= 1
                self._waiting.append(line)
                return line
        return ""

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._text)
        self.number += 1
        self.record.append(line)
        return line


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the lines of a file are to be read.

    Attributes:
        quotes: Whether quotation marks may hold delimiters and line ends.
        ids_of: Gives the ids of a record's cells, and whether there is nothing to complain of.
    """

    delimiter: str
    quotes: bool
    ids_of: Callable[[list[str]], Reading]

    def records(self, lines: Lines) -> Iterator[tuple[int, list[str], Reading]]:
        """Return record after record: the line it begins at, its lines, and what they hold.

        A quotation mark that nothing closes makes one record of lines that are many. Where one of
        them has an id, when it is read by itself, that the record has not, they are read so.
        """
        csv.field_size_limit(LONGEST_FIELD)
        reader = csv.reader(lines, delimiter=self.delimiter, quoting=_QUOTING[self.quotes])
        while True:
            lines.record = []
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:  # it goes on with the next line
                cells = None
            written = lines.record
            begin = lines.number - len(written) + 1
            reading = self._read(cells)
            if cells is not None and not (self._is_odd(written) and self._hides(written, reading)):
                yield begin, written, reading
                continue
            for place, line in enumerate(written, begin):
                yield place, [line], self._read_alone(line)

    def _is_odd(self, written: list[str]) -> bool:
        return self.quotes and (len(written) > 1 or written[0].count('"') % 2 == 1)

    def _hides(self, written: list[str], reading: Reading) -> bool:
        """Tell whether an id stands in one of the lines that reading them together did not give."""
        given = {*reading[0]}
        return any(
            not given.issuperset(self._read(cells_of(line, self.delimiter, quotes=quotes))[0])
            for line in written
            for quotes in (True, False)
        )

    def _read_alone(self, line: str) -> Reading:
        """Read a line by itself, without its quotation marks if they make no pairs."""
        reading = self._read(cells_of(line, self.delimiter, quotes=self.quotes))
        if not reading[0] and line.count('"') % 2:
            return self._read(cells_of(line, self.delimiter, quotes=False))
        return reading

    def _read(self, cells: list[str] | None) -> Reading:
        if cells is None:
            return [], False
        return self.ids_of(cells) if any(cell.strip(AROUND) for cell in cells) else ([], True)


def cells_of(line: str, delimiter: str, *, quotes: bool = True) -> list[str] | None:
    """Take one line apart; None where that cannot be done."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        return next(csv.reader([line], delimiter=delimiter, quoting=_QUOTING[quotes]))
    except csv.Error:
        return None
