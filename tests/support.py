"""What tests of several modules share."""

import time
from typing import Final

from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from local.demo_omdb.server import DemoOmdb
from local.environment import ROOT

NEW_ENDPOINT: Final = ROOT / "tests" / "functions" / "movies_count"  # a folder as it may come
ADMIN_PASSWORD: Final = "correct horse battery staple"
OMDB_KEY: Final = "0a1b2c3d"
ECHO: Final = Statement(repeatable=True, sql="select cast(:value as text)")


def database_settings(url: str) -> DatabaseSettings:
    """Read the settings of a database that an address names."""
    return DatabaseSettings.from_env({"DATABASE_URL": url})


def echo(value: str) -> Query[str]:
    """Ask the database for what it is told."""
    return Query(statement=ECHO, values={"value": value}, read=lambda rows: str(rows[0][0]))


def await_calls(omdb: DemoOmdb) -> None:
    """Return once somebody has asked OMDb."""
    deadline = time.monotonic() + 5
    while not omdb.calls:
        assert time.monotonic() < deadline
        time.sleep(0.005)
