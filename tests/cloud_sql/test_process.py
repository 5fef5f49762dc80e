"""A whole function process, started as in the cloud."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.cloud_sql.proxy import PORT
from tests.cloud_sql.stand_in import CloudSqlStandIn

_ESTABLISHED = "01"
ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def movies_list(stand_in: CloudSqlStandIn, log: Path, **changes: str) -> Iterator[tuple[int, str]]:
    """Serve the function; give the process id of its first process, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("functions-framework")), "--host", "127.0.0.1"]
    command += ["--source", "tests/cloud_sql/launch.py", "--target", "movies_list"]
    environment = {**os.environ, **stand_in.environment(), "PYTHONPATH": str(ROOT), **changes}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, "--port", str(port)],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def first_answer(url: str) -> httpx.Response:
    deadline = time.monotonic() + 20
    with httpx.Client(base_url=url, timeout=20) as client:
        while True:
            try:
                return client.get("/movies.list")
            except httpx.ConnectError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def children_of(process: int) -> list[int]:
    """Give the processes that it forked."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def sockets_of(*processes: int) -> set[str]:
    """Give the inodes of the sockets that processes hold, as /proc names them."""
    found = set()
    for process in processes:
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                kind, _, number = str(file.readlink()).partition(":")
                if kind == "socket":
                    found.add(number.strip("[]"))
    return found


def connections_to(host: str) -> set[str]:
    """Give the inodes of the sockets that are connected to an instance."""
    peer = socket.inet_aton(host)[::-1].hex().upper() + f":{PORT:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {fields[9] for fields in lines if fields[2] == peer and fields[3] == _ESTABLISHED}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_process_finds_its_account_by_the_metadata_server_and_connects_after_the_fork(
    stand_in: CloudSqlStandIn, tmp_path: Path
) -> None:
    with movies_list(stand_in, tmp_path / "log") as (parent, url):
        answer = first_answer(url)
        parents, children = sockets_of(parent), sockets_of(*children_of(parent))
        connections = connections_to(stand_in.proxy.host)

    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert stand_in.logins == [stand_in.user]
    assert sorted(stand_in.calls) == ["connectSettings", "generateEphemeralCert"]
    assert connections
    assert connections <= children
    assert not connections & parents
    assert (tmp_path / "log").read_text() == ""


def test_a_process_with_a_wrong_instance_answers_503_and_says_why_in_one_line_a_try(
    stand_in: CloudSqlStandIn, tmp_path: Path
) -> None:
    wrong = "demo-project:europe-west1:moveis"
    with movies_list(stand_in, tmp_path / "log", CLOUD_SQL_INSTANCE=wrong) as (_, url):
        answer = first_answer(url)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    lines = (tmp_path / "log").read_text().splitlines()
    assert 1 <= len(lines) <= 2
    for line in lines:
        assert f"CLOUD_SQL_INSTANCE is {wrong!r}: there is no such instance" in line
