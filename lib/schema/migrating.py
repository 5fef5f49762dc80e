"""Bring a database to a revision of the schema, safely when two try at once.

Each migration happens in one transaction: a second runner waits for its end, then goes on where it
stands; a failure leaves the schema as it was. Two in one would hold what the first locks while the
second works, and wait in a circle with readers of both. The lock is one on Alembic's own table,
which nobody can take who may not migrate; an advisory lock is anybody's who can connect. What would
take long is left for afterwards, see `work`.

A database may know a revision that this code does not: a commit was taken back, or another branch
has migrated. It is newer then, and its schema is left as it is; the rights are this code's all the
same, as it is this code that runs on it.
"""

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lib import limits
from lib.accounts.users import AdminSettings, FirstAdmin, ensure_first_admin
from lib.database.driver import unhurried
from lib.database.faults import sqlstate
from lib.database.transactions import TransactionalDatabase
from lib.errors import DatabaseUnavailable, InternalError, InvalidRequest
from lib.schema import work
from lib.schema.migrated import Migrated
from lib.schema.operators import admit_operators
from lib.schema.rights import grant_rights
from lib.schema.settings import Grant

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

LEAST_POSTGRES: Final = 18  # texts are folded by what it was the first to have
NEWEST: Final = "head"
NOTHING: Final = "base"
MIGRATIONS: Final = Path(__file__).parent / "migrations"

_DUPLICATE: Final = ("23505", "42P07")  # two make the same table: one of them is told either
_LOCK_NOT_AVAILABLE: Final = "55P03"
# As Alembic makes it.
_MAKE_TABLE: Final = """
    create table alembic_version (
        version_num varchar(32) not null constraint alembic_version_pkc primary key)
"""
# Who holds up the others: whoever holds a lock on Alembic's table, or, of its first migration, on a
# table that nobody else can see yet. When a session's transaction began is not told to everybody.
_HOLDER: Final = """
    select held.pid, coalesce(usename, '?'),
        to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    from pg_locks held left join pg_stat_activity using (pid)
    where held.locktype = 'relation' and held.granted and held.pid <> pg_backend_pid()
        and held.database = (select oid from pg_database where datname = current_database())
        and case when to_regclass('alembic_version') is null
            then held.mode = 'AccessExclusiveLock'
                and not exists (select from pg_class where oid = held.relation)
            else held.relation = to_regclass('alembic_version')
                and held.mode <> 'AccessShareLock' end
    order by xact_start nulls last limit 1
"""


def migrate(
    database: TransactionalDatabase,
    admin: AdminSettings,
    *,
    grants: Mapping[str, Grant] | None = None,
    operators: Collection[str] | None = None,
    revision: str = NEWEST,
    seconds: float | None = None,
) -> Migrated:
    """Bring the schema to a revision; at the newest, see to it that there is an administrator.

    Args:
        grants: By function; None to leave roles alone.
        operators: The database users of just those people who may help by hand; None likewise.
        revision: "head", a revision's id, or "base" for a database without any of our tables.
        seconds: How long to go on with what is left to do then; None for a call's usual share.

    Raises:
        DatabaseUnavailable: The database cannot be reached, or its locks not be had in time; of the
            one on the migration itself the message says who holds it.
        InternalError: The migrations are not one line, or this server is too old.
        InvalidRequest: A revision is named that there is none of, or for a database that is newer.
    """
    known = _known_revisions()
    before = _bring_to(database, known, revision)
    with _turn(database) as connection:
        after = _revisions(connection)
        newer = not set(after) <= set(known)
        not_granted = _give_rights(connection, grants, operators, newer=newer) if after else ()
        first = _see_to_admin(connection, admin, has_users=newer or after == known[-1:])
    seconds = limits.WORK_TIMEOUT if seconds is None else seconds
    return Migrated(
        before=", ".join(before) or None,
        after=", ".join(after) or None,
        newer=newer,
        admin_created=first.created,
        admin_refused=first.refused,
        not_granted=not_granted,
        left=() if newer else work.carry_out(database, _work_of(after), seconds=seconds),
    )


def _demand_postgres(database: TransactionalDatabase) -> None:
    with database.begin() as connection:
        version = str(connection.execute(text("show server_version")).scalar_one())
    if int(re.split(r"\D", version)[0]) < LEAST_POSTGRES:
        raise InternalError(
            f"PostgreSQL {LEAST_POSTGRES} or later is needed, and this server is {version}."
        )


@contextmanager
def _turn(database: TransactionalDatabase) -> Iterator["Connection"]:
    """Begin a transaction that no other migration has a part in, and that may take its time."""
    with database.begin() as connection, unhurried(connection.connection.dbapi_connection):
        _await_turn(connection)
        yield connection


