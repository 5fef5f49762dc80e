"""`GET /imports.list`: all imports, the newest first; for editors and administrators."""

import functions_framework.aio

from lib.accounts.guard import EDITORS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.imports import reports
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings), keys=True)
database = Database(require(DatabaseSettings), statements=[reports.SOME, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint(
    "GET",
    parameters=reports.LIST_PARAMETERS,
    private=True,
    guard=guard,
    roles=EDITORS,
    foreign_pages=True,
)
async def imports_list(request: Request) -> Answer:
    """Answer a page of imports with their states and counts."""
    await database.ask(request.admission)
    listed = await database.ask(reports.list_imports(reports.wanted_imports(request.query)))
    return Answer(body=listed.as_body())
