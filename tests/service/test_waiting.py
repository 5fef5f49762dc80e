"""A function that waits at its start for the way to its database: when its port opens."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import pytest

from lib import limits
from lib.accounts.users import AdminSettings
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.schema.migrating import migrate
from lib.settings import Secret
from local.functions import grants, read_functions
from local.postgres import EmbeddedPostgres
from local.servers import free_port
from tests.deployed import START_SECONDS, Deployed, await_answer, exchange, get, post, start
from tests.schema.test_rights import address
from tests.support import database_settings

CLOSED: Final = 1.5  # seconds in which there is no way to the database
ONE_TRY: Final = limits.CONNECT_TIMEOUT  # of what is begun within the bound
ADMIN: Final = AdminSettings(username="admin", password=None)
LOGIN: Final = b'{"username": "nobody", "password": "a password"}'
REQUESTS: Final = {
    "movies_list": (get("/movies.list"), 200),
    "login": (post("/login", f"Content-Length: {len(LOGIN)}", content=LOGIN), 401),
}


class Gate:
    """The way to a Postgres: shut, it refuses connections or says nothing on them.

    Attributes:
        passed: How many connections it has let through.
    """

    def __init__(self, postgres_port: int, *, silent: bool = False) -> None:
        self._postgres_port = postgres_port
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self._wires: list[socket.socket] = []
        if silent:
            self._listener.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for wire in (self._listener, *self._wires):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()

    def open(self) -> None:
        """Let through who comes, and who has come."""
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                self.passed += 1
                up = socket.create_connection(("127.0.0.1", self._postgres_port))
                self._wires += [wire, up]
                for ends in ((wire, up), (up, wire)):
                    threading.Thread(target=_relay, args=ends, daemon=True).start()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(16 * 1024):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def waiting(
    name: str, environment: dict[str, str], settings: DatabaseSettings, folder: Path, **more: str
) -> Iterator[Deployed]:
    """Start a function on this database; whether it listens is for the test to see."""
    if name not in read_functions():
        pytest.skip(f"there is no {name}")
    port, log = free_port(), folder / "log"
    url = {"DATABASE_URL": address(settings)}
    process = start(name, {**environment, **url, **more}, log, port=port)
    try:
        yield Deployed(process=process, port=port, log=log)
    finally:
        process.terminate()
        process.wait(10)


def listens(server: Deployed) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", server.port), 1).close()
        return True
    return False


def seconds_until_open(server: Deployed) -> float:
    started = time.monotonic()
    while not listens(server):
        assert server.process.poll() is None, server.logged()
        assert time.monotonic() - started < START_SECONDS, server.logged()
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_port_opens_once_the_database_answers_and_the_first_caller_finds_the_connection(
    environment: dict[str, str],
    settings: DatabaseSettings,
    tmp_path: Path,
    name: str,
    silent: bool,  # noqa: FBT001
) -> None:
    sent, status = REQUESTS[name]
    with (
        Gate(settings.port, silent=silent) as gate,
        waiting(
            name,
            environment,
            replace(settings, port=gate.port),
            tmp_path,
            DATABASE_WAIT_SECONDS="30",
        ) as server,
    ):
        opens_at = time.monotonic() + CLOSED
        while time.monotonic() < opens_at:
            assert not listens(server)
            time.sleep(0.05)
        gate.open()
        seconds = seconds_until_open(server)
        passed = gate.passed
        reply = exchange(server.port, sent)

        assert reply.status == status
        assert passed >= 1
        assert gate.passed == passed
        assert seconds < ONE_TRY
        assert "unreachable" not in server.logged()
        assert "Traceback" not in server.logged()


def test_only_the_worker_holds_the_connection_and_the_next_worker_opens_its_own(
    environment: dict[str, str], settings: DatabaseSettings, tmp_path: Path
) -> None:
    with waiting(
        "movies_list", environment, settings, tmp_path, DATABASE_WAIT_SECONDS="30"
    ) as server:
        await_answer(server)
        parent = psutil.Process(server.process.pid)
        [worker] = parent.children()
        held = [
            sum(
                one.raddr != () and one.raddr.port == settings.port
                for one in process.net_connections()
            )
            for process in (parent, worker)
        ]
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
        await_answer(server)
        reply = exchange(server.port, get("/movies.list"))

    assert held == [0, 1]
    assert reply.status == 200


@pytest.mark.parametrize(("silent", "seconds"), [(False, 2), (True, 1)], ids=["refusing", "silent"])
def test_a_wait_in_vain_ends_at_its_bound_and_callers_are_told_to_return(
    environment: dict[str, str],
    settings: DatabaseSettings,
    tmp_path: Path,
    silent: bool,  # noqa: FBT001
    seconds: int,
) -> None:
    with (
        Gate(settings.port, silent=silent) as gate,
        waiting(
            "movies_list",
            environment,
            replace(settings, port=gate.port),
            tmp_path,
            DATABASE_WAIT_SECONDS=str(seconds),
        ) as server,
    ):
        waited = seconds_until_open(server)
        reply = exchange(server.port, get("/movies.list"), seconds=25)

        assert waited >= seconds - 1
        assert waited < seconds + ONE_TRY + 3  # and the start itself
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
        assert reply.error["code"] == "DATABASE_UNAVAILABLE"
        assert server.process.poll() is None

        gate.open()
        assert exchange(server.port, get("/movies.list"), seconds=25).status == 200


def test_a_database_that_refuses_is_waited_for_no_longer(
    environment: dict[str, str], settings: DatabaseSettings, tmp_path: Path
) -> None:
    wrong = replace(settings, password=Secret("wrong"))
    with waiting("movies_list", environment, wrong, tmp_path, DATABASE_WAIT_SECONDS="60") as server:
        waited = seconds_until_open(server)
        reply = exchange(server.port, get("/movies.list"))

    assert waited < ONE_TRY
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


def test_without_the_setting_nothing_is_waited_for(
    environment: dict[str, str], settings: DatabaseSettings, tmp_path: Path
) -> None:
    with (
        Gate(settings.port, silent=True) as gate,
        waiting("movies_list", environment, replace(settings, port=gate.port), tmp_path) as server,
    ):
        assert seconds_until_open(server) < ONE_TRY - 1


def test_a_new_function_tells_callers_to_return_until_the_migration_has_given_it_its_rights(
    environment: dict[str, str], postgres: EmbeddedPostgres, tmp_path: Path, worker_id: str
) -> None:
    name, user, password = f"late_{worker_id}", f"newcomer-{worker_id}@a-project.iam", "s3cret"
    postgres.create_database(name)
    owner = TransactionalDatabase(database_settings(postgres.url(name)))
    run_as_owner(owner, f"create role \"{user}\" login password '{password}'")
    settings = database_settings(postgres.url(name))
    settings = replace(settings, user=user, password=Secret(password))

    def ask() -> tuple[int, str | None]:
        reply = exchange(server.port, get("/movies.list"))
        return reply.status, reply.headers["Retry-After"]

    try:
        with waiting(
            "movies_list", environment, settings, tmp_path, DATABASE_WAIT_SECONDS="60"
        ) as server:
            waited = seconds_until_open(server)
            without_tables = ask()
            migrate(owner, ADMIN)
            without_rights = ask()
            migrate(owner, ADMIN, grants=grants({"movies_list": user}))
            with_rights = ask()
    finally:
        owner.close()
        postgres.drop_database(name)
        elsewhere = TransactionalDatabase(database_settings(postgres.url("postgres")))
        run_as_owner(elsewhere, f'drop role "{user}"')
        elsewhere.close()

    assert waited < ONE_TRY
    assert (without_tables, without_rights) == ((503, "5"), (503, "5"))
    assert with_rights == (200, None)


def run_as_owner(database: TransactionalDatabase, statement: str) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(statement)
