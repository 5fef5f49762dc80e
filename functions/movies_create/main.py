"""`POST /movies.create`: add a movie, whose details come from OMDb."""

import functions_framework.aio

from lib.accounts.guard import Guard
from lib.accounts.keys import VerifyingSettings
from lib.accounts.roles import ROLES
from lib.catalogue.wanted import CREATING, wanted_movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.omdb import creating
from lib.omdb.budget import Budget
from lib.omdb.client import OmdbClient
from lib.omdb.creating import Creator
from lib.omdb.payers import Payer, find_payer
from lib.omdb.settings import OmdbSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

settings = require(OmdbSettings)
guard = Guard(require(VerifyingSettings), keys=True)
database = Database(require(DatabaseSettings), statements=[*creating.STATEMENTS, *guard.statements])
database.warm_after_fork()
creator = Creator(database, OmdbClient(settings, meter=Budget(database, settings)), settings)


@functions_framework.aio.http
@endpoint(
    "POST",
    members=CREATING,
    body="required",
    guard=guard,
    roles=ROLES,
    needs_token=False,
    foreign_pages=True,
)
async def movies_create(request: Request) -> Answer:
    """Answer 201 with a movie that is new, 200 with one that was there, refreshed if it was due."""
    payer = await identify(request)
    stored = await creator.create(wanted_movie(request.body), payer)
    return Answer(status=201 if stored.created else 200, body=stored.as_body())


async def identify(request: Request) -> Payer:
    """Tell whose calls to OMDb these are: an account's, if there is a token, else a network's."""
    user_id = None
    if request.admission is not None:
        claims = await database.ask(request.admission)
        user_id = claims.user_id
    return find_payer(user_id, request.client_address, calls=settings.calls_per_caller)
