"""`GET /imports.list`: all imports, the newest first; for editors and administrators."""

import functions_framework.aio

from lib import http
from lib.access import AUTHORIZING, authorize
from lib.db import Database
from lib.imports import reports
from lib.settings import DatabaseSettings, VerifyingSettings, require
from lib.tokens import Verifier

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[reports.SOME, *AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("GET", parameters=reports.LIST_PARAMETERS, private=True)
def imports_list(request: http.Request) -> http.Answer:
    """Answer a page of imports with their states and counts."""
    query = reports.parse_list_query(request.query)
    authorization = request.headers.get("authorization")
    authorize(database, verifier, authorization, roles=("editor", "admin"))
    return http.Answer(body=reports.list_imports(database, query).as_body())
