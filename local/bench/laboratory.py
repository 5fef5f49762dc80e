"""What every measurement needs: catalogues, a demo OMDb, keys, and the functions' environment."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lib.accounts import login
from lib.accounts.keys import SigningSettings
from lib.accounts.tokens import Signer
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from local.bench import catalogue
from local.demo_omdb.server import DemoOmdb
from local.environment import (
    ROOT,
    SETTINGS,
    keep,
    provide_refresh_key,
    provide_token_keys,
)
from local.postgres import EmbeddedPostgres
from local.private import make_folder

FEW: Final = 1_000
MANY: Final = 1_000_000
# With the second, every start would compile our modules.
_LEFT_OUT: Final = (*SETTINGS, "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """What is set up for one run.

    Attributes:
        scratch_folder: For files; it is gone after the run.
        few: The database with few movies, `many` that with many, `scratch` a copy of the first
            that is gone after the run.
    """

    postgres: EmbeddedPostgres
    scratch_folder: Path
    few: str
    many: str
    scratch: str
    common: Mapping[str, str]

    def variables(self, database: str) -> dict[str, str]:
        """Return the environment of a function that uses this database."""
        return {**self.common, "DATABASE_URL": self.postgres.url(database)}

    def settings(self, database: str) -> DatabaseSettings:
        """Return the settings of a database."""
        return require(DatabaseSettings, self.variables(database))

    def authorization(self, database: str) -> dict[str, str]:
        """Log an administrator in; return the header that says so."""
        opened = TransactionalDatabase(self.settings(database))
        issued = login.login(
            opened,
            Signer(require(SigningSettings, self.common)),
            username="admin",
            password=self.common["ADMIN_PASSWORD"],
            address="127.0.0.1",
        )
        opened.close()
        return {"Authorization": f"Bearer {issued.token}"}


@contextlib.contextmanager
def set_up(folder: Path = ROOT / ".local" / "bench") -> Iterator[Laboratory]:
    """Set up what the measurements need.

    Args:
        folder: Keeps the catalogues between runs.
    """
    make_folder(folder)
    password = keep(folder / "admin-password", lambda: secrets.token_urlsafe(12))
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)
    }
    variables |= {"PYTHONPATH": str(ROOT), "ADMIN_PASSWORD": password}
    provide_token_keys(folder, variables)
    provide_refresh_key(folder, variables)
    with (
        EmbeddedPostgres(folder) as postgres,
        DemoOmdb() as demo,
        tempfile.TemporaryDirectory() as scratch_folder,
    ):
        variables |= {"OMDB_URL": demo.url, "OMDB_API_KEY": demo.key}
        variables |= {"OMDB_DAILY_BUDGET": "1000000", "OMDB_CALLS_PER_CALLER": "1000000"}
        variables |= {"LOG_LEVEL": "WARNING"}
        few = catalogue.provide(postgres, FEW, password=password)
        many = catalogue.provide(postgres, MANY, password=password)
        scratch = "scratch"
        if postgres.has_database(scratch):  # left by a run that was killed
            postgres.drop_database(scratch)
        postgres.create_database(scratch, few)
        try:
            yield Laboratory(
                postgres=postgres,
                scratch_folder=Path(scratch_folder),
                few=few,
                many=many,
                scratch=scratch,
                common=variables,
            )
        finally:
            postgres.drop_database(scratch)
