"""`GET /movies.list`: the catalogue page by page, in order of title."""

import functions_framework.aio

from lib.catalogue import listing, statements
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=statements.LISTING)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=listing.PARAMETERS)
async def movies_list(request: Request) -> Answer:
    """Answer a page of movies and how to go on from it."""
    wanted = listing.wanted_page(request.query)
    page = await database.ask_together(listing.find_page(wanted))
    return listing.answer_page(page, wanted, path=request.path)
