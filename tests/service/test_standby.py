"""Reads on a hot standby, which is what a replica and a node of a read pool are.

`docs/scaling.md` promises that the reads run there as they are, and that whoever has just written
may wait for what was written: the standby is behind, never wrong.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lib.accounts.users import AdminSettings
from lib.catalogue.movie import Movie
from lib.database.transactions import TransactionalDatabase
from lib.omdb.memory import STORE
from lib.schema.migrating import migrate
from local.postgres import EmbeddedPostgres
from tests.deployed import deployed, exchange, get, post
from tests.support import database_settings, store

DATABASE: Final = "movies"
FIRST: Final = Movie(imdb_id="tt0000001", title="A Film", type="movie")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A primary, through which is written, and a standby."""

    primary: TransactionalDatabase
    standby: EmbeddedPostgres


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("replication")
    with ExitStack() as stack:
        server = EmbeddedPostgres(folder / "primary", durable=False)
        with server:
            server.create_database(DATABASE)
        # Copied while it rests, as a base backup would copy it while it runs.
        shutil.copytree(folder / "primary", folder / "standby")
        stack.enter_context(server)
        data = folder / "standby" / "data"
        (data / "standby.signal").touch()
        password = (folder / "primary" / "password").read_text(encoding="ascii").strip()
        source = f"host=127.0.0.1 port={server.port} user=postgres password={password}"
        with (data / "postgresql.auto.conf").open("a", encoding="ascii") as configuration:
            configuration.write(f"primary_conninfo = '{source}'\n")
        standby = stack.enter_context(EmbeddedPostgres(folder / "standby", durable=False))
        settings = database_settings(server.url(DATABASE))
        bare = TransactionalDatabase(settings)
        migrate(bare, AdminSettings(username="admin", password=None))
        bare.close()
        primary = TransactionalDatabase(settings, statements=[STORE])
        stack.callback(primary.close)
        store(primary, FIRST)
        yield Pair(primary=primary, standby=standby)


def ask(port: int, target: str) -> tuple[int, Any]:
    reply = exchange(port, get(target))
    return reply.status, json.loads(reply.body)


def test_lists_and_single_films_are_read_as_from_the_primary(
    pair: Pair, environment: dict[str, str], tmp_path: Path
) -> None:
    there = environment | {"DATABASE_URL": pair.standby.url(DATABASE)}
    with (
        deployed("movies_list", there, tmp_path) as on_list,
        deployed("movies_get", there, tmp_path) as on_get,
    ):
        await_copy(on_list.port, total=1)

        status, page = ask(on_list.port, "/movies.list?number_of_records=1")
        assert (status, [movie["title"] for movie in page["data"]]) == (200, ["A Film"])
        for query in ("imdb_id=tt0000001", "title=a%20film"):
            status, found = ask(on_get.port, f"/movies.get?{query}")
            assert (status, found["data"]["imdb_id"]) == (200, "tt0000001")

        store(pair.primary, Movie(imdb_id="tt0000002", title="Written Just Now", type="movie"))
        await_copy(on_list.port, total=2)
        assert ask(on_get.port, "/movies.get?imdb_id=tt0000002")[0] == 200


def await_copy(port: int, *, total: int) -> None:
    """Return once the standby has followed, as whoever has just written has to wait for."""
    deadline = time.monotonic() + 20
    while True:
        status, page = ask(port, "/movies.list")
        assert status in {200, 503}  # 503 until the schema has come
        if status == 200 and page["pagination"]["total_records"] == total:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_create_there_is_told_that_the_database_cannot_serve(
    pair: Pair, environment: dict[str, str], tmp_path: Path
) -> None:
    there = environment | {"DATABASE_URL": pair.standby.url(DATABASE)}
    content = b'{"imdb_id": "tt0034583"}'
    sent = post("/", f"Content-Length: {len(content)}", content=content)
    with deployed("movies_create", there, tmp_path) as server:
        reply = exchange(server.port, sent, method="POST")

    assert (reply.status, reply.error["code"]) == (503, "DATABASE_UNAVAILABLE")
