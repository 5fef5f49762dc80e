"""`GET /movies.get`: one movie, by its title or its IMDb id."""

import functions_framework.aio

from lib.catalogue import movies, statements
from lib.catalogue.fields import parse_fields
from lib.catalogue.wanted import parse_get_query
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(require(DatabaseSettings), statements=statements.FINDING)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=("title", "imdb_id", "year", "fields"))
async def movies_get(request: Request) -> Answer:
    """Answer the movie, and with a title shared by several also the others."""
    wanted, fields = parse_get_query(request.query), parse_fields(request.query)
    if wanted.imdb_id is not None:
        query = movies.find_by_id(wanted.imdb_id)
    else:
        query = movies.find_by_title(wanted.title, year=wanted.year)
    found = await database.ask_together(query)
    # Under other spellings of its title, of which there is no end, only its own reader keeps it.
    at_its_address = found.title in {None, request.query.get("title")}
    return fields.narrow(Answer(body=found.body, tag=found.tag, at_its_address=at_its_address))
