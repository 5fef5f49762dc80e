"""`DELETE /keys.delete/<id>`: end a key for machines: one's own, for administrators anybody's."""

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
database = Database(require(DatabaseSettings), statements=[*api_keys.DELETING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("DELETE", path=api_keys.IN_PATH, guard=guard, roles=ROLES, secret=True)
async def keys_delete(request: Request) -> Answer:
    """Answer 204 once the key is gone."""
    claims = await database.ask(request.admission)
    key_id, address = request.in_path["id"], request.client_address
    await database.ask(api_keys.delete_key(claims, key_id, address=address))
    return Answer(status=204)
