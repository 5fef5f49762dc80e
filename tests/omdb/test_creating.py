"""Creating for several at once, where one of those who wait has left."""

import asyncio
from collections.abc import Awaitable, Callable

from lib import limits
from lib.catalogue.movie import Movie
from lib.catalogue.movies import Stored
from lib.catalogue.wanted import Wanted
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.omdb import creating
from lib.omdb.budget import Budget
from lib.omdb.client import OmdbClient
from lib.omdb.creating import Creator
from lib.omdb.payers import find_payer
from lib.omdb.settings import OmdbSettings
from lib.settings import Secret
from lib.web import callers
from lib.web.callers import Caller
from local.demo_omdb.server import DemoOmdb

SLEEP = Statement(repeatable=True, sql="select pg_sleep(cast(:seconds as double precision))")


def test_who_shares_a_network_with_a_caller_who_has_left_is_answered(
    settings: DatabaseSettings, omdb: DemoOmdb, store: Callable[..., Movie]
) -> None:
    """Though both waited for the database for so long that it was asked who is still there."""
    database = Database(settings, statements=[*creating.STATEMENTS, SLEEP])
    source = OmdbSettings(url=omdb.url, api_key=Secret(omdb.key), daily_budget=9, concurrency=1)
    Budget(database, source).take()  # what is stored from here on is this OMDb's answer
    store("tt0034583", "Casablanca")
    creator = Creator(database, OmdbClient(source), source)
    network = find_payer(None, "192.0.2.1", calls=9)

    async def create(has_left: Callable[[], Awaitable[bool]]) -> Stored:
        callers.current.set(Caller(has_left))
        return await creator.create(Wanted(imdb_id="tt0034583"), network)

    async def create_while_busy() -> Stored:
        busy = Query(statement=SLEEP, values={"seconds": "1.2"}, read=len)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(limits.HANDLER_THREADS):
                tasks.create_task(database.ask(busy))
            await asyncio.sleep(0.1)
            tasks.create_task(create(_yes))
            there = tasks.create_task(create(_no))
        return there.result()

    stored = asyncio.run(create_while_busy())
    database.close()

    assert not stored.created
    assert omdb.calls == []


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False
