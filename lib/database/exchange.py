"""One round trip of a prepared statement, from the event loop."""

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import Any, Final

from lib import limits
from lib.database import driver
from lib.database.ear import Ear, reject, resolve
from lib.database.pool import Connection
from lib.database.statement import Statement, Values

_HEADER: Final = struct.Struct("!ci")  # the message's kind, its length without that letter
_CHUNK: Final = 64 * 1024
# What a socket says that has no more, or takes no more, just now; the others are of TLS.
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


async def exchange(connection: Connection, statement: Statement, values: Values) -> list[list[Any]]:
    """Send a statement that is prepared, wait without blocking, read the answer.

    It is read when it is complete: what makes a socket readable may be half an answer, or none at
    all, as TLS has messages of its own, and who reads on blocks the loop.
    """
    prepared = connection.prepared[statement]
    message = driver.compose(connection.driver, prepared, values)
    wire = driver.wire_of(connection.driver)
    ear = _ear_of(connection, wire)
    deadline = ear.loop.time() + limits.SOCKET_TIMEOUT
    wire.setblocking(False)  # noqa: FBT003
    try:
        await _send(wire, message, deadline)
        answer = await _receive(connection, wire, ear, deadline)
    finally:
        wire.settimeout(limits.SOCKET_TIMEOUT)
    return driver.rows_of(connection.driver, prepared, answer.received, answer.messages)


async def _send(wire: socket.socket, message: bytes, deadline: float) -> None:
    try:
        sent = wire.send(message)
    except _NOT_NOW:
        sent = 0
    if sent == len(message):
        return
    rest = memoryview(message)[sent:]
    while rest:
        await _writable(wire, deadline)
        with contextlib.suppress(*_NOT_NOW):
            rest = rest[wire.send(rest) :]


async def _receive(
    connection: Connection, wire: socket.socket, ear: Ear, deadline: float
) -> "_Answer":
    """Receive until Postgres says that it is ready for the next statement."""
    answer = _Answer()
    while not answer.complete:
        await ear.hear(deadline)
        if connection.is_read_ahead:
            # pg8000 may have read more than it needed: its reader gives that first, and at once.
            answer.add(_read_ahead(connection))
        _take(wire, answer)
    return answer


def _read_ahead(connection: Connection) -> bytes:
    """Take what pg8000 has read and did not need, or what has arrived."""
    connection.is_read_ahead = False
    try:
        return driver.reader_of(connection.driver).read1(_CHUNK)
    except _NOT_NOW:
        return b""


def _take(wire: socket.socket, answer: "_Answer") -> None:
    """Read all that is there, as what TLS has already decrypted makes no socket readable again."""
    while not answer.complete:
        try:
            chunk = wire.recv(_CHUNK)
        except _NOT_NOW:
            return
        if not chunk:
            raise ConnectionResetError("the database closed the connection")
        answer.add(chunk)


def _ear_of(connection: Connection, wire: socket.socket) -> Ear:
    ear, loop = connection.ear, asyncio.get_running_loop()
    if ear is None or ear.loop is not loop:
        if ear is not None:
            ear.end()
        ear = connection.ear = Ear(wire, loop)
    return ear


class _Answer:
    """The messages that arrived, complete with the one that ends an answer."""

    def __init__(self) -> None:
        self.received: bytes | bytearray = b""
        self.messages: list[driver.Message] = []
        self.complete = False
        self._next = 0  # where the first message begins that is not there as a whole
        self._ended = False

    def add(self, chunk: bytes) -> None:
        """Take what arrived, which mostly is all of it."""
        if not self.received:
            self.received = chunk
        else:
            if not isinstance(self.received, bytearray):
                self.received = bytearray(self.received)
            self.received += chunk
        received, at, size = self.received, self._next, len(self.received)
        while size >= at + _HEADER.size:
            kind, length = _HEADER.unpack_from(received, at)
            end = at + 1 + max(length, 4)
            if end > size:
                break
            self.messages.append((kind, at + _HEADER.size, end))
            self._ended = self._ended or kind == b"Z"
            at = end
        self._next = at
        # A notice may come behind the answer; half of one must not stay for the next to meet.
        self.complete = self._ended and at == size


async def _writable(wire: socket.socket, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    loop.add_writer(wire, resolve, writable)
    alarm = loop.call_at(deadline, reject, writable)
    try:
        await writable
    finally:
        loop.remove_writer(wire)
        alarm.cancel()
