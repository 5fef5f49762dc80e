"""What is left to do after a migration, outside its transaction: rows to fill, indexes to make.

A revision says it in its `work`, as plain values, so that any code can load it. A filling writes
some rows in a transaction, in the order of their key, and how far it came is kept with them. An
index is made concurrently. So nobody waits for long, what was broken off anywhere is taken up again
by the next run, and of two runs at once each does a part.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from sqlalchemy import text

from lib import limits
from lib.database.driver import unhurried
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")
Entry = Mapping[str, str]

_BATCH: Final = 500
_PAUSE: Final = 1.0  # while others are in the way
_LOOK: Final = """
    select done, total, finished_at is not null from schema_work
    where revision = :revision and name = :name
"""
_BEGIN: Final = """
    insert into schema_work (revision, name, total) values (:revision, :name, :total)
    on conflict do nothing
"""
# Only runs of this ask for these rows, and they do it before they ask for others.
_TAKE: Final = """
    select position from schema_work
    where revision = :revision and name = :name and finished_at is null for update
"""
_NOTE: Final = """
    update schema_work set position = :position, done = done + :done,
        finished_at = case when :is_last then now() end
    where revision = :revision and name = :name
"""
_FINISH: Final = """
    update schema_work set done = total, finished_at = now()
    where revision = :revision and name = :name
