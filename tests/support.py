"""What tests of several modules share."""

import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

from lib.settings import DatabaseSettings

ADMIN_PASSWORD: Final = "correct horse battery staple"
OMDB_KEY: Final = "0a1b2c3d"


def database_settings(url: str) -> DatabaseSettings:
    """Read the settings of a database that an address names."""
    return DatabaseSettings.from_env({"DATABASE_URL": url})


class Server:
    """An ASGI app behind the server that the functions run under, in a thread of this process."""

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
