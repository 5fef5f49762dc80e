"""What the connector is given in the place of aiohttp, and that it takes it."""

import asyncio
import inspect
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

import lib
from lib.database.connector import ApiAnswer, ApiRefusal, ApiSession, Connector
from local.cloud_sql.authority import Authority
from local.cloud_sql.stand_in import CloudSqlStandIn
from local.environment import ROOT

ANSWER: Final = b'{"region": "europe-west1"}'
CONNECT: Final = """
import sys
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Statement
from lib.settings import require
import os

one = Statement(repeatable=True, sql="select 1")
options = {"sqladmin_api_endpoint": os.environ["STAND_IN_ENDPOINT"]}
database = Database(require(DatabaseSettings), statements=[one], connector_options=options)
assert database.run(one) == [[1]]
from google.cloud.sql.connector import client, monitored_cache, resolver
from lib.database.connector import ApiRefusal, ApiSession
assert client.aiohttp.ClientSession is ApiSession
assert monitored_cache.aiohttp.ClientResponseError is ApiRefusal
assert resolver.DnsResolver.__module__ == "google.cloud.sql.connector.resolver"
print(*({"aiohttp", "dns", "dns.asyncresolver", "google.cloud.sql.connector"} & set(sys.modules)))
import aiohttp, dns.asyncresolver
print(aiohttp.ClientSession.__module__, dns.asyncresolver.Resolver.__module__)
"""


def test_a_connection_is_opened_without_what_takes_a_third_of_a_start(
    stand_in: CloudSqlStandIn,
) -> None:
    done = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", CONNECT],
        env={**stand_in.environment(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "google.cloud.sql.connector",
        "aiohttp.client dns.asyncresolver",  # whoever else asks for them gets the real ones
    ]


def test_the_connector_uses_what_stands_in_their_place_and_no_more() -> None:
    folder = Path(inspect.getfile(Connector)).parent
    text = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")}
    everything = "".join(text.values())

    # The last stands in annotations only, which are never evaluated.
    assert set(re.findall(r"\baiohttp\.(\w+)", everything)) == {
        "ClientSession",
        "ClientResponseError",
        "ClientResponse",
    }
    assert set(re.findall(r"\bdns\.(\w+\.\w+)", text["resolver.py"])) == {"asyncresolver.Resolver"}
    assert set(re.findall(r"\bself\._client\.(\w+)", text["client.py"])) == {"get", "post", "close"}
    assert set(re.findall(r"\bresp\.(\w+)", everything)) <= set(dir(ApiAnswer()))
    for name in ("client.py", "monitored_cache.py", "refresh_utils.py", "resolver.py"):
        assert "from __future__ import annotations" in text[name]


def test_requirements_admit_one_release_only() -> None:
    required = (Path(str(lib.__file__)).parent.parent / "requirements.in").read_text("utf-8")

    assert re.search(r"^cloud-sql-python-connector==\d+\.\d+\.\d+ ", required, re.MULTILINE)


Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def ask(answering: Answering, *, context: ssl.SSLContext | None = None) -> ApiAnswer:
    """Ask a server that answers as it is told to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        await answering(head + await reader.readexactly(length), writer)
        writer.close()

    async def run() -> ApiAnswer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        scheme = "http" if context is None else "https"
        where = f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}/sql/v1"
        session = ApiSession(headers={"User-Agent": "us"})
        async with server, asyncio.timeout(5):
            return await session.post(where, headers={"Authorization": "b"}, json={"key": "é"})

    return asyncio.run(run())


def saying(*parts: bytes) -> Answering:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


def test_what_is_asked_arrives_as_it_is_meant() -> None:
    heard: list[bytes] = []

    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        heard.append(request)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    assert ask(answer).status == 200
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /sql/v1 HTTP/1.1\r\nHost: localhost:")
    assert {b"User-Agent: us", b"Authorization: b"} < set(head.split(b"\r\n"))
    assert json.loads(body) == {"key": "é"}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" + ANSWER,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
        + ANSWER[:5]
        + b"\r\n15\r\n"
        + ANSWER[5:]
        + b"\r\n0\r\n\r\n",
    ],
)
def test_an_answer_is_read_however_it_comes(answer: bytes) -> None:
    for parts in ([answer], [bytes([byte]) for byte in answer]):
        told = ask(saying(*parts))
        told.raise_for_status()
        assert asyncio.run(told.json()) == {"region": "europe-west1"}


def test_a_refusal_is_told_by_its_status() -> None:
    told = ask(saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}"))

    with pytest.raises(ApiRefusal) as caught:
        told.raise_for_status()
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "parts",
    [
        [b"220 this is a server of mail\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n", ANSWER[:9]],
        [b""],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", *[b"x" * 100_000] * 20],
    ],
)
def test_what_is_no_answer_or_no_whole_one_is_a_lost_connection(parts: list[bytes]) -> None:
    with pytest.raises(ConnectionError):
        ask(saying(*parts))


def test_nobody_is_believed_to_be_google_without_a_certificate_that_says_so() -> None:
    context = Authority("localhost").server_context()
    context.verify_mode = ssl.CERT_NONE

    with pytest.raises(ssl.SSLCertVerificationError):
        ask(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), context=context)
