"""`POST /migrate`: bring the database to the newest schema; private, for the pipeline."""

import dataclasses

import functions_framework.aio

from lib.accounts.users import AdminSettings
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.schema.migrating import migrate as bring_up_to_date
from lib.schema.settings import GrantSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint, in_thread

admin = require(AdminSettings)
rights = require(GrantSettings)
database = TransactionalDatabase(require(DatabaseSettings))
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", body="optional")
async def migrate(_: Request) -> Answer:
    """Answer which revision the database had and has, and what is left to do, also in words."""
    migrated = await in_thread(
        bring_up_to_date, database, admin, grants=rights.grants, operators=rights.operators
    )
    return data({**dataclasses.asdict(migrated), "message": migrated.message})