"""
_FORGET: Final = "delete from schema_work where revision <> all(:revisions)"
# Who makes an index waits for all that began before, and so for one who waits to make another on
# its table: a circle, in which Postgres breaks one off. Only an advisory lock lasts as long as
# making an index does, which is in no transaction.
_MAKES_AN_INDEX: Final = "hashtextextended('schema_work: makes an index', 0)"


class Step(Protocol):
    """A piece of work."""

    @property
    def name(self) -> str:
        """What it is called, once in its revision."""
        ...

    def count(self, connection: "Connection") -> int:
        """Return how much there is to do."""
        ...

    def go_on(self, database: TransactionalDatabase, key: Entry) -> None:
        """Do a part of it, and note that in the row of this key."""
        ...

    def tell(self, done: int, total: int) -> str:
        """Say in words what is left."""
        ...


@dataclass(frozen=True, kw_only=True)
class Filling:
    """Rows that are written anew.

    Attributes:
        key: The column, a text, that tells rows apart; they are locked in its order.
        assignment: What is set, as SQL.
        condition: Which rows need it, as SQL; of what is written meanwhile it must not hold.
    """

    name: str
    table: str
    key: str
    assignment: str
    condition: str

    def count(self, connection: "Connection") -> int:
        """Count the rows."""
        with unhurried(connection.connection.dbapi_connection):
            connection.execute(text("set local statement_timeout = 0"))
            asked = text(f"select count(*) from {self.table}")  # noqa: S608  a migration's own words
            counted: int = connection.execute(asked).scalar_one()
        return counted

    def go_on(self, database: TransactionalDatabase, key: Entry) -> None:
        """Fill some rows; then rest for as long as that took, so that others get their share."""
        began = time.monotonic()
        with database.begin() as connection:
            position = connection.execute(text(_TAKE), key).scalar_one_or_none()
            if position is None:
                return  # another run has finished it
            seen, last = connection.execute(text(self._sql), {"position": position}).one()
            noted = {"position": last or position, "done": seen, "is_last": seen < _BATCH}
            connection.execute(text(_NOTE), {**key, **noted})
        if seen == _BATCH:
            time.sleep(min(time.monotonic() - began, _PAUSE))

    @property
    def _sql(self) -> str:
        return f"""
            with batch as materialized (
                select {self.key} from {self.table} where {self.key} > :position
                order by {self.key} limit {_BATCH}
            ), due as materialized (
                select {self.key} from {self.table}
                where {self.key} in (select {self.key} from batch) and {self.condition}
                order by {self.key} for update
            ), filled as (
                update {self.table} set {self.assignment} from due
                where {self.table}.{self.key} = due.{self.key}
            )
            select count(*), max({self.key}) from batch
        """  # noqa: S608

    def tell(self, done: int, total: int) -> str:
        """Say how many are filled."""
        return f"{self.name}: {min(done, total):,} of {total:,}"


@dataclass(frozen=True, kw_only=True)
class NewIndex:
    """An index that is made while others read and write its table.

    Attributes:
        columns: What stands behind the table's name, as SQL.
    """

    name: str
    table: str
    columns: str

    def count(self, _: "Connection") -> int:
        """Return that it is one thing."""
        return 1

    def go_on(self, database: TransactionalDatabase, key: Entry) -> None:
        """Make it, unless it is there; one that was broken off, which nobody can use, goes."""
        if self._is_there(database):
            with database.begin() as connection:
                connection.execute(text(_FINISH), key)
        else:
            self._make(database)

    def _is_there(self, database: TransactionalDatabase) -> bool:
        with database.begin() as connection:
            # As who makes an index holds it: with it, an index that is not valid is nobody's. Who
            # makes one waits for whoever has begun, so that to wait for them would be a circle.
            lock = f"lock table {self.table} in share update exclusive mode nowait"
            connection.exec_driver_sql(lock)
            is_valid = connection.execute(
                text("select indisvalid from pg_index where indexrelid = to_regclass(:name)"),
                {"name": self.name},
            ).scalar_one_or_none()
            if is_valid is False:
                connection.exec_driver_sql(f"drop index {self.name}")
        return bool(is_valid)

    def _make(self, database: TransactionalDatabase) -> None:
        with (
            database.without_transaction() as connection,
            unhurried(connection.connection.dbapi_connection),
        ):
            run = connection.exec_driver_sql
            if not run(f"select pg_try_advisory_lock({_MAKES_AN_INDEX})").scalar_one():
                raise DatabaseUnavailable(
                    "Another run makes an index just now. Try again in a moment.",
                    retry_after_seconds=5,
                )
            run(f"set statement_timeout = {int(limits.INDEX_TIMEOUT * 1000)}")
            run("set lock_timeout = 0")  # it waits for all that began before it, and blocks none
            try:
                run(
                    f"create index concurrently if not exists {self.name} "
                    f"on {self.table} {self.columns}"
                )
            finally:
                run("reset lock_timeout")
                run("reset statement_timeout")
                run(f"select pg_advisory_unlock({_MAKES_AN_INDEX})")

    def tell(self, done: int, total: int) -> str:  # noqa: ARG002
        """Say that it is missing."""
        return f"index {self.name}"


def carry_out(
    database: TransactionalDatabase, work: Mapping[str, Collection[Entry]], *, seconds: float
) -> tuple[str, ...]:
    """Do what is left to do, for about so long; return in words what is left then.

    Args:
        work: By revision, of those that the database has, from the first to the last.
        seconds: When they are over nothing is begun any more. A part is done in any case.

    Raises:
        DatabaseUnavailable: Others were in the way for a minute.
    """
    ends = time.monotonic() + seconds
    left: list[str] = []
    is_first = True
    for key, step in _steps(work):
        while (told := _patiently(lambda: _look(database, step, key))) is not None:  # noqa: B023
            if left or not (is_first or time.monotonic() < ends):
                left.append(told)
                break
            is_first = False
            _patiently(lambda: step.go_on(database, key))  # noqa: B023
    return tuple(left)


def forget(connection: "Connection", revisions: Iterable[str]) -> None:
    """Forget what was done for other revisions than these: it is gone with them."""
    there = connection.execute(text("select to_regclass('schema_work')")).scalar_one()
    if there is not None:
        connection.execute(text(_FORGET), {"revisions": list(revisions)})


def _steps(work: Mapping[str, Collection[Entry]]) -> Iterator[tuple[Entry, Step]]:
    for revision, entries in work.items():
        for entry in entries:
            step = _read(entry)
            yield {"revision": revision, "name": step.name}, step


def _read(entry: Entry) -> Step:
    match entry:
        case {"fill": name, "table": table, "key": key, "set": assignment, "where": condition}:
            return Filling(
                name=name, table=table, key=key, assignment=assignment, condition=condition
            )
        case {"index": name, "table": table, "columns": columns}:
            return NewIndex(name=name, table=table, columns=columns)
    raise ValueError(f"this is no work that is known: {entry}")


def _look(database: TransactionalDatabase, step: Step, key: Entry) -> str | None:
    """Say what is left of a step, which begins with it; None where that is nothing."""
    with database.begin() as connection:
        found = connection.execute(text(_LOOK), key).one_or_none()
        if found is None:
            total = step.count(connection)
            connection.execute(text(_BEGIN), {**key, "total": total})
            return step.tell(0, total)
        done, total, is_finished = found
    return None if is_finished else step.tell(done, total)


def _patiently(action: Callable[[], T]) -> T:
    """Do something, and again while others are in the way, for a minute."""
    gives_up = time.monotonic() + limits.MIGRATION_TIMEOUT
    while True:
        try:
            return action()
        except DatabaseUnavailable:
            if time.monotonic() > gives_up:
                raise
        time.sleep(_PAUSE)
