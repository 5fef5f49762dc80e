"""A server on the loopback interface that does to each connection what a test tells it to."""

import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Final, Self, TypeAlias

BOMB: Final = gzip.compress(b" " * 50_000_000)  # 48 KB on the wire
STOP_SECONDS: Final = 5.0  # no fault outlives this, whatever the client does


class Peer:
    """One connection, seen from the server's side; its request was read already."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self._connection = connection
        self._stopping = stopping
        self._ends = time.monotonic() + STOP_SECONDS

    def read_request(self) -> bytes:
        """Read up to the end of the headers, or less if the client leaves."""
        request = b""
        while b"\r\n\r\n" not in request:
            received = self._connection.recv(65_536)
            if not received:
                break
            request += received
        return request

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._connection.sendall(data)

    def drip(self, data: bytes, *, every: float) -> None:
        """Send the bytes one by one, over and over, until the client or the test has enough."""
        while self._goes_on():
            for byte in data:
                self.send(bytes([byte]))
                self._stopping.wait(every)

    def flood(self, data: bytes) -> None:
        """Send the bytes over and over, as fast as the client takes them."""
        while self._goes_on():
            self.send(data)

    def hang(self) -> None:
        """Say nothing until the test ends."""
        self._stopping.wait(STOP_SECONDS)

    def reset(self) -> None:
        """Break the connection off with a RST."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and time.monotonic() < self._ends


Behaviour: TypeAlias = Callable[[Peer], None]


class MisbehavingServer:
    """Behave in the given way on every connection, from `with` to its end.

    Attributes:
        requests: What the clients sent, in the order of their connections.
    """

    def __init__(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._behaviour = behaviour
        self._tls = tls
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(STOP_SECONDS)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            peer = Peer(connection, self._stopping)
            request = peer.read_request()
            if request:
                self.requests.append(request)
                self._behaviour(peer)
        except OSError:
            pass  # the client had enough
        finally:
            connection.close()
