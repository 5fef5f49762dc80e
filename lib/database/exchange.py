"""One round trip of a prepared statement, from the event loop."""

import asyncio
import io
import ssl
import struct
from collections.abc import Mapping
from typing import Any, Final

import pg8000.dbapi
from pg8000.native import PreparedStatement

from lib import limits
from lib.database import driver

_HEADER: Final = struct.Struct("!ci")  # the message's kind, its length without that letter
_CHUNK: Final = 16 * 1024


async def exchange(
    connection: pg8000.dbapi.Connection, prepared: PreparedStatement, values: Mapping[str, object]
) -> list[list[Any]]:
    """Send a prepared statement, wait without blocking, read the answer.

    pg8000 gets the answer when it is complete: what makes a socket readable may be half an answer,
    or none at all, as TLS has messages of its own, and who reads on blocks the loop.
    """
    context = driver.send(connection, prepared, values)
    answer = await _receive(connection)
    return driver.receive(connection, context, answer)


async def _receive(connection: pg8000.dbapi.Connection) -> bytearray:
    """Receive until Postgres says that it is ready for the next statement."""
    wire, reader = driver.wire_of(connection), driver.reader_of(connection)
    answer = _Answer()
    deadline = asyncio.get_running_loop().time() + limits.SOCKET_TIMEOUT
    wire.setblocking(False)  # noqa: FBT003
    try:
        while not answer.complete:
            await _readable(wire.fileno(), deadline)
            _take(reader, answer)
    finally:
        wire.settimeout(limits.SOCKET_TIMEOUT)
    return answer.received


def _take(reader: io.BufferedRWPair, answer: "_Answer") -> None:
    """Read all that is there, as what TLS has already decrypted makes no socket readable again."""
    arrived = False
    while not answer.complete:
        try:
            chunk = reader.read1(_CHUNK)
        except ssl.SSLWantReadError:
            return
        if not chunk:
            # Nothing, where the socket was said to be readable, is its end.
            if not arrived:
                raise ConnectionResetError("the database closed the connection")
            return
        arrived = True
        answer.add(chunk)


class _Answer:
    """The messages that arrived, complete with the one that ends an answer."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.complete = False
        self._next = 0  # where the first message begins that is not there as a whole
        self._ended = False

    def add(self, chunk: bytes) -> None:
        self.received += chunk
        while len(self.received) >= self._next + _HEADER.size:
            kind, length = _HEADER.unpack_from(self.received, self._next)
            end = self._next + 1 + max(length, 4)
            if end > len(self.received):
                break
            self._next = end
            self._ended = self._ended or kind == b"Z"
        # A notice may come behind the answer; half of one must not stay for the next to meet.
        self.complete = self._ended and self._next == len(self.received)


async def _readable(wire: int, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.add_reader(wire, _resolve, arrived)
    alarm = loop.call_at(deadline, _reject, arrived)
    try:
        await arrived
    finally:
        loop.remove_reader(wire)
        alarm.cancel()


def _resolve(arrived: "asyncio.Future[None]") -> None:
    if not arrived.done():
        arrived.set_result(None)


def _reject(arrived: "asyncio.Future[None]") -> None:
    if not arrived.done():
        arrived.set_exception(TimeoutError("the database fell silent"))
