"""`GET /sessions.list`: one's sessions, the latest first; for administrators another's, too."""

import functions_framework.aio

from lib.accounts import sessions
from lib.accounts.guard import Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.roles import ROLES
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*sessions.LISTING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=sessions.LIST_PARAMETERS, guard=guard, roles=ROLES, secret=True)
async def sessions_list(request: Request) -> Answer:
    """Answer a page of the sessions that are not over."""
    claims = await database.ask(request.admission)
    wanted = request.query
    listing = sessions.list_sessions(
        claims,
        username=wanted["username"],
        after=wanted["cursor"],
        records=wanted["number_of_records"],
    )
    listed = await database.ask(listing)
    return Answer(body=listed.as_body())
