"""`POST /movies.create`: add a movie, whose details come from OMDb."""

import functions_framework.aio

from lib import http, movies, omdb_budget
from lib.asking import Wanted, parse_create_body
from lib.db import Database
from lib.omdb import OmdbClient
from lib.settings import DatabaseSettings, OmdbSettings, require

settings = require(OmdbSettings)
database = Database(require(DatabaseSettings), statements=[movies.UPSERT, *omdb_budget.STATEMENTS])
database.warm_after_fork()
omdb = OmdbClient(settings, meter=omdb_budget.Budget(database, settings))


@functions_framework.aio.http
@http.endpoint("POST", members=("title", "year", "imdb_id"), body="required")
async def movies_create(request: http.Request) -> http.Answer:
    """Answer 201 with a movie that is new, 200 with one that was there and is now refreshed."""
    stored = await http.in_thread(fetch_and_store, parse_create_body(request.body))
    return http.Answer(status=201 if stored.created else 200, body=stored.as_body())


def fetch_and_store(wanted: Wanted) -> movies.Stored:
    """Ask OMDb and keep what it says."""
    if wanted.imdb_id is not None:
        movie = omdb.by_id(wanted.imdb_id)
    else:
        movie = omdb.by_title(wanted.title, year=wanted.year)
    return movies.store(database, movie)
