"""`./dev restore-drill`: restore a copy of the database, and see that the service runs on it.

The copy goes into a database on a server of its own, which is gone at the end. It is made here, of
the database that the environment names or of the embedded one, or is a file: a dump in SQL, such as
`gcloud sql export sql` makes.
"""

import contextlib
import io
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import requests
from sqlalchemy import text

from lib.accounts.users import AdminSettings
from lib.database.driver import unhurried
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import ServiceError
from lib.schema.migrated import Migrated
from lib.schema.migrating import migrate
from lib.settings import require
from local import importing, smoke
from local.drill import contents, programs
from local.drill.contents import Content
from local.environment import DATABASE, ROOT, Environment, prepare
from local.failure import Failure
from local.functions import grants, read_functions
from local.migrating import bring_up_to_date, cause
from local.postgres import EmbeddedPostgres
from local.servers import Server

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOBODY: Final = AdminSettings(username="admin", password=None)  # none is made up
_OPERATOR: Final = "drill@example.com"
# Of a dump with owners and rights, as Cloud SQL makes it: the migration makes these anew.
_EXPECTED: Final = re.compile(r'role "[^"]*" does not exist|google_')
_OF_MIGRATIONS: Final = ("alembic_version", "schema_work")


def run(dump: Path | None) -> None:
    """Restore, compare, migrate and ask; say how long each took.

    Raises:
        Failure: The copy is not what it has to be, or the service does not run on it.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="movies-drill-")))
        expected, file = _copy(folder / "copy.sql") if dump is None else (_read(dump), dump)
        postgres = EmbeddedPostgres(folder / "postgres", durable=False)
        stack.enter_context(postgres)
        postgres.create_database(DATABASE)
        target = postgres.url(DATABASE)
        with _told("restored", file.name):
            refused = [line for line in programs.restore(target, file) if _is_fault(line)]
        with _told("compared", f"{len(expected):,} tables and sequences"):
            _compare(expected, target, refused)
        users = _make_users(target)
        with _told("migrated") as told:
            migrated = _migrate(target, users)
            told(f"from {migrated.before} to {migrated.after}")
        with _told("asked", "each function, with no more than its role"):
            _compare(_rows(expected), target)
            _ask(target, users)
    print(f"The copy is whole, and the service runs on it: {time.monotonic() - began:.1f} s")


def _copy(file: Path) -> tuple[Mapping[str, Content], Path]:
    """Dump the environment's database; return what it held at that moment."""
    with prepare() as environment:
        if "CLOUD_SQL_INSTANCE" in environment.variables:
            raise Failure(
                "CLOUD_SQL_INSTANCE is set: run the Cloud SQL Auth Proxy, named in DATABASE_URL"
            )
        if environment.postgres:
            _fill(environment)
        require(DatabaseSettings, environment.variables)  # says in a line what is wrong with it
        url = environment.variables["DATABASE_URL"]
        with _told("dumped"), _transaction(url) as connection:
            connection.execute(text("set transaction isolation level repeatable read, read only"))
            snapshot = connection.execute(text("select pg_export_snapshot()")).scalar_one()
            programs.dump(url, file, snapshot=snapshot)
            held = {**contents.measure(connection), **contents.measure_sequences(connection)}
    return held, file


def _fill(environment: Environment) -> None:
    bring_up_to_date(environment)
    importing.fill_when_empty(environment)


def _read(file: Path) -> Mapping[str, Content]:
    with programs.open_dump(file) as lines:
        try:
            return contents.count_rows(lines)
        except (OSError, EOFError) as error:
            raise Failure(f"{file} cannot be read to its end: {error}") from error


def _compare(expected: Mapping[str, Content], target: str, refused: Sequence[str] = ()) -> None:
    with _transaction(target) as connection:
        found = {**contents.measure(connection), **contents.measure_sequences(connection)}
    wrong = [*contents.differences(expected, found), *refused]
    for line in wrong:
        print(f"  {line}")
    if wrong:
        raise Failure("the copy is not what it was made of: see above")


