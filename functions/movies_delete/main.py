"""`DELETE /movies.delete/<imdb_id>`: remove a movie; for editors and administrators."""

import functions_framework.aio

from lib import http, movies
from lib.access import AUTHORIZING, authorize
from lib.asking import imdb_id_from_path
from lib.db import Database
from lib.settings import DatabaseSettings, VerifyingSettings, require
from lib.tokens import Verifier

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[movies.DELETE, *AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("DELETE")
def movies_delete(request: http.Request) -> http.Answer:
    """Answer 204 once the movie is gone."""
    authorization = request.headers.get("authorization")
    authorize(database, verifier, authorization, roles=("editor", "admin"))
    movies.delete(database, imdb_id_from_path(request.path))
    return http.Answer(status=204)
