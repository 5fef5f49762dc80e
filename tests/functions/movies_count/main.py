import functions_framework.aio

from lib.catalogue import movies, statements
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.settings import require
from lib.web.endpoint import Answer, Request, data, endpoint

database = Database(require(DatabaseSettings), statements=[statements.PAGE_AT])


@functions_framework.aio.http
@endpoint("GET")
async def movies_count(_: Request) -> Answer:
    return data({"movies": (await database.ask(movies.find_page_at(skipped=0, records=1))).total})
