"""`POST /movies.import`: bulk import; private, for the scheduler."""

import functions_framework.aio

from lib import http, importing, movies
from lib.asking import parse_import_body
from lib.db import Database
from lib.omdb import OmdbClient
from lib.settings import DatabaseSettings, OmdbSettings, require

settings = require(OmdbSettings)
database = Database(require(DatabaseSettings), statements=[movies.UPSERT, movies.PAGE_AT])
database.warm_after_fork()
omdb = OmdbClient(settings)


@functions_framework.aio.http
@http.endpoint("POST", members=("imdb_ids",), body="required", largest_body=http.IMPORT_BODY)
def movies_import(request: http.Request) -> http.Answer:
    """Answer how many movies were imported, updated, not found and failed."""
    wanted = parse_import_body(request.body) or importing.first_fill(database)
    counts = importing.import_movies(database, omdb, wanted, concurrency=settings.concurrency)
    return http.data(counts)
