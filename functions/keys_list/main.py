"""`GET /keys.list`: one's keys for machines; for administrators another's, too."""

import functions_framework.aio

from lib.accounts import api_keys
from lib.accounts.guard import Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.roles import ROLES
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*api_keys.LISTING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=api_keys.PARAMETERS, guard=guard, roles=ROLES, secret=True)
async def keys_list(request: Request) -> Answer:
    """Answer all keys, without what only their owners have."""
    claims = await database.ask(request.admission)
    listed = await database.ask(api_keys.list_keys(claims, username=request.query["username"]))
    return Answer(body=listed.as_body())