def _bring_to(
    database: TransactionalDatabase, known: tuple[str, ...], revision: str
) -> tuple[str, ...]:
    """Migrate step by step, unless the schema is newer than this code; return what it was."""
    _demand_postgres(database)
    before: tuple[str, ...] | None = None
    while True:
        with _turn(database) as connection:
            now = _revisions(connection)
            before = now if before is None else before
            if not set(now) <= set(known):
                _leave(now, revision)
                return before
            if not _step(connection, known, revision):
                return before


def _give_rights(
    connection: "Connection",
    grants: Mapping[str, Grant] | None,
    operators: Collection[str] | None,
    *,
    newer: bool,
) -> tuple[str, ...]:
    """Give functions and people their rights; return those to what a newer schema has lost."""
    not_granted: tuple[str, ...] = ()
    if grants is not None:
        not_granted = grant_rights(connection, grants, schema_is_newer=newer)
    if operators is not None:
        admit_operators(connection, operators)
    return not_granted


def _see_to_admin(connection: "Connection", admin: AdminSettings, *, has_users: bool) -> FirstAdmin:
    """Make the first administrator, unless the schema is one before users as they are now."""
    return ensure_first_admin(connection, admin) if has_users else FirstAdmin()


def _await_turn(connection: "Connection") -> None:
    """Wait until no other migration is under way, and keep others waiting up to the end of this."""
    connection.execute(text("set local statement_timeout = 0"))
    milliseconds = int(limits.MIGRATION_TIMEOUT * 1000)
    connection.exec_driver_sql(f"set local lock_timeout = {milliseconds}")
    try:
        _make_table(connection)
        with connection.begin_nested():
            connection.exec_driver_sql("lock table alembic_version in exclusive mode")
    except DBAPIError as error:
        if sqlstate(error) != _LOCK_NOT_AVAILABLE:
            raise
        raise DatabaseUnavailable(
            f"{_holder(connection)} Wait for its end, or end it, and migrate again.",
            retry_after_seconds=int(limits.MIGRATION_TIMEOUT),
        ) from None
    connection.execute(text("set local lock_timeout = '4s'"))


def _make_table(connection: "Connection") -> None:
    if connection.execute(text("select to_regclass('alembic_version')")).scalar_one() is not None:
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(_MAKE_TABLE)
    except DBAPIError as error:
        if sqlstate(error) not in _DUPLICATE:
            raise


def _holder(connection: "Connection") -> str:
    found = connection.execute(text(_HOLDER)).one_or_none()
    if found is None:
        return "Another migration was under way until now."
    pid, user, since = found
    when = f" since {since}" if since else ""
    return f"Another migration is under way{when}: process {pid} of the database, user {user}."


def _known_revisions() -> tuple[str, ...]:
    """Return the revisions from the first to the last; raise where they are not one line."""
    script = ScriptDirectory.from_config(_config())
    last = sorted(script.get_heads())
    if len(last) > 1:
        raise InternalError(
            f"The migrations are not one line: nothing follows {' nor '.join(last)}. "
            "Let one of them follow the other (down_revision)."
        )
    return tuple(reversed([step.revision for step in script.walk_revisions()]))


def _leave(revisions: tuple[str, ...], wanted: str) -> None:
    """Leave the schema as it is, and say so; only code that knows it can take it elsewhere."""
    at = ", ".join(revisions)
    if wanted != NEWEST:
        raise InvalidRequest(
            f"The schema is at {at}, which this code does not know: the code that made it can "
            f"bring it to {wanted}."
        )
    log.warning("schema newer than code, nothing to do", extra={"fields": {"revision": at}})


def _step(connection: "Connection", known: tuple[str, ...], revision: str) -> bool:
    """Migrate to the next revision, or back at once; return whether there was any way to go."""
    line = (NOTHING, *known)
    if revision not in {*line, NEWEST}:
        raise InvalidRequest(f"There is no revision {revision}: there are {', '.join(known)}.")
    here = max((line.index(one) for one in _revisions(connection)), default=0)
    goal = len(known) if revision == NEWEST else line.index(revision)
    config = _config()
    config.attributes["connection"] = connection
    if goal > here:
        command.upgrade(config, line[here + 1])
    elif goal < here:
        command.downgrade(config, revision)
        work.forget(connection, _work_of(_revisions(connection)))
    return goal != here


def _work_of(revisions: Sequence[str]) -> dict[str, Sequence[work.Entry]]:
    """Return the work of these revisions and of those before them, from the first to the last."""
    if not revisions:
        return {}
    steps = ScriptDirectory.from_config(_config()).iterate_revisions(tuple(revisions), NOTHING)
    return {step.revision: getattr(step.module, "work", ()) for step in reversed([*steps])}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _revisions(connection: "Connection") -> tuple[str, ...]:
    return tuple(sorted(MigrationContext.configure(connection).get_current_heads()))
