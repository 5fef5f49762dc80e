"""Bring a database to a revision of the schema, safely when two try at once.

Everything happens in one transaction under an advisory lock: a second runner waits, then finds
nothing left to do; a failure leaves the schema as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from lib.accounts import ensure_first_admin
from lib.database_roles import grant_rights
from lib.db_connections import unhurried
from lib.db_transactions import TransactionalDatabase
from lib.settings import AdminSettings, Grant

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST: Final = "head"
_ADVISORY_LOCK: Final = 0x6D6F76696573  # "movies"


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """What a run found and left: revisions, None for an empty database."""

    before: str | None
    after: str | None
    admin_created: bool


def migrate(
    database: TransactionalDatabase,
    admin: AdminSettings,
    *,
    grants: Mapping[str, Grant] | None = None,
    revision: str = NEWEST,
) -> Migrated:
    """Bring the schema to a revision and, where there is no user yet, make the first administrator.

    Args:
        grants: By function; None to leave roles alone.
        revision: "head", a revision's id, or "base" for a database without any of our tables.

    Raises:
        DatabaseUnavailable: The database cannot be reached, or its locks not be had in time.
        SettingsError: The administrator's password breaks the rule for new passwords.
    """
    with database.begin() as connection, unhurried(connection.connection.dbapi_connection):
        # The lock is waited for as long as another's migration takes; statements may take long too.
        connection.execute(text("set local lock_timeout = 0"))
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.execute(text("set local lock_timeout = '4s'"))
        before = _revision(connection)
        _run(connection, revision)
        after = _revision(connection)
        if grants is not None and after is not None:
            grant_rights(connection, grants)
        admin_created = after is not None and ensure_first_admin(connection, admin)
    return Migrated(before=before, after=after, admin_created=admin_created)


def _run(connection: "Connection", revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if revision == NEWEST or _is_ahead(config, connection, revision):
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)


def _is_ahead(config: Config, connection: "Connection", revision: str) -> bool:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    if revision == "base":
        return False
    script = ScriptDirectory.from_config(config)
    applied = {step.revision for step in script.iterate_revisions(_revision(connection), "base")}
    return revision not in applied


def _revision(connection: "Connection") -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
