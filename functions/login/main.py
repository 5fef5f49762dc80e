"""`POST /login`: a session with its first tokens, for a username and a password."""

import functions_framework.aio

from lib.accounts.keys import SigningSettings
from lib.accounts.login import MEMBERS
from lib.accounts.login import login as log_in
from lib.accounts.tokens import Signer
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint, in_thread

signer = Signer(require(SigningSettings))
database = TransactionalDatabase(require(DatabaseSettings))
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=MEMBERS, body="required", secret=True)
async def login(request: Request) -> Answer:
    """Answer the session's first tokens."""
    granted = await in_thread(
        log_in, database, signer, **request.body, address=request.client_address
    )
    return data(granted.as_answer())
