"""Functions served as they are deployed, each in processes of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.bench.calling import request
from local.environment import ROOT
from local.failure import Failure
from local.servers import free_port, start


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function to be measured: where it is, and how it is asked.

    Attributes:
        sample: A request to it, as bytes; `status` is what answers that.
    """

    name: str
    source: Path
    target: str
    sample: bytes = request("/")
    status: int = 200
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A function that is being served.

    Attributes:
        pid: Of its first process; the worker is a child of that.
        started_in: Seconds from its start to its first answer.
    """

    port: int
    pid: int
    started_in: float


def ours(target: str, sample: bytes = request("/"), *, status: int = 200) -> Subject:
    """Return one of our functions as a subject."""
    source = ROOT / "functions" / target / "main.py"
    return Subject(name=target, source=source, target=target, sample=sample, status=status)


@contextlib.contextmanager
def serve(subject: Subject, variables: Mapping[str, str]) -> Iterator[Served]:
    """Serve a function by the framework's own command, from its first answer on, for the block."""
    port = free_port()
    environment = {**variables, **subject.variables}
    started = time.perf_counter()
    process = start(subject.source, subject.target, environment, port=port)
    try:
        _await_answer(port, subject, process)
        yield Served(port=port, pid=process.pid, started_in=time.perf_counter() - started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(15)


def _await_answer(port: int, subject: Subject, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port), 30) as wire,
        ):
            wire.sendall(subject.sample)
            answer = wire.recv(64).split()
            if answer[1:2] != [str(subject.status).encode()]:
                raise Failure(f"{subject.name} answered {b' '.join(answer[:3]).decode()}")
            return
        time.sleep(0.002)
    raise Failure(f"{subject.name} did not start")
