"""`POST /login`: an access token for a username and a password."""

import functions_framework.aio

from lib import accounts, http
from lib.db_transactions import TransactionalDatabase
from lib.settings import DatabaseSettings, SigningSettings, require
from lib.tokens import LIFETIME_SECONDS, Signer

signer = Signer(require(SigningSettings))
database = TransactionalDatabase(require(DatabaseSettings))
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("POST", members=("username", "password"), body="required")
async def login(request: http.Request) -> http.Answer:
    """Answer a Bearer token, good for a quarter of an hour."""
    issued = await http.in_thread(
        accounts.login,
        database,
        signer,
        username=request.body.get("username"),
        password=request.body.get("password"),
        address=request.client_address,
    )
    return http.data(
        {"token": issued.token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
    )
