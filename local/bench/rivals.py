"""What our functions are measured against: less than they do, behind the same framework."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from lib.database.statement import Query
from local.bench.calling import request
from local.bench.serving import Subject

# The floor: the framework in ASGI mode, and one round trip of a prepared statement by pg8000.
FLOOR: Final = """
import functions_framework.aio
import os, queue
from urllib.parse import urlsplit, unquote
import pg8000.dbapi
from pg8000.native import PreparedStatement
from starlette.responses import Response

url = urlsplit(os.environ["DATABASE_URL"])
idle = queue.SimpleQueue()

def connect():
    connection = pg8000.dbapi.connect(
        url.username, host=url.hostname, port=url.port, database=url.path[1:],
        password=unquote(url.password or ""))
    connection.autocommit = True
    return PreparedStatement(connection, "select 1")

@functions_framework.aio.http
def floor(request):
    try:
        statement = idle.get_nowait()
    except queue.Empty:
        statement = connect()
    rows = statement.run()
    idle.put(statement)
    return Response(b'{"data": %d}' % rows[0][0], media_type="application/json")
"""
_LIMIT: Final = Path(__file__).with_name("limit.py")


def floor(folder: Path) -> Subject:
    """Write the floor into a folder; return it as a subject."""
    source = folder / "floor.py"
    source.write_text(FLOOR)
    return Subject(name="floor", source=source, target="floor")


def bare(query: Query[Any]) -> Subject:
    """Return what asks a query's statement by bare asyncpg, as a subject; see `limit`."""
    sql = query.statement.sql
    names = [name for name in query.values if re.search(_parameter(name), sql)]
    return Subject(
        name="asyncpg",
        source=_LIMIT,
        target="limit",
        sample=_ask_bare(query),
        variables={
            "LIMIT_SQL": numbered(sql, names),
            "LIMIT_NAMES": " ".join(names),
        },
    )


def make_bare_requests(queries: Iterable[Query[Any]]) -> list[bytes]:
    """Return the requests to it: queries of its statement, with other values."""
    return [_ask_bare(query) for query in queries]


def numbered(sql: str, names: Iterable[str]) -> str:
    """Return SQL as asyncpg takes it: its parameters have numbers, in the order of the names."""
    # It takes arrays of texts as lists, and what we send is text.
    sql = sql.replace("::text[]", "::text::text[]")
    for number, name in enumerate(names, 1):
        sql = re.sub(_parameter(name), f"${number}", sql)
    return sql


def _parameter(name: str) -> str:
    return rf"(?<!:):{name}\b"


def asyncpg_url(url: str) -> str:
    """Return a `DATABASE_URL` as asyncpg takes it."""
    return url.replace("+pg8000", "", 1)


def _ask_bare(query: Query[Any]) -> bytes:
    given = {name: value for name, value in query.values.items() if value is not None}
    return request(f"/?{urlencode(given)}")
