"""`POST /users.reset_password`: a code for a user to choose a new password; for administrators."""

import functions_framework.aio

from lib.accounts.administration import Actor, reset_password
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.people import RESETTING
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint, in_thread

guard = Guard(require(VerifyingSettings))
database = TransactionalDatabase(require(DatabaseSettings), statements=guard.statements)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=RESETTING, body="required", secret=True, guard=guard, roles=ADMINS)
async def users_reset_password(request: Request) -> Answer:
    """Answer the code that only whoever reads this knows."""
    claims = await database.ask(request.admission)
    code = await in_thread(
        reset_password,
        database,
        Actor(id=claims.user_id, address=request.client_address),
        username=request.body["username"],
        end_sessions=request.body["end_sessions"],
    )
    return data(code.as_answer())
