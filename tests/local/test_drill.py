"""`./dev restore-drill`, as a process: a sound copy passes, and what is wrong with one fails it."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib.accounts.users import AdminSettings
from lib.catalogue.movie import Movie
from lib.database.database import Database
from lib.database.transactions import TransactionalDatabase
from lib.omdb.memory import STORE
from lib.schema.migrating import migrate
from local.drill import contents
from local.postgres import EmbeddedPostgres, installation
from tests.support import database_settings, store

ROOT: Final = Path(__file__).resolve().parents[2]
NOBODY: Final = AdminSettings(username="admin", password=None)
TITLES: Final = ("Casablanca", "La Dolce Vita — «süß»", "A\\tB\\N")
OWNER: Final = f"an owner {uuid4().hex}"
BROKEN_OFF: Final = (
    "dev: the dump breaks off, or is none in SQL: it has no end as pg_dump makes it\n"
)

Make = Callable[..., str]


def drill(*arguments: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-m", "local", "restore-drill", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "OMDB_API_KEY": "theirs",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def add_movies(url: str) -> None:
    database = Database(database_settings(url), statements=[STORE])
    for number, title in enumerate(TITLES, 1):
        store(database, Movie(imdb_id=f"tt000000{number}", title=title, type="movie"))
    database.close()


@pytest.fixture
def make(postgres: EmbeddedPostgres) -> Iterator[Make]:
    """Make a database with some movies, a user, and sequences that have gone on."""
    made = []

    def make_database(revision: str = "head") -> str:
        name = f"drilled_{uuid4().hex}"
        postgres.create_database(name)
        made.append(name)
        database = TransactionalDatabase(database_settings(postgres.url(name)))
        migrate(database, NOBODY, revision=revision)
        with database.begin() as connection:  # with what users had in every schema
            connection.exec_driver_sql(
                "insert into users (username, password_hash, role) values ('ana', 'x', 'admin')"
            )
        database.close()
        if revision == "head":
            add_movies(postgres.url(name))
        return postgres.url(name)

    yield make_database
    for name in made:
        postgres.drop_database(name)


@pytest.fixture
def dumped(make: Make, tmp_path: Path) -> Path:
    """Dump a database as Cloud SQL does, with owners and rights of roles that are there alone."""
    url = make()
    database = TransactionalDatabase(database_settings(url))
    with database.begin() as connection:
        run = connection.exec_driver_sql
        run(f'create role "{OWNER}"')
        run(f'alter table movies owner to "{OWNER}"')
        run(f'grant select on users to "{OWNER}"')
    file = tmp_path / "movies.sql"
    at = database_settings(url)
    assert at.password is not None
    subprocess.run(  # noqa: S603
        [str(installation() / "bin" / "pg_dump"), f"--file={file}"],
        env={
            "PGHOST": str(at.host),
            "PGPORT": str(at.port),
            "PGUSER": str(at.user),
            "PGPASSWORD": at.password.reveal(),
            "PGDATABASE": str(at.name),
        },
        check=True,
    )
    with database.begin() as connection:
        connection.exec_driver_sql("alter table movies owner to postgres")
        connection.exec_driver_sql(f'drop owned by "{OWNER}"')
        connection.exec_driver_sql(f'drop role "{OWNER}"')
    database.close()
    return file


def test_a_copy_of_a_database_passes_and_leaves_it_as_it_was(make: Make) -> None:
    url = make()
    database = TransactionalDatabase(database_settings(url))
    with database.begin() as connection:
        before = contents.measure(connection)

    code, output, errors = drill(DATABASE_URL=url)

    assert (code, errors) == (0, ""), output
    assert re.findall(r"^(\w+) +[\d.]+ s", output, re.MULTILINE) == [
        "dumped",
        "restored",
        "compared",
        "migrated",
        "asked",
    ]
    assert "The copy is whole, and the service runs on it" in output
    with database.begin() as connection:
        assert contents.measure(connection) == before
    database.close()


def test_a_copy_of_an_older_schema_is_migrated(make: Make) -> None:
    code, output, errors = drill(DATABASE_URL=make(revision="0004"))

    assert (code, errors) == (0, ""), output
    assert re.search(r"migrated .* from 0004 to \d{4}", output)


def test_an_export_with_owners_that_are_not_here_passes(dumped: Path) -> None:
    exported = dumped.with_suffix(".sql.gz")
    exported.write_bytes(gzip.compress(dumped.read_bytes()))
    assert f'OWNER TO "{OWNER}"' in dumped.read_text()

    code, output, errors = drill("--dump", str(exported))

    assert (code, errors) == (0, ""), output
    assert "The copy is whole" in output


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        # A check stands with the table, a key is made when the rows are in.
        ("\ntt0000002\tL", "\nxx0000002\tL", "  movies has 0 rows in the copy, not 3\n"),
        ("\ntt0000002\tL", "\ntt0000001\tL", 'could not create unique index "movies_pkey"'),
        ("CREATE TABLE public.sessions ", "CREATE TABLE public.other ", "sessions is not in the"),
    ],
)
def test_a_copy_that_does_not_come_in_whole_fails(
    dumped: Path, before: str, after: str, told: str
) -> None:
    said = dumped.read_text()
    assert before in said
    dumped.write_text(said.replace(before, after))

    code, output, errors = drill("--dump", str(dumped))

    assert code == 1
    assert told in output
    assert errors == "dev: the copy is not what it was made of: see above\n"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_copy_that_breaks_off_fails(dumped: Path, *, compressed: bool) -> None:
    whole = dumped.read_bytes()
    half = gzip.compress(whole)[:-2000] if compressed else whole[: len(whole) // 2]
    dumped.write_bytes(half)

    code, output, errors = drill("--dump", str(dumped))

    assert (code, output) == (1, "")
    assert errors.startswith(BROKEN_OFF) or "cannot be read to its end" in errors


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["--dump", "/nowhere.sql"], {}, "/nowhere.sql cannot be read: No such file"),
        ([], {"CLOUD_SQL_INSTANCE": "p:r:i"}, "CLOUD_SQL_INSTANCE is set: run the Cloud SQL Auth"),
        ([], {"DATABASE_URL": "nowhere"}, "DATABASE_URL "),
        ([], {"DATABASE_URL": "postgresql+pg8000://u:p@127.0.0.1:9/x"}, "the database says: "),
    ],
)
def test_what_cannot_be_copied_is_told_in_a_line(
    arguments: list[str], variables: dict[str, str], told: str
) -> None:
    code, _, errors = drill(*arguments, **variables)

    assert code == 1
    assert errors.startswith(f"dev: {told}")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("update movies set plot = 'x' where imdb_id = 'tt0000001'", "movies has 3 rows in both"),
        ("update users set role = 'viewer'", "users has 1 rows in both, but not the same"),
        ("delete from movies where imdb_id = 'tt0000001'", "movies has 2 rows in the copy, not 3"),
        ("select setval('users_id_seq', 1, false)", "sequence users_id_seq stands at 0"),
        ("drop table omdb_callers", "omdb_callers is not in the copy"),
    ],
)
def test_a_copy_is_compared_row_by_row(
    make: Make, postgres: EmbeddedPostgres, change: str, told: str
) -> None:
    source = make()
    copy = f"copy_{uuid4().hex}"
    postgres.create_database(copy, template=source.rpartition("/")[2])
    measured = []
    for url, statement in ((source, "select 1"), (postgres.url(copy), change)):
        database = TransactionalDatabase(database_settings(url))
        with database.begin() as connection:
            connection.execute(text(statement))
            measured.append(
                {**contents.measure(connection), **contents.measure_sequences(connection)}
            )
        database.close()
    postgres.drop_database(copy)

    differences = contents.differences(*measured)

    assert any(line.startswith(told) for line in differences), differences
    assert contents.differences(measured[0], measured[0]) == []
