"""One round trip of a prepared statement, from the event loop."""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from pg8000.converters import make_params
from pg8000.core import BIND, EXECUTE_MSG, SYNC_MSG, Context
from pg8000.native import PreparedStatement

from lib import settings as limits


async def exchange(
    driver: Any, prepared: PreparedStatement, values: Mapping[str, object]
) -> list[list[Any]]:
    """Send a prepared statement, wait without blocking, read the answer.

    This is pg8000's `CoreConnection.execute_named`, cut in two where it would block, and without
    its Flush messages: the server would answer to those before it has run the statement. Once an
    answer begins to arrive, the rest of it is on its way: reading it blocks for microseconds, and
    never longer than the socket's time-out.
    """
    parameters = make_params(driver.py_types, prepared.make_vals(values))
    context = Context(
        columns=prepared.cols, input_funcs=prepared.input_funcs, statement=prepared.statement
    )
    driver._send_message(BIND, _bind_message(prepared.name_bin, parameters))  # noqa: SLF001
    driver._sock.write(EXECUTE_MSG + SYNC_MSG)  # noqa: SLF001
    driver._sock.flush()  # noqa: SLF001
    await _readable(driver._usock.fileno())  # noqa: SLF001
    driver.handle_messages(context)
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


async def _readable(wire: int) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.add_reader(wire, _resolve, arrived)
    alarm = loop.call_later(limits.SOCKET_TIMEOUT, _reject, arrived)
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
