"""`POST /passwords.set`: a password, by a one-time code."""

import functions_framework.aio

from lib.accounts.password_changes import SETTING, set_password
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint, in_thread

database = TransactionalDatabase(require(DatabaseSettings))
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=SETTING, body="required", secret=True)
async def passwords_set(request: Request) -> Answer:
    """Answer 204 once the password counts, and all sessions before it are over."""
    await in_thread(set_password, database, address=request.client_address, **request.body)
    return Answer(status=204)
