"""`POST /sessions.end`: log out: of this session, of another, or of all."""

import functions_framework.aio

from lib.accounts import ending
from lib.accounts.guard import Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.roles import ROLES
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[*ending.ENDING, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint(
    "POST",
    members=ending.END_MEMBERS,
    body="required",
    guard=guard,
    roles=ROLES,
    needs_token=False,
    secret=True,
)
async def sessions_end(request: Request) -> Answer:
    """Answer 204, also where nothing was left to end."""
    question = await choose_ending(request)
    if question is not None:
        await database.ask(question)
    return Answer(status=204)


async def choose_ending(request: Request) -> Query[None] | None:
    """Return what ends the sessions that are meant; only a refresh token needs no other token."""
    asked, address = request.body, request.client_address
    if asked["refresh_token"] is not None:
        return ending.end_held_session(asked["refresh_token"], address=address)
    # Without a token the guard refuses now what the endpoint has let pass.
    claims = await database.ask(request.admission or guard.admit(request.headers, roles=ROLES))
    if asked["all"]:
        return ending.end_all_sessions(claims, address=address, except_this=asked["except_this"])
    return ending.end_session(claims, address=address, session_id=asked["id"])
