"""All that we use of pg8000 beyond what it documents, and of the sockets that it speaks through.

A test shows that all of it is there in the shape that is used here, and `requirements.in` admits
patch releases only.
"""

import contextlib
import io
import select
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pg8000.dbapi
from pg8000.converters import make_params
from pg8000.core import BIND, EXECUTE_MSG, SYNC_MSG, Context
from pg8000.native import PreparedStatement

from lib import limits

# https://www.postgresql.org/docs/current/protocol-message-formats.html
_COUNT: Final = struct.Struct("!H")
_LENGTH: Final = struct.Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
_RESULTS_AS_TEXT: Final = _COUNT.pack(0)
_EXECUTE_AND_SYNC: Final = EXECUTE_MSG + SYNC_MSG
_READY: Final = b"Z\0\0\0\5I"  # and in no transaction
_DATA_ROW: Final = b"D"
_PLAIN: Final = frozenset({b"2", _DATA_ROW, b"C", b"Z"})  # with BindComplete and CommandComplete

Message = tuple[bytes, int, int]  # its kind, and where in an answer its content begins and ends


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


class Prepared(PreparedStatement):  # type: ignore[misc]  # it has no types
    """A prepared statement, as pg8000 makes it for connections of its other interface.

    Attributes:
        bind_head: How the Bind message of each of its runs begins: the unnamed portal, the
            statement's name (it ends with its NUL), parameters as text.
    """

    def __init__(self, connection: pg8000.dbapi.Connection, sql: str) -> None:
        super().__init__(connection, sql)
        self.bind_head: Final[bytes] = b"\0" + self.name_bin + b"\0\0"


def compose(
    connection: pg8000.dbapi.Connection, prepared: Prepared, values: Mapping[str, object]
) -> bytes:
    """Write the messages that run a prepared statement with these values.

    Unlike pg8000's own they come without Flush, to which the server would answer before it has run
    the statement, and all in one piece, which takes one call of the system and wakes it once.
    """
    parameters = make_params(connection.py_types, prepared.make_vals(values))
    return b"".join([*_bind_message(prepared.bind_head, parameters), _EXECUTE_AND_SYNC])


def rows_of(
    connection: pg8000.dbapi.Connection,
    prepared: Prepared,
    answer: bytes | bytearray,
    messages: Sequence[Message],
) -> list[list[Any]]:
    """Read a whole answer, up to its ReadyForQuery, that has arrived; return its rows.

    Rows and what stands around them are read here, as pg8000 does that in ten calls for each
    message. All else, such as a fault or a notice, is left to it.

    Args:
        messages: All that the answer consists of.
    """
    is_plain = answer.endswith(_READY) and all(kind in _PLAIN for kind, _, _ in messages)
    if not is_plain or prepared.cols is None:
        return _rows_by_pg8000(connection, prepared, answer)
    encoding, functions = connection._client_encoding, prepared.input_funcs  # noqa: SLF001
    return [
        _row(answer, begin, functions, encoding) for kind, begin, _ in messages if kind == _DATA_ROW
    ]


def _rows_by_pg8000(
    connection: pg8000.dbapi.Connection, prepared: Prepared, answer: bytes | bytearray
) -> list[list[Any]]:
    context = Context(
        columns=prepared.cols, input_funcs=prepared.input_funcs, statement=prepared.statement
    )
    wire, connection._sock = connection._sock, io.BytesIO(answer)  # noqa: SLF001
    try:
        connection.handle_messages(context)
    finally:
        connection._sock = wire  # noqa: SLF001
    rows: list[list[Any]] = context.rows
    return rows


def _row(
    answer: bytes | bytearray,
    begin: int,
    functions: Sequence[Callable[[str], Any]],
    encoding: str,
) -> list[Any]:
    row: list[Any] = []
    at = begin + 2  # behind the number of columns
    for function in functions:
        (length,) = _LENGTH.unpack_from(answer, at)
        at += 4
        if length < 0:
            row.append(None)
        else:
            row.append(function(str(answer[at : at + length], encoding)))
            at += length
    return row


def _bind_message(head: bytes, parameters: Sequence[str | None]) -> list[bytes]:
    # https://www.postgresql.org/docs/current/protocol-message-formats.html, Bind
    parts = [BIND, b"", head, _COUNT.pack(len(parameters))]
    for parameter in parameters:
        if parameter is None:
            parts.append(_NULL)
        else:
            text = parameter.encode()
            parts += (_LENGTH.pack(len(text)), text)
    parts.append(_RESULTS_AS_TEXT)
    parts[1] = _LENGTH.pack(4 + sum(map(len, parts)) - len(BIND))
    return parts
