"""`POST /keys.create`: a key for a machine; for editors and administrators."""

import functions_framework.aio

from lib.accounts import api_keys
from lib.accounts.guard import EDITORS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*api_keys.CREATING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint(
    "POST", members=api_keys.MEMBERS, body="required", guard=guard, roles=EDITORS, secret=True
)
async def keys_create(request: Request) -> Answer:
    """Answer 201 with the key, which nobody is ever shown again."""
    claims = await database.ask(request.admission)
    created = await database.ask(
        api_keys.create_key(claims, **request.body, address=request.client_address)
    )
    return data(created.as_answer(), status=201)
