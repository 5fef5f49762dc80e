"""`POST /movies.create`: add a movie, whose details come from OMDb."""

import functions_framework.aio

from lib import access, creating, http, omdb_callers
from lib.asking import parse_create_body
from lib.creating import Creator
from lib.db import Database
from lib.omdb import OmdbClient
from lib.omdb_budget import Budget
from lib.omdb_callers import Payer
from lib.roles import ROLES
from lib.settings import DatabaseSettings, OmdbSettings, VerifyingSettings, require
from lib.tokens import Verifier

settings = require(OmdbSettings)
verifier = Verifier(require(VerifyingSettings))
database = Database(
    require(DatabaseSettings), statements=[*creating.STATEMENTS, *access.AUTHORIZING]
)
database.warm_after_fork()
creator = Creator(database, OmdbClient(settings, meter=Budget(database, settings)), settings)


@functions_framework.aio.http
@http.endpoint("POST", members=("title", "year", "imdb_id"), body="required")
async def movies_create(request: http.Request) -> http.Answer:
    """Answer 201 with a movie that is new, 200 with one that was there, refreshed if it was due."""
    caller = await identify(request)
    stored = await creator.create(parse_create_body(request.body), caller)
    return http.Answer(status=201 if stored.created else 200, body=stored.as_body())


async def identify(request: http.Request) -> Payer:
    """Tell whose calls to OMDb these are: an account's, if there is a token, else a network's."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        return omdb_callers.network(request.client_address, calls=settings.calls_per_caller)
    claims = verifier.verify_header(authorization)
    await database.ask(access.permission(claims, roles=ROLES))
    return omdb_callers.account(claims.user_id, calls=settings.calls_per_caller)
