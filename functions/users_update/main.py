"""`POST /users.update`: change a user's role, state or name; for administrators."""

import functions_framework.aio

from lib.accounts.administration import Actor, Changes, update_user
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.people import UPDATING
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint, in_thread

guard = Guard(require(VerifyingSettings))
database = TransactionalDatabase(require(DatabaseSettings), statements=guard.statements)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=UPDATING, body="required", secret=True, guard=guard, roles=ADMINS)
async def users_update(request: Request) -> Answer:
    """Answer the user as they are then."""
    claims = await database.ask(request.admission)
    changed = {name: value for name, value in request.body.items() if name != "username"}
    user = await in_thread(
        update_user,
        database,
        Actor(id=claims.user_id, address=request.client_address),
        username=request.body["username"],
        changes=Changes(**changed),
    )
    return data(user)
