"""`GET /movies.get`: one movie, by its title or its IMDb id."""

from contextlib import suppress

import functions_framework.aio

from lib.catalogue import movies, statements
from lib.catalogue.fields import wanted_fields
from lib.catalogue.wanted import GETTING, Wanted, wanted_movie
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.errors import MovieNotFound
from lib.search import filling, suggesting
from lib.search.suggesting import as_asked, choose_nearest, find_likes, find_near, nothing_but
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

database = Database(
    require(DatabaseSettings), statements=[*statements.FINDING, *suggesting.STATEMENTS]
)
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=GETTING)
async def movies_get(request: Request) -> Answer:
    """Answer the movie, and with a title shared by several also the others."""
    wanted = wanted_movie(request.query)
    if wanted.imdb_id is not None:
        found = await database.ask_together(movies.find_by_id(wanted.imdb_id))
    else:
        found = await _find_by_title(wanted)
    # Under other spellings of its title, of which there is no end, only its own reader keeps it.
    at_its_address = found.title in {None, wanted.title}
    answer = Answer(body=found.body, tag=found.tag, at_its_address=at_its_address)
    return wanted_fields(request.query).narrow(answer)


async def _find_by_title(wanted: Wanted) -> movies.Found:
    title, year = wanted.title, wanted.year
    finds = [movies.find_by_title, movies.find_by_other_names]
    is_filled = await filling.is_done(database)
    if not is_filled:
        finds.insert(0, movies.find_by_key)
    for find in finds:
        with suppress(MovieNotFound):
            return await database.ask_together(find(title, year=year))
    asked = as_asked(title, year=year)
    if not is_filled:
        raise nothing_but(asked, ())
    likes = await database.ask_together(find_likes(asked))
    films = await database.ask_together(find_near(asked, likes))
    raise nothing_but(asked, choose_nearest(films, asked, likes))
