"""`GET /movies.get`: one movie, by its title or its IMDb id."""

import functions_framework.aio

from lib import http, movies
from lib.asking import parse_get_query
from lib.db import Database
from lib.settings import DatabaseSettings, require

database = Database(require(DatabaseSettings), statements=movies.FINDING)
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("GET", parameters=("title", "imdb_id", "year"))
async def movies_get(request: http.Request) -> http.Answer:
    """Answer the movie, and with a title shared by several also the others."""
    wanted = parse_get_query(request.query)
    if wanted.imdb_id is not None:
        query = movies.by_id(wanted.imdb_id)
    else:
        query = movies.by_title(wanted.title, year=wanted.year)
    found = await database.ask(query)
    # Under other spellings of its title, of which there is no end, only its own reader keeps it.
    at_its_address = found.title in {None, request.query.get("title")}
    return http.Answer(body=found.as_body(), at_its_address=at_its_address)
