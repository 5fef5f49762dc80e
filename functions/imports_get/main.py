"""`GET /imports.get?id=…`: how far an import is; for editors and administrators."""

import functions_framework.aio

from lib.accounts import access
from lib.accounts.keys import VerifyingSettings
from lib.accounts.tokens import Verifier
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.imports import reports
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint

verifier = Verifier(require(VerifyingSettings))
database = Database(require(DatabaseSettings), statements=[reports.ONE, *access.AUTHORIZING])
database.warm_after_fork()


@functions_framework.aio.http
@endpoint("GET", parameters=("id",), private=True)
async def imports_get(request: Request) -> Answer:
    """Answer state, counts, rate, errors by kind, and when the import will be done."""
    claims = verifier.verify_header(request.headers.get("authorization"))
    import_id = reports.parse_get_query(request.query)
    await database.ask(access.check_permission(claims, roles=("editor", "admin")))
    told = await database.ask(reports.find_report(import_id))
    return data(told)
