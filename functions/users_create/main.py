"""`POST /users.create`: invite a user, whose code chooses a password; for administrators."""

import functions_framework.aio

from lib.accounts.administration import Actor, invite_user
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.people import CREATING
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint, in_thread

guard = Guard(require(VerifyingSettings))
database = TransactionalDatabase(require(DatabaseSettings), statements=guard.statements)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=CREATING, body="required", secret=True, guard=guard, roles=ADMINS)
async def users_create(request: Request) -> Answer:
    """Answer the new user, and the code that only whoever reads this knows."""
    claims = await database.ask(request.admission)
    user, code = await in_thread(
        invite_user,
        database,
        Actor(id=claims.user_id, address=request.client_address),
        username=request.body["username"],
        role=request.body["role"],
    )
    return data({"user": user, **code.as_answer()}, status=201)
