"""A whole function process, started as in the cloud."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from local.cloud_sql import stand_in as stand_in_module
from local.cloud_sql.proxy import PORT
from local.cloud_sql.stand_in import CloudSqlStandIn
from local.servers import free_port, start
from tests import held
from tests.support import asks


@contextmanager
def movies_list(stand_in: CloudSqlStandIn, log: Path, **changes: str) -> Iterator[tuple[int, str]]:
    """Serve the function; give the process id of its first process, and its address."""
    port = free_port()
    environment = {**os.environ, **stand_in.environment(), **changes}
    source = Path(stand_in_module.__file__).with_name("launch.py")
    with log.open("wb") as output:
        process = start(source, "movies_list", environment, port=port, output=output)
    try:
        yield process.pid, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def first_answer(url: str) -> httpx.Response:
    deadline = time.monotonic() + 20
    with held.client(url) as client:
        while True:
            try:
                return client.get("/movies.list")
            except httpx.ConnectError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def connections(process: psutil.Process, host: str) -> int:
    """Count the sockets through which a process is connected to an instance."""
    return sum(
        tuple(one.raddr) == (host, PORT) and one.status == psutil.CONN_ESTABLISHED
        for one in process.net_connections("tcp")
    )


@asks("/movies.list")
def test_a_process_finds_its_account_by_the_metadata_server_and_connects_after_the_fork(
    stand_in: CloudSqlStandIn, tmp_path: Path
) -> None:
    with movies_list(stand_in, tmp_path / "log") as (parent, url):
        answer = first_answer(url)
        server = psutil.Process(parent)
        [worker] = server.children()
        held = connections(server, stand_in.proxy.host), connections(worker, stand_in.proxy.host)

    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert stand_in.logins == [stand_in.user]
    assert sorted(stand_in.calls) == ["connectSettings", "generateEphemeralCert"]
    assert held == (0, 1)
    assert (tmp_path / "log").read_text() == ""


@asks("/movies.list")
def test_a_process_that_waits_for_its_network_hands_its_first_connection_to_the_worker(
    stand_in: CloudSqlStandIn, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    stand_in.proxy.cut()
    with movies_list(stand_in, log, DATABASE_WAIT_SECONDS="60") as (parent, url):
        deadline = time.monotonic() + 20
        while len(stand_in.calls) < 4:  # two tries, each of which asks the API anew
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        stand_in.recover()
        answer = first_answer(url)
        server = psutil.Process(parent)
        [worker] = server.children()
        held = connections(server, stand_in.proxy.host), connections(worker, stand_in.proxy.host)
        more = [httpx.get(url).status_code for _ in range(3)]

    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert stand_in.logins == [stand_in.user]
    # None where the try that succeeds had asked the API before.
    assert sorted(stand_in.calls) in ([], ["connectSettings", "generateEphemeralCert"])
    assert held == (0, 1)
    assert more == [200] * 3
    assert log.read_text() == ""


@asks("/movies.list")
def test_a_process_with_a_wrong_instance_answers_503_and_says_why_in_one_line_a_try(
    stand_in: CloudSqlStandIn, tmp_path: Path
) -> None:
    wrong = "demo-project:europe-west1:moveis"
    with movies_list(stand_in, tmp_path / "log", CLOUD_SQL_INSTANCE=wrong) as (_, url):
        answer = first_answer(url)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    *lines, last = (tmp_path / "log").read_text().splitlines()
    assert "request failed" in last
    assert 1 <= len(lines) <= 2
    for line in lines:
        assert f"CLOUD_SQL_INSTANCE is {wrong!r}: there is no such instance" in line
