"""A database of a test's own, and migrations that other code has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from uuid import uuid4

import pytest

from lib.accounts.users import AdminSettings
from lib.database.transactions import TransactionalDatabase
from lib.schema import migrating
from lib.schema.migrated import Migrated
from lib.schema.migrating import migrate
from local.postgres import EmbeddedPostgres
from tests.support import database_settings

MIGRATION = """
from alembic import op

revision = {revision!r}
down_revision = {after!r}
work = {work!r}


def upgrade():
    op.get_bind().exec_driver_sql({statements!r})
"""


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[TransactionalDatabase]:
    """Return a database without any table."""
    name = f"empty_{uuid4().hex}"
    postgres.create_database(name)
    database = TransactionalDatabase(database_settings(postgres.url(name)))
    yield database
    database.close()
    postgres.drop_database(name)


@dataclass(frozen=True, kw_only=True)
class OtherCode:
    """Code that has our migrations and some of its own: a later release, or another branch."""

    migrations: Path

    def add(
        self,
        revision: str,
        statements: str,
        *,
        after: str,
        work: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Give it a migration, and what that leaves for afterwards."""
        file = self.migrations / "versions" / f"{revision}.py"
        content = MIGRATION.format(revision=revision, after=after, statements=statements, work=work)
        file.write_text(content, encoding="utf-8")

    def migrate(self, database: TransactionalDatabase, *, seconds: float | None = None) -> Migrated:
        """Migrate as that code does."""
        nobody = AdminSettings(username="admin", password=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrating, "MIGRATIONS", self.migrations)
            return migrate(database, nobody, seconds=seconds)


@pytest.fixture
def other(tmp_path: Path) -> OtherCode:
    """Return code that has no migration of its own yet."""
    return OtherCode(migrations=copytree(migrating.MIGRATIONS, tmp_path / "migrations"))
