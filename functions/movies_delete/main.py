"""`DELETE /movies.delete/<imdb_id>`: remove a movie; for editors and administrators."""

import functions_framework.aio

from lib.accounts import access
from lib.accounts.keys import VerifyingSettings
from lib.accounts.tokens import Verifier
from lib.catalogue import movies, statements
from lib.catalogue.wanted import parse_imdb_id_from_path
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, endpoint

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[statements.DELETE, *access.AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("DELETE")
async def movies_delete(request: Request) -> Answer:
    """Answer 204 once the movie is gone."""
    claims = verifier.verify_header(request.headers.get("authorization"))
    imdb_id = parse_imdb_id_from_path(request.path)
    await database.ask(access.check_permission(claims, roles=("editor", "admin")))
    await database.ask(movies.delete(imdb_id, user_id=claims.user_id))
    return Answer(status=204)
