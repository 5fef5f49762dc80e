"""`GET /audit.list`: what was done, the newest first; for administrators."""

import functions_framework.aio

from lib.accounts import audit_list as listing
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*listing.LISTING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=listing.PARAMETERS, secret=True, guard=guard, roles=ADMINS)
async def audit_list(request: Request) -> Answer:
    """Answer a page of the audit."""
    await database.ask(request.admission)
    page = await database.ask(listing.list_entries(**request.query))
    return Answer(body=page.as_body())
