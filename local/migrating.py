"""`./dev migrate`: bring the database that the environment names to the newest schema."""

import sys
from dataclasses import replace
from typing import Final

from lib.accounts.users import AdminSettings
from lib.database.faults import POOLER, is_of_pooler
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import ServiceError
from lib.schema.migrated import Migrated
from lib.schema.migrating import migrate
from lib.schema.settings import GrantSettings
from lib.settings import require
from local.environment import Environment, keep_password, prepare
from local.failure import Failure

_SHARE: Final = 5.0  # seconds; how far it came is told so often


def run() -> None:
    """Migrate, and say what changed."""
    with prepare() as environment:
        migrated = bring_up_to_date(environment)
    if not (migrated.newer or migrated.admin_refused):  # of which everybody is told who does this
        print(migrated.message)
    if migrated.admin_created:
        print(f"Made the administrator {require(AdminSettings).username!r}")


def bring_up_to_date(environment: Environment) -> Migrated:
    """Migrate the environment's database, and do what is left to do then.

    Say how far that came, and so where the schema is newer than this code.

    Raises:
        Failure: The database cannot be migrated.
    """
    admin = require(AdminSettings, environment.variables)
    rights = require(GrantSettings, environment.variables)
    database = TransactionalDatabase(require(DatabaseSettings, environment.variables))
    try:
        migrated = again = migrate(
            database, admin, grants=rights.grants, operators=rights.operators, seconds=_SHARE
        )
        while again.left:
            print(f"Left to do: {'; '.join(again.left)} ...", file=sys.stderr, flush=True)
            again = migrate(database, admin, seconds=_SHARE)
    except ServiceError as error:
        raise Failure(f"the database cannot be migrated: {error}{cause(error)}") from error
    finally:
        database.close()
    if migrated.newer or migrated.admin_refused:
        print(migrated.message, file=sys.stderr)
    if migrated.admin_created:
        keep_password(environment)
    return replace(migrated, left=())


def cause(error: Exception) -> str:
    """Return the driver's own words, which a caller is not told but a developer is."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    if cause is None:
        return ""
    if is_of_pooler(cause):
        return f" ({POOLER})"
    said = cause.args[0] if cause.args and isinstance(cause.args[0], dict) else {}
    return f" ({said.get('M', cause)})"
