"""`DELETE /movies.delete/<imdb_id>`: remove a movie; for editors and administrators."""

import functions_framework.aio

from lib import access, http, movies
from lib.asking import imdb_id_from_path
from lib.db import Database
from lib.settings import DatabaseSettings, VerifyingSettings, require
from lib.tokens import Verifier

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[movies.DELETE, *access.AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("DELETE")
async def movies_delete(request: http.Request) -> http.Answer:
    """Answer 204 once the movie is gone."""
    claims = verifier.verify_header(request.headers.get("authorization"))
    imdb_id = imdb_id_from_path(request.path)
    await database.ask(access.permission(claims, roles=("editor", "admin")))
    await database.ask(movies.deletion(imdb_id))
    return http.Answer(status=204)
