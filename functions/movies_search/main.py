"""`GET /movies.search`: movies by words, people, filters and ranges, in any order."""

import functions_framework.aio

from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.search import pages
from lib.search.asking import PARAMETERS, wanted_hits
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=pages.STATEMENTS)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=PARAMETERS)
async def movies_search(request: Request) -> Answer:
    """Answer a page of hits and how to go on from it."""
    return await pages.search(database, wanted_hits(request.query), path=request.path)
