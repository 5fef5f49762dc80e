"""`POST /movies.import`: bulk import; private, for the scheduler."""

from typing import Any

import functions_framework.aio

from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.imports import asking, service
from lib.imports.orders import Order
from lib.imports.settings import ImportSettings
from lib.imports.stopping import WorkingTime, notice_shutdown
from lib.omdb.settings import OmdbSettings
from lib.settings import require
from lib.web.endpoint import IMPORT_BODY, Answer, Request, data, endpoint, in_thread

settings = require(ImportSettings)
database = TransactionalDatabase(require(DatabaseSettings), statements=service.STATEMENTS)
database.warm_after_fork()
importer = service.Importer(database=database, omdb=require(OmdbSettings), settings=settings)


@functions_framework.aio.http
@endpoint("POST", members=asking.MEMBERS, body="required", largest_body=IMPORT_BODY)
async def movies_import(request: Request) -> Answer:
    """Answer how far the import is once the request's time is up, or all is done."""
    notice_shutdown()
    order = asking.wanted_order(request.body)
    key = asking.read_idempotency_key(request.headers)
    requested_by = asking.name_requester(request.headers, request.client_address)
    return data(await in_thread(carry_out, order, key, requested_by))


def carry_out(order: Order, key: str | None, requested_by: str) -> dict[str, Any]:
    """Work on what is ordered for as long as a run may take."""
    working_time = WorkingTime.of_function(settings.seconds)
    done = importer.carry_out(order, working_time=working_time, key=key, requested_by=requested_by)
    return importer.answer(done)
