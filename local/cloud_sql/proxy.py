"""The TLS proxy that stands before an instance's Postgres, and its misfortunes."""

import asyncio
import secrets
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from scramp import ScramClient  # type: ignore[import-untyped]

PORT: Final = 3307  # a constant of the connector's
_AUTHENTICATION: Final = b"R"
_TLS_REQUEST: Final = 80877103
_SASL, _SASL_CONTINUE, _SASL_FINAL = 10, 11, 12

Login = Callable[[int, str], str | None]
PassOn = Callable[[asyncio.StreamWriter, bytes], Coroutine[Any, Any, None]]


class LoginRefused(Exception):
    """The certificate does not let its holder log in as this user."""


class Proxy:
    """Accepts TLS with a client's certificate, and passes on what it hears to Postgres.

    Args:
        context: Demands the certificates.
        postgres_port: Where Postgres listens at 127.0.0.1.
        login: Gives, for a certificate's serial number and a user, the password to log in to
            Postgres with in the caller's place; None where the caller does that itself.

    Attributes:
        host: An address of this machine whose port 3307 is ours.
        first_bytes: How many bytes of each answer arrive at once; the rest comes after `pause`.
        accepted: How many connections there have been since it was well.
    """

    def __init__(self, context: ssl.SSLContext, postgres_port: int, login: Login) -> None:
        self._context = context
        self._postgres_port = postgres_port
        self._login = login
        self._listener = _listen()
        self.host: str = self._listener.getsockname()[0]
        self.first_bytes: int | None = None
        self.pause = 0.0
        self.accepted = 0
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._live, name="stand-in proxy")
        self._thread.start()
        self._run(self._listen_with(self._serve, self._context))

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._run(self._cut())

    def be_silent(self) -> None:
        """Accept connections and say nothing, not even in the TLS handshake."""
        self._run(self._listen_with(self._ignore, None))

    def hold(self) -> None:
        """Keep back from now on what Postgres says, on connections old and new."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def recover(self) -> None:
        """Be well again."""
        self.first_bytes = None
        self.accepted = 0
        self._loop.call_soon_threadsafe(self._flows.set)
        self._run(self._listen_with(self._serve, self._context))

    def close(self) -> None:
        """End."""
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen_with(self, serve: Any, context: ssl.SSLContext | None) -> None:
        await self._stop_listening()
        listener = self._listener if self._listener.fileno() != -1 else _listen(self.host)
        self._server = await asyncio.start_server(serve, sock=listener, ssl=context)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    async def _cut(self) -> None:
        await self._stop_listening()
        for writer in self._open:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ignore(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._adopt(writer)
        await asyncio.Event().wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._adopt(writer)
        self.accepted += 1
        # asyncio does it only where the listener names its protocol.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serial = int(writer.get_extra_info("ssl_object").getpeercert()["serialNumber"], 16)
        try:
            startup, user = await _read_startup(reader)
            password = self._login(serial, user)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._postgres_port)
            self._open.add(up_writer)
            up_writer.write(startup)
            if password is not None:
                await _log_in(up_reader, up_writer, user, password)
                await self._pass_on(writer, _message(_AUTHENTICATION, struct.pack("!i", 0)))
            await self._relay(reader, writer, up_reader, up_writer)
        except LoginRefused as error:
            writer.write(_refusal(str(error)))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        """Pass on what either says, until one of them ends."""
        ways = [
            asyncio.create_task(_pump(reader, up_writer, _write)),
            asyncio.create_task(_pump(up_reader, writer, self._pass_on)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            up_writer.close()

    def _adopt(self, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._open.add(writer)

    async def _pass_on(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._flows.wait()
        if self.first_bytes is not None:
            writer.write(data[: self.first_bytes])
            await asyncio.sleep(self.pause)
            await self._flows.wait()
            data = data[self.first_bytes :]
        await _write(writer, data)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pass_on: PassOn
) -> None:
    while data := await reader.read(65536):
        await pass_on(writer, data)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _listen(host: str | None = None) -> socket.socket:
    """Listen at the connector's port, on an address of our own where the system has several."""
    several = sys.platform == "linux"  # there all of 127.0.0.0/8 is this machine
    for _ in range(50):
        chance = ".".join(str(1 + secrets.randbelow(250)) for _ in range(3))
        address = host or (f"127.{chance}" if several else "127.0.0.1")
        try:
            return socket.create_server((address, PORT))
        except OSError:
            if host or not several:
                raise
    raise OSError("no address of this machine has its port 3307 free")


# https://www.postgresql.org/docs/current/protocol-message-formats.html


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _refusal(reason: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": reason}
    return _message(b"E", b"".join(f"{k}{v}\0".encode() for k, v in fields.items()) + b"\0")


async def _read_startup(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    head = await reader.readexactly(4)
    body = await reader.readexactly(struct.unpack("!i", head)[0] - 4)
    if struct.unpack_from("!i", body)[0] == _TLS_REQUEST:
        raise LoginRefused("there is TLS already")
    words = body[4:].split(b"\0")
    return head + body, dict(zip(words[::2], words[1::2], strict=False))[b"user"].decode()


async def _log_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, password: str
) -> None:
    """Log in in the caller's place, who showed with its certificate that it may."""
    client = ScramClient(["SCRAM-SHA-256"], user, password)
    while True:
        kind, length = struct.unpack("!ci", await reader.readexactly(5))
        body = await reader.readexactly(length - 4)
        if kind != _AUTHENTICATION:
            raise LoginRefused(f"Postgres refused {user}")
        step, words = struct.unpack_from("!i", body)[0], body[4:].decode()
        if step == 0:
            return
        if step == _SASL:
            first = client.get_client_first().encode()
            answer = b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
            writer.write(_message(b"p", answer))
        elif step == _SASL_CONTINUE:
            client.set_server_first(words)
            writer.write(_message(b"p", client.get_client_final().encode()))
        elif step == _SASL_FINAL:
            client.set_server_final(words)
