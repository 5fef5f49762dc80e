"""Functions behind the server of a deployment, in a thread or in processes of their own."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import uvicorn
from starlette.types import ASGIApp

from local.environment import ROOT


class Server:
    """An ASGI app in a thread of this process."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", proxy_headers=False, ws="none", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline:
                raise TimeoutError("the server did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


def free_port() -> int:
    """Find a port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(
    source: Path,
    target: str,
    variables: Mapping[str, str],
    *,
    port: int,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a function with the command of a deployment, on this machine's loopback only.

    Args:
        source: The file that the function is in; `target` is its name there.
        variables: Its whole environment, but for the path to our packages.
        output: Where what it writes goes, of both kinds. Without one, its errors go to ours, as
            they say why a function does not start, and the rest nowhere.
    """
    command = [str(Path(sys.executable).with_name("functions-framework")), "--host", "127.0.0.1"]
    command += ["--source", str(source), "--target", target, "--port", str(port)]
    return subprocess.Popen(
        command,
        env={**variables, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is for who started it, and who then ends it
        stdout=subprocess.DEVNULL if output is None else output,
        stderr=output,
    )
