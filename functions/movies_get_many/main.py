"""`GET /movies.get_many`: up to a hundred movies by their IMDb ids, in the order asked."""

import functions_framework.aio

from lib.catalogue import many, statements
from lib.catalogue.fields import wanted_fields
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=[statements.BY_IDS])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=many.PARAMETERS)
async def movies_get_many(request: Request) -> Answer:
    """Answer the movies that there are, and the ids of those that there are not."""
    found = await database.ask_together(many.find_many(request.query["imdb_ids"]))
    # Ids that lead nowhere can be made up without end, and each set of them is an address.
    answer = Answer(body=found.body, tag=found.tag, at_its_address=found.is_complete)
    return wanted_fields(request.query).narrow(answer)
