"""A front with TLS before a Postgres without it, as the wheel's Postgres is built without."""

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Final, Self

_TLS_REQUEST: Final = b"\0\0\0\x08\x04\xd2\x16\x2f"


class TlsFront:
    """Asks for TLS as Postgres does, and passes on what it hears.

    Attributes:
        encrypted: Of each connection, whether it came with TLS.
    """

    def __init__(self, context: ssl.SSLContext, postgres_port: int) -> None:
        self._context = context
        self._postgres_port = postgres_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.encrypted: list[bool] = []
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
        for wire in (self._listener, *self._wires):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            first = wire.recv(8)
            is_asked = first == _TLS_REQUEST
            if is_asked:
                wire.sendall(b"S")
                wire = self._context.wrap_socket(wire, server_side=True)
            self.encrypted.append(is_asked)
            up = socket.create_connection(("127.0.0.1", self._postgres_port))
            self._wires += [wire, up]
            for one in (wire, up):  # or small answers wait for each other
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not is_asked:
                up.sendall(first)
            threading.Thread(target=_relay, args=(wire, up), daemon=True).start()
            _relay(up, wire)


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(16 * 1024):
            target.sendall(chunk)
    for wire in (source, target):
        with contextlib.suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
