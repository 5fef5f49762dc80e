"""`GET /movies.random`: movies by chance, of all or of those that filters let through."""

import functions_framework.aio

from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.search import drawing
from lib.search.asking import RANDOM_PARAMETERS, wanted_by_chance
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=drawing.STATEMENTS)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=RANDOM_PARAMETERS)
async def movies_random(request: Request) -> Answer:
    """Answer as many movies as are wanted, or all there are."""
    return await drawing.draw(database, wanted_by_chance(request.query))
