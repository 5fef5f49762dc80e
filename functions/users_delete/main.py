"""`DELETE /users.delete/<username>`: remove a user; for administrators."""

import functions_framework.aio

from lib.accounts.administration import Actor, delete_user
from lib.accounts.guard import ADMINS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.people import DELETING
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint, in_thread

guard = Guard(require(VerifyingSettings))
database = TransactionalDatabase(require(DatabaseSettings), statements=guard.statements)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("DELETE", path=DELETING, secret=True, guard=guard, roles=ADMINS)
async def users_delete(request: Request) -> Answer:
    """Answer 204 once the user is gone, with their sessions, keys and code."""
    claims = await database.ask(request.admission)
    await in_thread(
        delete_user,
        database,
        Actor(id=claims.user_id, address=request.client_address),
        username=request.in_path["username"],
    )
    return Answer(status=204)