def _rows(expected: Mapping[str, Content]) -> dict[str, Content]:
    """Return what a migration leaves as it is: the number of rows, not their columns."""
    return {
        name: replace(content, checksum=None)
        for name, content in expected.items()
        if name not in _OF_MIGRATIONS and not name.startswith(contents.SEQUENCE)
    }


def _make_users(target: str) -> dict[str, str]:
    """Make a database user for each function and an operator's; return the addresses to log in."""
    password = secrets.token_hex(16)
    names = {name: f"drill-{name}" for name in _functions()}
    with _transaction(target) as connection:
        for user in (*names.values(), _OPERATOR):
            connection.exec_driver_sql(f"create role \"{user}\" login password '{password}'")
    before, _, place = target.rpartition("@")
    scheme = before.partition("://")[0]
    return {
        name: f"{scheme}://{quote(user, safe='')}:{password}@{place}"
        for name, user in {**names, _OPERATOR: _OPERATOR}.items()
    }


def _functions() -> list[str]:
    return [
        name for name, function in read_functions().items() if isinstance(function.rights, Mapping)
    ]


def _migrate(target: str, users: Mapping[str, str]) -> Migrated:
    database = TransactionalDatabase(DatabaseSettings.from_env({"DATABASE_URL": target}))
    try:
        named = {name: f"drill-{name}" for name in users if name != _OPERATOR}
        return migrate(database, _NOBODY, grants=grants(named), operators=[_OPERATOR])
    except ServiceError as error:
        raise Failure(f"the copy cannot be migrated: {error}{cause(error)}") from error
    finally:
        database.close()


def _ask(target: str, users: Mapping[str, str]) -> None:
    """Serve the copy, each function as itself, and ask every route."""
    from local import gateway  # noqa: PLC0415  a function reads its settings when it is imported

    def log_in(function: str) -> None:
        os.environ["DATABASE_URL"] = users.get(function, target)

    os.environ.pop("CLOUD_SQL_INSTANCE", None)
    os.environ["DATABASE_URL"] = target
    os.environ.setdefault("LOG_LEVEL", "WARNING")  # each refusal that is asked for is an INFO
    said = io.StringIO()
    with prepare(), Server(gateway.build(ROOT, log_in)) as server:
        try:
            with contextlib.redirect_stdout(said):
                smoke.run(server.url)
            _ask_for_total(server.url, target)
        except Failure:
            print(said.getvalue(), end="")
            raise
    with _transaction(users[_OPERATOR]) as connection:
        connection.execute(text("select count(*) from movies"))


def _ask_for_total(base: str, target: str) -> None:
    with _transaction(target) as connection:
        movies = connection.execute(text("select count(*) from movies")).scalar_one()
    answer = requests.get(f"{base}/movies.list?number_of_records=1", timeout=30).json()
    total = answer.get("pagination", {}).get("total_records")
    if total != movies:
        raise Failure(f"movies.list tells of {total} movies, and the copy holds {movies}")


@contextlib.contextmanager
def _transaction(url: str) -> Iterator["Connection"]:
    database = TransactionalDatabase(DatabaseSettings.from_env({"DATABASE_URL": url}))
    try:
        with database.begin() as connection, unhurried(connection.connection.dbapi_connection):
            connection.execute(text("set local statement_timeout = 0"))
            yield connection
    except ServiceError as error:
        raise Failure(f"the database says: {error}{cause(error)}") from error
    finally:
        database.close()


def _is_fault(refused: str) -> bool:
    return not _EXPECTED.search(refused)


@contextlib.contextmanager
def _told(step: str, what: str = "") -> Iterator[Callable[[str], None]]:
    told = [what]
    began = time.monotonic()
    yield told.append
    print(f"{step:<10}{time.monotonic() - began:6.1f} s   {' '.join(filter(None, told))}".rstrip())
