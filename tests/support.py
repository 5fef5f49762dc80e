"""What tests of several modules share."""

import time
from collections.abc import Iterable
from typing import Final

import pytest
from sqlalchemy import text

from lib.accounts import passwords
from lib.catalogue import movies, statements
from lib.catalogue.movie import Movie
from lib.catalogue.movies import Stored
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.database.transactions import TransactionalDatabase
from lib.omdb.memory import STORE
from local.demo_omdb.server import DemoOmdb
from local.environment import ROOT
from local.functions import read_functions
from local.gateway import Gateway, decode

NEW_ENDPOINT: Final = ROOT / "tests" / "functions" / "movies_count"  # a folder as it may come
ADMIN_PASSWORD: Final = "correct horse battery staple"
OMDB_KEY: Final = "0a1b2c3d"
REFUSED: Final = "42501"  # a right is missing, and not a table or column
REFRESH_KEY: Final = "a key of no fewer than thirty-two bytes"
ECHO: Final = Statement(repeatable=True, sql="select cast(:value as text)")


def is_served(target: str) -> bool:
    """Tell whether a function is at a path; one whose folder is gone takes its cases with it."""
    gateway = Gateway({}, read_functions().values())
    return gateway.function_for(decode(target.partition("?")[0])) is not None


def asks(*targets: str) -> pytest.MarkDecorator:
    """Mark a test that asks these paths of the whole service."""
    gone = [target for target in targets if not is_served(target)]
    return pytest.mark.skipif(bool(gone), reason=f"nothing is at {', '.join(gone)}")


def database_settings(url: str) -> DatabaseSettings:
    """Read the settings of a database that an address names."""
    return DatabaseSettings.from_env({"DATABASE_URL": url})


def echo(value: str) -> Query[str]:
    """Ask the database for what it is told."""
    return Query(statement=ECHO, values={"value": value}, read=lambda rows: str(rows[0][0]))


def create_user(database: TransactionalDatabase, *, username: str, password: str, role: str) -> int:
    """Make a user who has chosen a password; return their id."""
    with database.begin() as connection:
        user_id: int = connection.execute(
            text(
                "insert into users (username, password_hash, role, password_set_at) "
                "values (:username, :password_hash, :role, now()) returning id"
            ),
            {
                "username": username,
                "password_hash": passwords.hash_password(password),
                "role": role,
            },
        ).scalar_one()
    return user_id


def set_role(database: TransactionalDatabase, *, username: str, role: str) -> None:
    """Give a user another role, whoever would be left without one."""
    with database.begin() as connection:
        connection.execute(
            text("update users set role = :role where username = :username"),
            {"username": username, "role": role},
        )


def store(database: Database, movie: Movie) -> Stored:
    """Store a movie as a create does; the database was made with `STORE`."""
    records = movies.as_records([movie])
    rows = database.run(STORE, movies=records, source="a test", question=movie.imdb_id)
    return movies.read_stored(movie, rows)


def store_all(database: TransactionalDatabase, some: Iterable[Movie]) -> None:
    """Store movies in one statement."""
    upserting = statements.upserting().replace(":movies::json", "cast(:movies as json)")
    with database.begin() as connection:
        connection.execute(text(upserting), {"movies": movies.as_records([*some])})


def await_calls(omdb: DemoOmdb) -> None:
    """Return once somebody has asked OMDb."""
    deadline = time.monotonic() + 5
    while not omdb.calls:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def deadlocks(database: TransactionalDatabase) -> int:
    """Return how many times Postgres has ended a circle of sessions that waited for each other."""
    # A session tells its own at its end, or when it has been idle for a second or so.
    database.close()
    time.sleep(0.2)
    with database.begin() as connection:
        counted: int = connection.execute(
            text("select deadlocks from pg_stat_database where datname = current_database()")
        ).scalar_one()
    return counted
