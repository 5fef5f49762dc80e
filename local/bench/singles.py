"""Single movies that many connections add and delete at once, against one that does."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
import uvloop

from lib.catalogue import statements
from lib.database.connections import SERVER_SETTINGS
from local.bench import films
from local.bench.report import Measure
from local.bench.rivals import asyncpg_url, numbered

_INSERT: Final = numbered(statements.upserting(), ["movies"])
_DELETE: Final = numbered(statements.DELETE.sql, ["imdb_id", "user_id", "address", "request_id"])
_APART: Final = 100  # films of each connection, again and again


def rate(url: str, connections: int, *, first: int, seconds: float) -> Measure:
    """Return how many movies a second so many connections add and delete, as what measures it.

    Args:
        first: The number of the first film that is added; all are deleted again.
    """
    made = list(films.films(connections * _APART, first=first))

    def run() -> list[float]:
        return [uvloop.run(_write(url, made, connections, seconds)) / seconds]

    return run


async def _write(url: str, made: list[dict[str, object]], connections: int, seconds: float) -> int:
    opened = [
        await asyncpg.connect(asyncpg_url(url), server_settings=SERVER_SETTINGS)
        for _ in range(connections)
    ]
    try:
        writers = [
            _Writer(itertools.cycle(made[number::connections]), connection)
            for number, connection in enumerate(opened)
        ]
        for writer in writers:
            await writer.prepare()
        ends = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(writer.write_until(ends) for writer in writers)))
    finally:
        for connection in opened:
            await connection.close()


class _Writer:
    """One connection that adds a movie and deletes it, each in a transaction of its own."""

    def __init__(self, made: Iterator[dict[str, object]], connection: Any) -> None:
        self._made = made
        self._connection = connection

    async def prepare(self) -> None:
        """Prepare the statements, as the service does when a connection opens."""
        self._insert = await self._connection.prepare(_INSERT)
        self._delete = await self._connection.prepare(_DELETE)

    async def write_until(self, ends: float) -> int:
        """Return how many movies were added and deleted."""
        count = 0
        while time.perf_counter() < ends:
            movie = next(self._made)
            await self._insert.fetch(json.dumps([movie]))
            await self._delete.fetch(movie["imdb_id"], None, None, None)
            count += 1
        return count
