"""A deployed function's start, refused by wrong settings with one line, and its end."""

import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from local.demo_omdb.server import DemoOmdb
from local.functions import Function, read_functions
from local.servers import free_port
from tests.deployed import START_SECONDS, Reply, deployed, exchange, post, start
from tests.support import await_calls


@pytest.mark.parametrize("stop", [signal.SIGTERM])
def test_a_request_in_flight_is_finished_when_the_instance_is_told_to_stop(
    environment: dict[str, str], omdb: DemoOmdb, tmp_path: Path, stop: signal.Signals
) -> None:
    content = b'{"imdb_id": "tt0034583"}'
    sent = post("/", f"Content-Length: {len(content)}", content=content)
    with deployed("movies_create", environment, tmp_path) as server:
        omdb.latency = 0.7
        replies: list[Reply] = []
        caller = threading.Thread(
            target=lambda: replies.append(exchange(server.port, sent, method="POST"))
        )
        caller.start()
        await_calls(omdb)

        server.process.send_signal(stop)
        caller.join(10)
        code = server.process.wait(10)

        assert [reply.status for reply in replies] == [201]
        assert code == 0
        assert "Traceback" not in server.logged()


FUNCTIONS: Final = list(read_functions().values())
# The variable that each group of settings cannot do without.
NEEDED: Final = {
    "database": "DATABASE_URL",
    "omdb": "OMDB_API_KEY",
    "refresh": "REFRESH_KEY",
    "signing": "TOKEN_PRIVATE_KEY",
    "verifying": "TOKEN_PUBLIC_KEYS",
}
PRIVATE_GARBAGE: Final = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
PUBLIC_GARBAGE: Final = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"


def groups(function: Function) -> set[str]:
    return {*function.settings, *(["database"] if function.rights else [])}


def one_with(group: str) -> list[str]:
    """Return the name of a function that requires a group of settings, if one does."""
    return [function.name for function in FUNCTIONS if group in {*groups(function), "server"}][:1]


def assert_stopped_by(name: str, variable: str, environment: dict[str, str], folder: Path) -> None:
    """See that a function ends at its start, with one line that names the variable."""
    port, log = free_port(), folder / "log"
    process = start(name, environment, log, port=port)
    try:
        deadline = time.monotonic() + START_SECONDS
        while (code := process.poll()) is None:
            assert time.monotonic() < deadline
            assert not listens(port), f"the function serves, whatever {variable} is"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    lines = log.read_text(encoding="utf-8").splitlines()

    assert code > 0
    assert [line for line in lines if variable in line] == lines
    assert len(lines) == 1
    assert "s3cret" not in lines[0]


def listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        (function.name, NEEDED[group])
        for function in FUNCTIONS
        for group in sorted(groups(function) & set(NEEDED))
    ],
)
def test_a_missing_setting_stops_the_function_with_one_line(
    environment: dict[str, str], tmp_path: Path, name: str, variable: str
) -> None:
    without = {key: value for key, value in environment.items() if key != variable}

    assert_stopped_by(name, variable, without, tmp_path)


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        (name, variable, value)
        for group, variable, value in [
            ("database", "DATABASE_URL", ""),
            ("database", "DATABASE_URL", "postgresql+pg8000://user:s3cret@localhost:99999/movies"),
            ("database", "CLOUD_SQL_INSTANCE", "not an instance"),
            ("omdb", "OMDB_API_KEY", " "),
            ("omdb", "OMDB_URL", "ftp://www.omdbapi.com/"),
            ("omdb", "OMDB_CONCURRENCY", "0"),
            ("import", "IMPORT_SECONDS", "soon"),
            ("import", "IMPORT_LEASE_SECONDS", ""),
            ("verifying", "TOKEN_PUBLIC_KEYS", ""),
            ("verifying", "TOKEN_PUBLIC_KEYS", PUBLIC_GARBAGE),
            ("signing", "TOKEN_PRIVATE_KEY", PRIVATE_GARBAGE),
            ("refresh", "REFRESH_KEY", "s3cret of 31 bytes, one too few"),
            ("admin", "ADMIN_USERNAME", " "),
            ("addresses", "FUNCTION_URLS", "[]"),
            ("addresses", "FUNCTION_URLS", '{"movies_list": "movies-list.example.com/"}'),
            ("server", "LOG_LEVEL", "loud"),
        ]
        for name in one_with(group)
    ],
)
def test_a_blank_or_malformed_setting_stops_the_function_with_one_line(
    environment: dict[str, str], tmp_path: Path, name: str, variable: str, value: str
) -> None:
    assert_stopped_by(name, variable, {**environment, variable: value}, tmp_path)
