"""`GET /imports.get?id=…`: how far an import is; for editors and administrators."""

import functions_framework.aio

from lib import http
from lib.access import AUTHORIZING, authorize
from lib.db import Database
from lib.imports import reports
from lib.settings import DatabaseSettings, VerifyingSettings, require
from lib.tokens import Verifier

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[reports.ONE, *AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@http.endpoint("GET", parameters=("id",), private=True)
def imports_get(request: http.Request) -> http.Answer:
    """Answer state, counts, rate, errors by kind, and when the import will be done."""
    import_id = reports.parse_get_query(request.query)
    authorization = request.headers.get("authorization")
    authorize(database, verifier, authorization, roles=("editor", "admin"))
    return http.data(reports.report(database, import_id))
