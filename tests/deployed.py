"""A function under the command that a deployment runs, and bytes on a socket to ask it with."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from local import servers
from local.environment import ROOT
from local.functions import read_functions
from local.servers import free_port
from tests import held
from tests.held import Said

START_SECONDS: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer, as it stood on the wire."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """Return the error that the body tells."""
        content: dict[str, dict[str, Any]] = json.loads(self.body)
        return content["error"]


def send(wire: socket.socket, parts: Iterable[bytes]) -> None:
    """Send what the other side takes; it may answer and close before it has read all."""
    with suppress(ConnectionError):
        for part in parts:
            wire.sendall(part)


def receive(wire: socket.socket, method: str = "GET") -> Reply:
    """Read one answer to the end that it declares."""
    response = http.client.HTTPResponse(wire, method=method)
    try:
        response.begin()
        return Reply(status=response.status, headers=response.headers, body=response.read())
    finally:
        response.close()


def exchange(port: int, *parts: bytes, method: str = "GET", seconds: float = 15) -> Reply:
    """Send these bytes as they are over a connection of their own, and read one answer.

    It is held against the document where one of our functions is known to be at the port.
    """
    with socket.create_connection(("127.0.0.1", port), seconds) as wire:
        send(wire, parts)
        reply = receive(wire, method)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    said = Said(status=reply.status, headers=headers, body=reply.body)
    held.hold_bytes(port, b"".join(parts[:1]), said)
    return reply


def get(target: str) -> bytes:
    """Return a request as it stands on the wire."""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1")


def post(target: str, *headers: str, content: bytes = b"") -> bytes:
    """Return a request as it stands on the wire; who gives content gives its length as well."""
    lines = [f"POST {target} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + content


def rest_of(wire: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    with suppress(ConnectionError):
        while part := wire.recv(65536):
            received += part
    return received


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A function under the very command that a deployment runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path = field(repr=False)

    def logged(self) -> str:
        """Return what the process has written so far, on both of its streams."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def start(
    name: str, environment: dict[str, str], log: Path, *, port: int
) -> subprocess.Popen[bytes]:
    """Start one of our functions, with nothing in its environment that it is not given."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    source = ROOT / "functions" / name / "main.py"
    with log.open("wb") as output:
        return servers.start(source, name, {**kept, **environment}, port=port, output=output)


@contextmanager
def deployed(name: str, environment: dict[str, str], folder: Path) -> Iterator[Deployed]:
    """Run a function until the end of the block; a test of one whose folder is gone is skipped."""
    if name not in read_functions():
        pytest.skip(f"there is no {name}")
    port, log = free_port(), folder / f"{name}.log"
    process = start(name, environment, log, port=port)
    server = Deployed(process=process, port=port, log=log)
    try:
        with held.known(port, name):
            await_answer(server)
            yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_answer(server: Deployed) -> None:
    """Wait until the function answers; fail with what it has logged."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError):
            exchange(server.port, b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return
        if server.process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the function did not start:\n{server.logged()}")
        time.sleep(0.02)
