"""Requests to a function over connections that are kept, and how long each took."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

import uvloop

from local.failure import Failure

_REFUSAL: Final = b"HTTP/1.1 503 "
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def request(
    path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None
) -> bytes:
    """Return an HTTP/1.1 request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    content = b"" if body is None else json.dumps(body).encode()
    if content:
        lines += ["Content-Type: application/json"]
    if method != "GET":
        lines += [f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def make_get_requests(parameter: str, values: Iterable[str]) -> list[bytes]:
    """Return the requests to `movies.get` for some titles or ids."""
    return [request(f"/movies.get?{parameter}={quote(value)}") for value in values]


def make_page_requests(pages: Iterable[int]) -> list[bytes]:
    """Return the requests to `movies.list` for some pages by their numbers."""
    return [request(f"/movies.list?page={page}") for page in pages]


def ask_each(
    port: int, requests: Iterable[bytes], *, connections: int = 1, status: int = 200
) -> list[float]:
    """Ask each once; return the seconds that each took."""
    return uvloop.run(_ask(port, iter(requests), connections=connections, status=status))


def ask_repeatedly(
    port: int,
    requests: Iterable[bytes],
    *,
    seconds: float,
    connections: int = 1,
    refused: list[float] | None = None,
) -> list[float]:
    """Keep connections busy with these requests over and over; return how long each took.

    Args:
        requests: Of an iterator that never ends, each is asked once.
        refused: Gets how long those took that were answered 503; without it one ends all.
    """
    asked = _ask(
        port,
        itertools.cycle(requests),
        connections=connections,
        seconds=seconds,
        refused=refused,
    )
    return uvloop.run(asked)


def ask_beside(
    port: int,
    requests: Iterable[bytes],
    others: Iterable[bytes],
    *,
    seconds: float,
    connections: int,
) -> list[float]:
    """Ask as one caller beside so many others; return how long each answer took to that one."""

    async def ask() -> list[float]:
        beside = asyncio.ensure_future(
            _ask(port, itertools.cycle(others), connections=connections, seconds=seconds)
        )
        took = await _ask(port, itertools.cycle(requests), connections=1, seconds=seconds)
        await beside
        return took

    return uvloop.run(ask())


async def _ask(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float | None = None,
    status: int = 200,
    refused: list[float] | None = None,
) -> list[float]:
    clients = [_Client(requests, status, refused) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    ends = None if seconds is None else time.perf_counter() + seconds
    for client in clients:
        client.start(ends)
    await asyncio.gather(*(client.done for client in clients))
    return [took for client in clients for took in client.took]


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it was answered.

    Written against the bytes: an HTTP library would take more of the machine than what it measures.
    """

    def __init__(
        self, requests: Iterator[bytes], status: int, refused: list[float] | None = None
    ) -> None:
        self._requests = requests
        self._refused = refused
        self._ends: float | None = None
        self._expected = f"HTTP/1.1 {status} ".encode()
        self._received = b""
        self.took: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def start(self, ends: float | None) -> None:
        """Begin to ask, until this time; of what is answered later only a first answer counts."""
        self._ends = ends
        self._ask_next()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        self._received = received
        head = received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(received, 0, head)
        body = head + 4
        if length is not None and len(received) - body < int(length[1]):
            return
        now = time.perf_counter()
        if self._refused is not None and received.startswith(_REFUSAL):
            self._refused.append(now - self._asked)
        elif not received.startswith(self._expected):
            first = received[:head].splitlines()[0].decode()
            answered = f"{first} {received[body : body + 300].decode()}"
            self._end(Failure(f"a function answered {answered}"))
            return
        elif self._ends is None or now < self._ends or not self.took:
            self.took.append(now - self._asked)
        self._received = b""
        self._ask_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or Failure("a function closed its connection"))

    def _ask_next(self) -> None:
        if self._ends is not None and time.perf_counter() >= self._ends and self.took:
            self._end(None)
            return
        following = next(self._requests, None)
        if following is None:
            self._end(None)
            return
        self._asked = time.perf_counter()
        self._transport.write(following)

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
