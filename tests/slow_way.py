"""A way to Postgres on which answers take as long as a test wants, and questions are counted."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self


class SlowWay:
    """Passes on what it hears, answers after a while.

    Attributes:
        seconds: How long each answer is kept back; read by Postgres it was before that.
        asked: How many prepared statements were run.
    """

    def __init__(self, postgres_port: int, *, seconds: float = 0.0) -> None:
        self._postgres_port = postgres_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seconds = seconds
        self.asked = 0
        self._lock = threading.Lock()
        self._wires: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(self._listener, *self._wires)

    def cut(self) -> None:
        """End all connections in the middle of what they are at."""
        wires, self._wires = self._wires, []
        self._close(*wires)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                up = socket.create_connection(("127.0.0.1", self._postgres_port))
                self._wires += [wire, up]
                for one in (wire, up):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._ask, args=(wire, up), daemon=True).start()
                threading.Thread(target=self._answer, args=(up, wire), daemon=True).start()

    def _ask(self, wire: socket.socket, up: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := wire.recv(64 * 1024):
                # A question begins with Bind, and only when the one before it was answered.
                if chunk.startswith(b"B"):
                    with self._lock:
                        self.asked += 1
                up.sendall(chunk)
        self._close(wire, up)

    def _answer(self, up: socket.socket, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := up.recv(64 * 1024):
                time.sleep(self.seconds)
                wire.sendall(chunk)
        self._close(wire, up)

    @staticmethod
    def _close(*wires: socket.socket) -> None:
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
