"""The limit of any driver: a statement asked by bare asyncpg, behind the same framework.

No function of the service, but what those are measured against. It asks with as many connections
and the same settings as they do, and sends what comes back: it checks nothing, makes no links and
no tag, and knows no errors.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from lib.database.connections import SERVER_SETTINGS
from local.bench.rivals import asyncpg_url
from local.scaling.sizing import CONNECTIONS

_URL: Final = asyncpg_url(os.environ["DATABASE_URL"])
_SQL: Final = os.environ["LIMIT_SQL"]
_NAMES: Final = os.environ["LIMIT_NAMES"].split()  # of its parameters, in their order

_seats: Final = asyncio.Semaphore(CONNECTIONS)
_idle: Final[list[tuple[Any, Sequence[Callable[[str], object]]]]] = []


@functions_framework.aio.http
async def limit(request: Request) -> Response:
    """Ask with the values of the query, in which what is left out is null."""
    async with _seats:
        prepared, readers = _idle.pop() if _idle else await _prepare()
        given = map(request.query_params.get, _NAMES)
        values = [
            None if text is None else read(text) for text, read in zip(given, readers, strict=True)
        ]
        row = await prepared.fetchrow(*values)
        _idle.append((prepared, readers))
    return Response(f'{{"data": {row[0]}}}', media_type="application/json")


async def _prepare() -> tuple[Any, Sequence[Callable[[str], object]]]:
    """Open a connection; return the statement, and what makes each of its values of a text."""
    connection = await asyncpg.connect(_URL, server_settings=SERVER_SETTINGS)
    prepared = await connection.prepare(_SQL)
    types = [parameter.name for parameter in prepared.get_parameters()]
    return prepared, [int if name.startswith("int") else str for name in types]
