"""`GET /imports.get?id=…`: how far an import is; for editors and administrators."""

import functions_framework.aio

from lib.accounts.guard import EDITORS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.imports import reports
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint

guard = Guard(require(VerifyingSettings), keys=True)
database = Database(require(DatabaseSettings), statements=[reports.ONE, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint(
    "GET",
    parameters=reports.GET_PARAMETERS,
    private=True,
    guard=guard,
    roles=EDITORS,
    foreign_pages=True,
)
async def imports_get(request: Request) -> Answer:
    """Answer state, counts, rate, errors by kind, and when the import will be done."""
    await database.ask(request.admission)
    told = await database.ask(reports.find_report(request.query["id"]))
    return data(told)
