"""`GET /movies.search`: movies by words, people, filters and ranges, in any order."""

import functions_framework.aio

from lib.catalogue import search
from lib.catalogue.search_asking import PARAMETERS, parse_search_query
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=search.STATEMENTS)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=PARAMETERS)
async def movies_search(request: Request) -> Answer:
    """Answer a page of hits and how to go on from it."""
    return await search.search(database, parse_search_query(request.query), path=request.path)
