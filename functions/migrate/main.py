"""`POST /migrate`: bring the database to the newest schema; private, for the pipeline."""

import dataclasses

import functions_framework.aio

from lib import http
from lib.db_transactions import TransactionalDatabase
from lib.migrations.runner import migrate as bring_up_to_date
from lib.settings import AdminSettings, DatabaseSettings, GrantSettings, require

admin = require(AdminSettings)
grants = require(GrantSettings).grants
database = TransactionalDatabase(require(DatabaseSettings))


@functions_framework.aio.http
@http.endpoint("POST", body="optional")
async def migrate(_: http.Request) -> http.Answer:
    """Answer which revision the database had and which it has."""
    migrated = await http.in_thread(bring_up_to_date, database, admin, grants=grants)
    return http.data(dataclasses.asdict(migrated))
