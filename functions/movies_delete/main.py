"""`DELETE /movies.delete/<imdb_id>`: remove a movie; for editors and administrators."""

import functions_framework.aio

from lib.accounts.guard import EDITORS, Guard
from lib.accounts.keys import VerifyingSettings
from lib.catalogue import movies, statements
from lib.catalogue.wanted import DELETING
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

guard = Guard(require(VerifyingSettings), keys=True)
database = Database(require(DatabaseSettings), statements=[statements.DELETE, *guard.statements])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("DELETE", path=DELETING, guard=guard, roles=EDITORS, foreign_pages=True)
async def movies_delete(request: Request) -> Answer:
    """Answer 204 once the movie is gone."""
    claims = await database.ask(request.admission)
    imdb_id, address = request.in_path["imdb_id"], request.client_address
    await database.ask(movies.delete(imdb_id, user_id=claims.user_id, address=address))
    return Answer(status=204)
