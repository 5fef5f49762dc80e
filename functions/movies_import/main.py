"""`POST /movies.import`: bulk import; private, for the scheduler."""

import functions_framework.aio

from lib import http, importing, movies
from lib.asking import parse_import_body
from lib.db import Database
from lib.omdb import OmdbClient
from lib.settings import DatabaseSettings, ImportSettings, OmdbSettings, require

settings = require(OmdbSettings)
limits = require(ImportSettings)
database = Database(require(DatabaseSettings), statements=[movies.UPSERT, movies.PAGE_AT])
database.warm_after_fork()
omdb = OmdbClient(settings)


@functions_framework.aio.http
@http.endpoint("POST", members=("imdb_ids",), body="required", largest_body=http.IMPORT_BODY)
async def movies_import(request: http.Request) -> http.Answer:
    """Answer how many movies were imported, updated, not found and failed."""
    counts = await http.in_thread(import_all, parse_import_body(request.body))
    return http.data(counts)


def import_all(imdb_ids: list[str]) -> dict[str, int]:
    """Import these movies, or the first ones of an empty catalogue."""
    wanted = imdb_ids or importing.first_fill(database)
    return importing.import_movies(database, omdb, wanted, concurrency=settings.concurrency)
