"""`POST /passwords.change`: another password, by the present one."""

import functions_framework.aio

from lib.accounts.guard import Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.password_changes import CHANGING, change_password
from lib.accounts.roles import ROLES
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint, in_thread

guard = Guard(require(VerifyingSettings))
database = TransactionalDatabase(require(DatabaseSettings), statements=guard.statements)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=CHANGING, body="required", secret=True, guard=guard, roles=ROLES)
async def passwords_change(request: Request) -> Answer:
    """Answer 204 once the new password counts, and the user's other sessions are over."""
    claims = await database.ask(request.admission)
    await in_thread(
        change_password,
        database,
        user_id=claims.user_id,
        session_id=claims.session_id,
        address=request.client_address,
        **request.body,
    )
    return Answer(status=204)
