"""All that we use of pg8000 beyond what it documents, and of the sockets that it speaks through.

A test shows that all of it is there in the shape that is used here, and `requirements.in` admits
patch releases only.
"""

import contextlib
import io
import select
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pg8000.dbapi
from pg8000.converters import make_params
from pg8000.core import BIND, EXECUTE_MSG, SYNC_MSG, Context
from pg8000.native import PreparedStatement

from lib import limits


def keep_alive(wire: socket.socket) -> None:
    """Notice a peer that vanished without a word, even on a connection that rests in the pool."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # not on macOS
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def wire_of(connection: pg8000.dbapi.Connection) -> socket.socket:
    """Return the socket of a connection; with TLS it is the one around the one it was given."""
    wire: socket.socket = connection._usock  # noqa: SLF001
    return wire


def reader_of(connection: pg8000.dbapi.Connection) -> io.BufferedRWPair:
    """Return the file object that a connection is read and written through."""
    reader: io.BufferedRWPair = connection._sock  # noqa: SLF001
    return reader


def word_of(connection: pg8000.dbapi.Connection) -> select.poll:
    """Watch for what a connection says: `poll(0)` gives nothing while it is silent and open.

    It takes a microsecond, with TLS as well, and any number of open files.
    """
    word = select.poll()
    word.register(wire_of(connection), select.POLLIN)
    return word


@contextlib.contextmanager
def unhurried(connection: Any) -> Iterator[None]:
    """Wait for each answer as long as it takes, but no longer for a peer that has vanished.

    `keep_alive` notices that within a minute. What Postgres itself ends is not changed by this.
    """
    wire = wire_of(connection)
    wire.settimeout(None)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it may be closed by now
            wire.settimeout(limits.SOCKET_TIMEOUT)


def let_go(connection: pg8000.dbapi.Connection) -> None:
    """Close a connection, whatever state it is in.

    Its socket closes with the file object that pg8000 reads it through and not before, and the
    traceback of a fault may hold that for as long as somebody looks at the fault.
    """
    file = reader_of(connection)
    for part in (connection, file):
        with contextlib.suppress(Exception):
            part.close()


def abandon(connection: pg8000.dbapi.Connection) -> None:
    """Close our end of a connection without a word to the server, as another process goes on."""
    for part in (wire_of(connection), reader_of(connection)):
        part.close()


def answers(connection: pg8000.dbapi.Connection) -> bool:
    """Ask something and tell whether an answer comes."""
    try:
        connection.execute_simple("select 1")
    except Exception:  # noqa: BLE001  whatever it is, another connection is better
        return False
    return True


def prepare(connection: pg8000.dbapi.Connection, sql: str) -> PreparedStatement:
    """Prepare SQL, as pg8000 does it for connections of its other interface."""
    return PreparedStatement(connection, sql)


def send(
    connection: pg8000.dbapi.Connection, prepared: PreparedStatement, values: Mapping[str, object]
) -> Context:
    """Send a prepared statement with its values; `receive` takes what is returned.

    The two are pg8000's `CoreConnection.execute_named`, cut where it would block, and without its
    Flush messages: the server would answer to those before it has run the statement.
    """
    parameters = make_params(connection.py_types, prepared.make_vals(values))
    context = Context(
        columns=prepared.cols, input_funcs=prepared.input_funcs, statement=prepared.statement
    )
    connection._send_message(BIND, _bind_message(prepared.name_bin, parameters))  # noqa: SLF001
    writer = reader_of(connection)
    writer.write(EXECUTE_MSG + SYNC_MSG)
    writer.flush()
    return context


def receive(
    connection: pg8000.dbapi.Connection, context: Context, answer: bytearray
) -> list[list[Any]]:
    """Read a whole answer, up to its ReadyForQuery, that has arrived; return its rows."""
    wire, connection._sock = connection._sock, io.BytesIO(answer)  # noqa: SLF001
    try:
        connection.handle_messages(context)
    finally:
        connection._sock = wire  # noqa: SLF001
    rows: list[list[Any]] = context.rows
    return rows


def _bind_message(name: bytes, parameters: Sequence[str | None]) -> bytes:
    # https://www.postgresql.org/docs/current/protocol-message-formats.html, Bind: the unnamed
    # portal, the statement's name (it ends with its NUL), parameters and results as text.
    message = bytearray(b"\0" + name + struct.pack("!HH", 0, len(parameters)))
    for parameter in parameters:
        if parameter is None:
            message += struct.pack("!i", -1)
        else:
            text = parameter.encode()
            message += struct.pack("!i", len(text)) + text
    message += struct.pack("!H", 0)
    return bytes(message)
