"""`POST /sessions.refresh`: a session's next tokens, for its present refresh token."""

import functions_framework.aio

from lib.accounts import refreshing
from lib.accounts.keys import RefreshSettings, SigningSettings
from lib.accounts.tokens import Signer
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint

settings = require(RefreshSettings)
signer = Signer(require(SigningSettings))
database = Database(require(DatabaseSettings), statements=refreshing.REFRESHING)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("POST", members=refreshing.MEMBERS, body="required", secret=True)
async def sessions_refresh(request: Request) -> Answer:
    """Answer as a login does, for the session that goes on."""
    refreshed = await database.ask(
        refreshing.refresh(
            settings,
            signer,
            refresh_token=request.body["refresh_token"],
            address=request.client_address,
        )
    )
    return data(refreshed.as_answer())
