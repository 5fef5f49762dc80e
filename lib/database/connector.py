"""Google's connector, without what takes most of its import and is not needed here.

It asks Google's API through aiohttp, and can look up instances by names in DNS: to load the two
takes a third of a cold start. It finds others in their place, of which the first asks as well and
the second is never used. A test pins what it uses of them, and `requirements.in` its release.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

_LARGEST_ANSWER: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024


class ApiRefusal(Exception):
    """Google's API refuses.

    Attributes:
        status: Of its answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class ApiAnswer:
    """What Google's API answers, once it is there as a whole."""

    def __init__(self) -> None:
        self.reason = ""
        self.complete = False
        self._body = bytearray()
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._parser.get_status_code()

    async def json(self) -> Any:
        """Return the value in the body."""
        return json.loads(self._body)

    def raise_for_status(self) -> None:
        """Raise `ApiRefusal` for an answer that is one."""
        if self.status >= 400:  # noqa: PLR2004
            raise ApiRefusal(self.status)

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        Raises:
            ConnectionError: It is no answer, or does not end.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError("Google's API answers something else than HTTP") from error

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; the parser calls this and the next."""
        self._body += body
        if len(self._body) > _LARGEST_ANSWER:
            raise ConnectionError("Google's API answers without end")

    def on_message_complete(self) -> None:
        """Note the end."""
        self.complete = True


class ApiSession:
    """Asks Google's API, each time on a connection of its own: a start needs two, at once.

    Args:
        headers: What every request carries.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def get(self, url: str, *, headers: Mapping[str, str]) -> ApiAnswer:
        """Ask with GET."""
        return await self._ask("GET", url, headers, b"")

    async def post(self, url: str, *, headers: Mapping[str, str], json: object) -> ApiAnswer:
        """Ask with POST and a JSON text."""
        return await self._ask("POST", url, headers, _encode(json))

    async def close(self) -> None:
        """Close what was kept open, which is nothing."""

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> ApiAnswer:
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(
            where.hostname, where.port, ssl=True if where.scheme == "https" else None
        )
        try:
            writer.write(
                _head(method, where.netloc, where.path, {**self._headers, **headers}, body)
            )
            return await _receive(reader)
        finally:
            writer.transport.abort()


async def _receive(reader: asyncio.StreamReader) -> ApiAnswer:
    answer = ApiAnswer()
    while not answer.complete:
        data = await reader.read(_CHUNK)
        if not data:
            raise ConnectionResetError("Google's API closed the connection")
        answer.feed(data)
    return answer


def _head(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


class _NoResolver:
    """In the place of the resolver that the connector's own is made of."""


@contextlib.contextmanager
def _others_in_their_place() -> Iterator[None]:
    http, dns, resolver = (ModuleType(name) for name in ("aiohttp", "dns", "dns.asyncresolver"))
    vars(http).update(ClientSession=ApiSession, ClientResponseError=ApiRefusal)
    vars(resolver).update(Resolver=_NoResolver)
    vars(dns).update(asyncresolver=resolver)
    others = {other.__name__: other for other in (http, dns, resolver)}
    before = {name: sys.modules.get(name) for name in others}
    sys.modules.update(others)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


with _others_in_their_place():
    from google.cloud.sql.connector import Connector as Connector  # noqa: PLC0414
    from google.cloud.sql.connector.exceptions import (
        CloudSQLIPTypeError as CloudSQLIPTypeError,  # noqa: PLC0414
    )
