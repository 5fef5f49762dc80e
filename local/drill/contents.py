"""What is in a database or in a dump of one, such that two of them can be compared."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from local.failure import Failure

if TYPE_CHECKING:
    from sqlalchemy import Connection

SEQUENCE: Final = "sequence "  # what the name of one begins with, and that of a table does not
# The same for the same rows in whatever order: nothing is sorted, and nothing large is held.
_SUMMED: Final = """
    select count(*), coalesce(sum(('x' || left(md5(one::text), 15))::bit(60)::bigint), 0)::text
    from {} one
"""
# The views as well: what was a table may be one in a newer schema.
_HELD: Final = """
    select tablename from pg_tables where schemaname = 'public'
    union all select viewname from pg_views where schemaname = 'public'
"""
_COPY: Final = re.compile(rb'COPY (?:public\.)?"?([a-z0-9_]+)"? \(.*\) FROM stdin;\s*')
_END: Final = b"\\."
_COMPLETE: Final = b"-- PostgreSQL database dump complete"


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a table holds, or where a sequence stands.

    Attributes:
        checksum: Of all rows; None where only their number is known.
    """

    rows: int
    checksum: str | None = None

    def is_as(self, other: "Content") -> bool:
        """Tell whether two are the same, as far as both are known."""
        unknown = self.checksum is None or other.checksum is None
        return self.rows == other.rows and (unknown or self.checksum == other.checksum)


def measure(connection: "Connection") -> dict[str, Content]:
    """Return what each table holds, in a transaction that sees one state of them all."""
    for setting in ("timezone = 'UTC'", "datestyle = 'ISO'", "extra_float_digits = 1"):
        connection.exec_driver_sql(f"set local {setting}")
    quote = connection.dialect.identifier_preparer.quote_identifier
    found = {}
    for name in _names(connection, _HELD):
        rows, checksum = connection.exec_driver_sql(_SUMMED.format(quote(name))).one()
        found[name] = Content(rows=rows, checksum=checksum)
    return found


def measure_sequences(connection: "Connection") -> dict[str, Content]:
    """Return where each sequence stands: a number that was given must not be given again."""
    found = connection.execute(
        text(
            "select sequencename, coalesce(last_value, 0) from pg_sequences "
            "where schemaname = 'public'"
        )
    )
    return {f"{SEQUENCE}{name}": Content(rows=last) for name, last in found}


def count_rows(lines: Iterable[bytes]) -> dict[str, Content]:
    """Return how many rows a dump in SQL holds of each table.

    Raises:
        Failure: It breaks off, or holds no table.
    """
    found: dict[str, Content] = {}
    complete = False
    rest = iter(lines)
    for line in rest:
        began = _COPY.fullmatch(line)
        if began:
            found[began[1].decode()] = Content(rows=sum(1 for _ in _until_end(rest)))
        complete = complete or line.startswith(_COMPLETE)
    if not complete or not found:
        raise Failure("the dump breaks off, or is none in SQL: it has no end as pg_dump makes it")
    return found


def differences(expected: Mapping[str, Content], found: Mapping[str, Content]) -> list[str]:
    """Say what of the expected is not there as it has to be, a line for each."""
    return [
        _describe(name, content, found.get(name))
        for name, content in sorted(expected.items())
        if name not in found or not content.is_as(found[name])
    ]


def _describe(name: str, expected: Content, found: Content | None) -> str:
    if found is None:
        return f"{name} is not in the copy"
    if name.startswith(SEQUENCE):
        return f"{name} stands at {found.rows:,} in the copy, not at {expected.rows:,}"
    if expected.rows != found.rows:
        return f"{name} has {found.rows:,} rows in the copy, not {expected.rows:,}"
    return f"{name} has {found.rows:,} rows in both, but not the same"


def _until_end(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line.rstrip(b"\r\n") == _END:
            return
        yield line


def _names(connection: "Connection", query: str) -> list[str]:
    return [str(name) for name in connection.execute(text(query)).scalars()]
