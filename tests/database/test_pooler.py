"""A pooler that gives each transaction to another of its connections."""

import contextlib
import logging
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pg8000.dbapi
import pytest

from lib.database import faults
from lib.database.database import Database
from lib.database.driver import let_go
from lib.database.faults import translate_fault
from lib.database.settings import DatabaseSettings
from lib.errors import DatabaseUnavailable
from local.migrating import cause
from local.postgres import EmbeddedPostgres
from tests.support import ECHO, database_settings

READY = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    faults._tell_of_pooler.cache_clear()


@pytest.fixture
def pooler(postgres: EmbeddedPostgres) -> Iterator[DatabaseSettings]:
    """Let all clients in, one after the other, to a single connection of Postgres'."""
    password = database_settings(postgres.url("postgres")).password
    assert password
    backend = pg8000.dbapi.connect(
        "postgres", host="127.0.0.1", port=postgres.port, password=password.reveal()
    )
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    [length] = struct.unpack("!i", client.recv(4))
                    client.recv(length - 4)
                    client.sendall(READY)
                    pass_on(client, backend._usock)

    serving = threading.Thread(target=serve)
    serving.start()
    yield database_settings(f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/postgres")
    listener.shutdown(socket.SHUT_RDWR)
    serving.join()
    listener.close()
    let_go(backend)


def pass_on(client: socket.socket, backend: socket.socket) -> None:
    """Pass on both ways until the client ends."""
    other = {client: backend, backend: client}
    while True:
        for source in select.select([client, backend], [], [])[0]:
            chunk = source.recv(16 * 1024)
            if source is client and chunk[:1] in {b"", b"X"}:
                return
            other[source].sendall(chunk)


def refused(ask: Callable[[], object]) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as refusal:
        ask()
    return refusal.value


def test_a_statement_that_another_client_prepared_is_told_once_as_what_it_is(
    pooler: DatabaseSettings, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Database(pooler, statements=[ECHO]), Database(pooler, statements=[ECHO])
    assert first.run(ECHO, value="a") == [["a"]]
    first.close()
    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            fault = refused(lambda: second.run(ECHO, value="b"))

    assert fault.retry_after_seconds == 5
    [line] = caplog.records
    assert line.levelname == "CRITICAL"
    assert line.getMessage().startswith("a transaction pooler cannot be used: ")
    assert "connect to Postgres itself, or let the pooler pool sessions" in line.getMessage()
    assert "connect to Postgres itself" in cause(fault)


def test_a_statement_that_is_gone_from_its_connection_is_told_the_same_way(
    settings: DatabaseSettings, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(settings, statements=[ECHO])
    database.run(ECHO, value="a")
    with contextlib.closing(database._take()) as connection:
        connection.driver.execute_simple("deallocate all")
    with caplog.at_level(logging.CRITICAL):
        refused(lambda: database.run(ECHO, value="b"))
    database.close()

    assert [line.levelname for line in caplog.records] == ["CRITICAL"]


@pytest.mark.parametrize(
    "said", ["unsupported startup parameter: statement_timeout", "server conn crashed?"]
)
def test_a_pooler_that_takes_none_of_our_settings_is_told_the_same_way(
    said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        fault = translate_fault(pg8000.dbapi.DatabaseError({"C": "08P01", "M": said}))
    assert isinstance(fault, DatabaseUnavailable)
    assert bool(caplog.records) is ("startup parameter" in said)
