"""`GET /users.list`: users by name, all or those that filters let through; for administrators."""

import functions_framework.aio

from lib.accounts import people
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*people.LISTING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=people.LIST_PARAMETERS, secret=True, guard=guard, roles=ADMINS)
async def users_list(request: Request) -> Answer:
    """Answer a page of users."""
    await database.ask(request.admission)
    page = await database.ask(people.list_users(**request.query))
    return Answer(body=page.as_body())
