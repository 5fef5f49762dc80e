"""`GET /movies.list`: the catalogue page by page, in order of title."""

import functions_framework.aio

from lib import http, listing, movies
from lib.db import Database
from lib.settings import DatabaseSettings, require

database = Database(require(DatabaseSettings), statements=movies.LISTING)
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("GET", parameters=listing.PARAMETERS)
async def movies_list(request: http.Request) -> http.Answer:
    """Answer a page of movies and how to go on from it."""
    query = listing.parse_list_query(request.query)
    page = await database.ask(listing.page_query(query))
    listed = listing.listed(page, query, path=request.path)
    # Cursors that lead to nothing anybody can make up without end.
    is_nowhere = query.cursor is not None and page.first is None
    return http.Answer(
        body=listed.body,
        headers={"Link": listed.link},
        at_its_address=query.as_asked and not is_nowhere,
    )
