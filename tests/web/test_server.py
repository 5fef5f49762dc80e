"""What the server around a function takes from a connection, and whom it believes: on real sockets.

The function is one of these tests' own, under the command of a deployment.
"""

import asyncio
import http.client
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.lifespan.on import LifespanOn

from lib.web.server import HEAD_BYTES, HEADER_FIELDS, install
from local import servers
from tests.deployed import (
    Deployed,
    Reply,
    await_answer,
    exchange,
    receive,
    rest_of,
    send,
)

FUNCTION: Final = '''
import functions_framework.aio

from lib.web.endpoint import Answer, Request, data, endpoint
from lib.web.inputs import Input, Inputs
from lib.web.rules import Text

MEMBERS = Inputs({"name": Input(rule=Text(longest=8192), about="A name.")})


@functions_framework.aio.http
@endpoint("POST", members=MEMBERS, body="optional")
async def tell(request: Request) -> Answer:
    """Answer who calls, by which headers, and with what."""
    return data(
        {
            "address": request.client_address,
            "headers": sorted(request.headers),
            "name": request.body["name"],
        }
    )
'''
# In less than the ten seconds that a head may take.
HASTY: Final = 3.0
HURRY: Final = f"""
from lib.web import server

server.HEAD_TIMEOUT = {HASTY}
"""
HEAD: Final = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
JSON: Final = b"Content-Type: application/json\r\n"
CHUNKED: Final = HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
MB: Final = 1024 * 1024
H2C: Final = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAA\r\n"
)
WEBSOCKET: Final = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BODY: Final = b'{"name": "an"}'
SIZED: Final = b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
IN_CHUNKS: Final = (
    b"Transfer-Encoding: chunked\r\n\r\n4\r\n"
    + BODY[:4]
    + b"\r\na\r\n"
    + BODY[4:]
    + b"\r\n0\r\n\r\n"
)


@contextmanager
def telling(folder: Path, *, first: str = "", **variables: str) -> Iterator[Deployed]:
    """Run the function, and what comes first, until the end of the block."""
    source, log, port = folder / "main.py", folder / "log", servers.free_port()
    source.write_text(first + FUNCTION, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], **variables}
    with log.open("wb") as output:
        process = servers.start(source, "tell", environment, port=port, output=output)
    try:
        server = Deployed(process=process, port=port, log=log)
        await_answer(server)
        yield server
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with telling(tmp_path_factory.mktemp("tell")) as started:
        yield started


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with telling(tmp_path_factory.mktemp("hasty"), first=HURRY) as started:
        yield started


def told(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    content: dict[str, dict[str, Any]] = json.loads(reply.body)
    return content["data"]


def assert_refused(reply: Reply, status: int, code: str) -> None:
    """See that the server's refusal looks like any other of ours."""
    assert (reply.status, reply.error["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Connection"] == "close"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.error["request_id"] == reply.headers["X-Request-Id"]


def assert_well(server: Deployed) -> None:
    started = time.monotonic()
    told(exchange(server.port, HEAD + b"\r\n"))
    assert time.monotonic() - started < 1
    assert "Traceback" not in server.logged()


# --- How much -------------------------------------------------------------------------------------


def fields(count: int, size: int = 1) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))


def test_a_head_within_the_bounds_is_read(server: Deployed) -> None:
    many = exchange(server.port, HEAD + fields(HEADER_FIELDS - 1) + b"\r\n")
    large = exchange(server.port, HEAD + b"X-A: " + b"a" * (HEAD_BYTES - 60) + b"\r\n\r\n")

    # functions-framework adds one.
    assert len(told(many)["headers"]) == HEADER_FIELDS + 1
    assert "x-a" in told(large)["headers"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(fields(HEADER_FIELDS), id="a field too many"),
        pytest.param(b"X-A: " + b"a" * HEAD_BYTES + b"\r\n", id="a field too large"),
        pytest.param(b"X-" + b"A" * HEAD_BYTES + b": a\r\n", id="a name too large"),
        pytest.param(fields(90, 800), id="fields too large together"),
        pytest.param(b"X-A: y\r\n" * (10 * MB // 8), id="10 MB of one field again and again"),
        pytest.param(b"X-A: " + b"a" * 10 * MB + b"\r\n", id="10 MB of one field"),
        pytest.param(fields(1200, 9000), id="10 MB of fields"),
    ],
)
def test_a_head_beyond_the_bounds_is_refused_at_once(server: Deployed, head: bytes) -> None:
    started = time.monotonic()

    reply = exchange(server.port, HEAD + b"X-Request-Id: mine\r\n" + head + b"\r\n")

    assert_refused(reply, 431, "HEADERS_TOO_LARGE")
    assert reply.headers["X-Request-Id"] == "mine"
    assert time.monotonic() - started < 1
    assert_well(server)


def test_a_head_that_comes_in_pieces_is_bounded_as_well(server: Deployed) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 15) as wire:
        send(wire, [HEAD + b"X-Request-Id: mine\r\nX-A: "])
        for _ in range(HEAD_BYTES // 4096 + 1):
            send(wire, [b"a" * 4096])
            time.sleep(0.001)
        reply = receive(wire, "POST")

    assert_refused(reply, 431, "HEADERS_TOO_LARGE")


def test_an_address_beyond_the_bounds_is_refused_at_once(server: Deployed) -> None:
    for size in (HEAD_BYTES + 1, 10 * MB):
        sent = b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert_refused(exchange(server.port, sent), 414, "ADDRESS_TOO_LONG")
    assert_well(server)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"X-T: " + b"a" * 8000 + b"\r\n", id="trailers"),
        pytest.param(b"X-T: y\r\n", id="small trailers"),
    ],
)
def test_trailers_without_an_end_are_given_up(server: Deployed, rest: bytes) -> None:
    started = time.monotonic()

    reply = exchange(server.port, CHUNKED + b"2\r\n{}\r\n0\r\n", rest * (5 * MB // len(rest)))

    assert_refused(reply, 431, "HEADERS_TOO_LARGE")
    assert time.monotonic() - started < 2
    assert_well(server)


def test_what_a_chunk_says_beside_its_size_is_bounded(server: Deployed) -> None:
    reply = exchange(server.port, CHUNKED + b"2;a=", b"b" * 5 * MB)

    assert_refused(reply, 431, "HEADERS_TOO_LARGE")
    assert_well(server)


def test_a_trailer_is_no_header(server: Deployed) -> None:
    content = (
        b"e\r\n" + b'{"name": "an"}' + b"\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\nX-T: 1\r\n\r\n"
    )

    answered = told(exchange(server.port, CHUNKED + content))

    assert answered["name"] == "an"
    assert not {"x-t", "x-forwarded-for"} & set(answered["headers"])


def test_nothing_but_line_ends_is_given_up(server: Deployed) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as wire:
        send(wire, [b"\r\n" * MB])
        assert b"HTTP/1.1 200" not in rest_of(wire)
    assert_well(server)


# --- For how long ---------------------------------------------------------------------------------


def dripping(port: int, first: bytes, drop: bytes, drops: int = 1000) -> tuple[float, bytes]:
    """Send a little at a time for as long as it is taken; give for how long, and what came back."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 1) as wire:
        received = b""
        while time.monotonic() - started < HASTY + 5:
            try:
                wire.sendall(first or (drop if drops else b""))
                first, drops = b"", drops - (not first and drops > 0)
                wire.settimeout(0.4)
                if not (part := wire.recv(65536)):
                    break
                received += part
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - started, received


UNREAD: Final = b"GET / HTTP/1.1\r\nHost: x\r\n"  # its body is not read, as it is refused before
Drip = tuple[bytes, bytes] | tuple[bytes, bytes, int]
DRIPS: Final[dict[str, Drip]] = {
    "nothing at all": (b"", b""),
    "a head": (HEAD, b"X-A: y\r\n"),
    "a header": (HEAD + b"X-A: ", b"y"),
    "an address": (b"GET /", b"a"),
    "line ends": (b"", b"\r\n"),
    "a second head": (HEAD + b"\r\n" + HEAD, b"X-A: y\r\n"),
    "trailers after the answer": (
        UNREAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X-A: y\r\n",
    ),
    "a body after the answer": (UNREAD + b"Content-Length: 9999\r\n\r\n", b"y"),
    "a byte of a body after the answer": (UNREAD + b"Content-Length: 9999\r\n\r\n", b"y", 1),
    "the end of a body after the answer": (UNREAD + b"Content-Length: 1\r\n\r\n", b"y", 1),
}


def test_what_comes_too_slowly_is_given_up(hasty: Deployed) -> None:
    with ThreadPoolExecutor(len(DRIPS)) as threads:
        waiting = {
            name: threads.submit(dripping, hasty.port, *drip) for name, drip in DRIPS.items()
        }
        assert_well(hasty)
        ended = {name: one.result() for name, one in waiting.items()}

    assert {name for name, (seconds, _) in ended.items() if seconds > HASTY + 2} == set()
    statuses = {
        name: re.findall(rb"HTTP/1\.1 (\d+)", received) for name, (_, received) in ended.items()
    }
    assert statuses == {
        "nothing at all": [],
        "a head": [b"408"],
        "a header": [b"408"],
        "an address": [b"408"],
        "line ends": [],
        "a second head": [b"200", b"408"],
        "trailers after the answer": [b"405"],
        "a body after the answer": [b"405"],
        "a byte of a body after the answer": [b"405"],
        "the end of a body after the answer": [b"405"],
    }
    assert_well(hasty)


# --- By the book ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"POST / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(HEAD + b"Host: evil.example\r\n\r\n", id="two hosts"),
        pytest.param(b"POST * HTTP/1.1\r\nHost: x\r\n\r\n", id="a star for what is no OPTIONS"),
        pytest.param(b"EHLO localhost\r\n", id="no HTTP"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a b\r\n\r\n", id="a host with a blank"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a,b\r\n\r\n", id="hosts in one header"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a/b?c#d\r\n\r\n", id="a path in the host"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a@b\r\n\r\n", id="a user in the host"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a:b\r\n\r\n", id="a port without digits"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: [::1\r\n\r\n", id="half an IPv6 address"),
        pytest.param(b"POST / HTTP/1.0\r\nHost: a b\r\n\r\n", id="no host in HTTP/1.0"),
        pytest.param(b"POST / HTTP/2.0\r\nHost: x\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"POST / HTTP/0.9\r\nHost: x\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"POST / HTTP/1.2\r\nHost: x\r\n\r\n", id="HTTP/1.2"),
        pytest.param(b"POST /\r\n\r\n", id="no version"),
        pytest.param(HEAD + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip"),
        pytest.param(
            HEAD + JSON + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="gzip in a header of its own",
        ),
        pytest.param(HEAD + JSON + b"Transfer-Encoding: identity\r\n" + SIZED, id="identity"),
        pytest.param(HEAD + b"Bad name: x\r\n\r\n", id="a blank in a header's name"),
    ],
)
def test_what_breaks_http_is_refused_in_the_one_shape(server: Deployed, sent: bytes) -> None:
    assert_refused(exchange(server.port, sent), 400, "INVALID_REQUEST")
    assert "request refused" in server.logged()
    assert_well(server)


def test_http_1_0_needs_no_host(server: Deployed) -> None:
    assert told(exchange(server.port, b"POST / HTTP/1.0\r\n\r\n"))


def test_options_may_be_asked_of_the_whole_server(server: Deployed) -> None:
    reply = exchange(server.port, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", method="OPTIONS")

    assert (reply.status, reply.headers["Allow"]) == (204, "POST, OPTIONS")


@pytest.mark.parametrize(
    "host", ["", "x", "x:80", "x:", "a_b.example.", "192.0.2.1:8080", "[::1]", "[2001:db8::1]:80 "]
)
def test_any_host_is_served(server: Deployed, host: str) -> None:
    assert told(exchange(server.port, f"POST / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))


@pytest.mark.parametrize("target", [b"http://x", b"http://x:80", b"HTTPS://x"])
def test_an_address_without_a_path_is_that_of_the_root(server: Deployed, target: bytes) -> None:
    tail = target + b" HTTP/1.1\r\nHost: x\r\n\r\n"

    assert told(exchange(server.port, b"POST " + tail))
    assert exchange(server.port, b"OPTIONS " + tail, method="OPTIONS").status == 204
    with_query = exchange(server.port, b"POST " + target + b"?a=b" + tail[len(target) :])
    assert (with_query.status, with_query.error["code"]) == (400, "INVALID_REQUEST")
    assert "Connection" not in with_query.headers  # the function's refusal, who knows no parameter


@pytest.mark.parametrize(
    ("version", "expectation", "told_first"),
    [
        (b"1.1", b"100-continue", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"1.1", b"100-Continue \t", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"1.0", b"100-continue", b""),
    ],
)
def test_who_waits_with_a_body_is_told_to_go_on(
    server: Deployed, version: bytes, expectation: bytes, told_first: bytes
) -> None:
    head = HEAD.replace(b"1.1", version) + JSON + b"Expect: " + expectation + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 5) as wire:
        send(wire, [head + b"Connection: close\r\n" + SIZED[: -len(BODY)]])
        if told_first:
            assert wire.recv(len(told_first)) == told_first
        else:
            time.sleep(0.2)
        send(wire, [BODY])
        assert rest_of(wire).startswith(b"HTTP/1.1 200")


def answers(server: Deployed, *parts: bytes, pause: float = 0) -> list[Reply]:
    """Send parts, one after another, and read all answers until the server closes."""
    replies = []
    with socket.create_connection(("127.0.0.1", server.port), 15) as wire:
        for part in parts:
            send(wire, [part])
            time.sleep(pause)
        received = rest_of(wire)
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        length = int((re.search(rb"(?i)content-length: (\d+)", head) or [b"", b"0"])[1])
        head_lines = io.BytesIO(head.partition(b"\r\n")[2] + b"\r\n\r\n")
        replies.append(
            Reply(
                status=int(head[9:12]),
                headers=http.client.parse_headers(head_lines),
                body=received[:length],
            )
        )
        received = received[length:]
    return replies


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, b"Upgrade: x\r\nConnection: upgrade\r\n"])
@pytest.mark.parametrize("body", [SIZED, IN_CHUNKS])
def test_an_offer_of_another_protocol_is_passed_over(
    server: Deployed, offer: bytes, body: bytes
) -> None:
    request = HEAD + JSON + offer + body
    last = HEAD + JSON + b"Connection: close\r\n" + body
    cuts = [request.index(b"\r\n\r\n") + cut for cut in (2, 4, 12)]

    at_once = answers(server, request + request + last)
    in_parts = [answers(server, request[:cut], request[cut:] + last, pause=0.05) for cut in cuts]

    for replies in (at_once, *in_parts):
        assert [told(reply)["name"] for reply in replies] == ["an"] * len(replies)
        assert "upgrade" not in told(replies[0])["headers"]
    assert [len(replies) for replies in (at_once, *in_parts)] == [3, 2, 2, 2]
    assert "upgrade" not in server.logged().lower()
    assert_well(server)


def test_an_offer_of_another_protocol_changes_no_bound(server: Deployed) -> None:
    no_host = b"POST / HTTP/1.1\r\n" + H2C + b"\r\n"

    assert_refused(
        exchange(server.port, HEAD + H2C + fields(100) + b"\r\n"), 431, "HEADERS_TOO_LARGE"
    )
    assert_refused(exchange(server.port, no_host), 400, "INVALID_REQUEST")
    assert told(exchange(server.port, b"POST / HTTP/1.0\r\n" + JSON + H2C + SIZED))["name"] == "an"
    started = time.monotonic()
    many = answers(server, (HEAD + H2C + b"\r\n") * 1000 + HEAD + b"Connection: close\r\n\r\n")
    assert {reply.status for reply in many} == {200}
    assert (len(many), time.monotonic() - started < 5) == (1001, True)


@pytest.mark.parametrize("target", [b"x:443", b"/", b"http://x/"])
def test_connect_is_refused(server: Deployed, target: bytes) -> None:
    sent = b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"

    assert_refused(exchange(server.port, sent), 400, "INVALID_REQUEST")


GOOD: Final = HEAD + JSON + SIZED
BROKEN_BODY: Final = CHUNKED + b"4\r\n" + BODY[:4] + b"\r\nno size\r\n"


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        pytest.param(GOOD + b"BAD\r\n\r\n", [200, 400], id="no HTTP behind"),
        pytest.param(GOOD * 3 + b"BAD\r\n\r\n" + GOOD, [200] * 3 + [400], id="no HTTP amidst"),
        pytest.param(GOOD + b"POST / HTTP/1.1\r\n\r\n", [200, 400], id="no host behind"),
        pytest.param(GOOD + HEAD + fields(200) + b"\r\n", [200, 431], id="a large head behind"),
        pytest.param(GOOD + BROKEN_BODY, [200, 400], id="a broken body behind"),
        pytest.param(GOOD * 2 + BROKEN_BODY + GOOD, [200, 200, 400], id="a broken body amidst"),
        pytest.param(BROKEN_BODY + GOOD, [400], id="a broken body first"),
        pytest.param(GOOD + b"\r\n" * HEAD_BYTES, [200], id="line ends behind"),
        pytest.param(
            HEAD + JSON + b"Connection: close\r\n" + SIZED + b"BAD\r\n\r\n",
            [200],
            id="behind the last",
        ),
    ],
)
@pytest.mark.parametrize("pause", [0, 0.1])
def test_a_refusal_waits_for_the_answers_before_it(
    hasty: Deployed, sent: bytes, statuses: list[int], pause: float
) -> None:
    middle = len(GOOD)
    parts = [sent[:middle], sent[middle:]] if pause else [sent]

    replies = answers(hasty, *parts, pause=pause)

    assert [reply.status for reply in replies][: len(statuses)] == statuses
    assert {reply.status for reply in replies[len(statuses) :]} <= {431}
    assert_well(hasty)


@pytest.mark.parametrize("path", ["/x%0Ay", "/%0A", "/x%0A", "/%0a%0a/x", "/x%E2%80%A8y"])
def test_a_function_answers_at_a_path_with_line_feeds_as_at_any(
    server: Deployed, path: str
) -> None:
    reply = exchange(server.port, f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert told(reply)


# --- Whom it believes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def behind_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with telling(tmp_path_factory.mktemp("tell"), TRUSTED_PROXIES="2") as started:
        yield started


def address(server: Deployed, *forwarded: str) -> object:
    """Return the address that a request with these headers is taken to come from."""
    lines = "".join(f"X-Forwarded-For: {value}\r\n" for value in forwarded)
    return told(exchange(server.port, HEAD + lines.encode() + b"\r\n"))["address"]


@pytest.fixture(scope="module")
def on_both_ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with telling(
        tmp_path_factory.mktemp("tell"),
        TRUSTED_PROXIES="1",
        LOAD_BALANCER_ADDRESSES="203.0.113.1 2001:db8:0:0::1",
    ) as started:
        yield started


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [
        # At its own URL: the front end's word stands at the right, whatever the caller says.
        (["198.51.100.1"], "198.51.100.1"),
        (["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
        (["192.0.2.1, 203.0.113.1, 198.51.100.1"], "198.51.100.1"),
        # Through the load balancer, which appends the caller and itself.
        (["198.51.100.1, 203.0.113.1"], "198.51.100.1"),
        (["192.0.2.1", "198.51.100.1, 203.0.113.1"], "198.51.100.1"),
        (["192.0.2.1, 203.0.113.1, 198.51.100.1,203.0.113.1"], "198.51.100.1"),
        (["2001:db8::2, 2001:DB8::1"], "2001:db8::2"),
        (["192.0.2.1, 203.0.113.1, 203.0.113.1"], "203.0.113.1"),
        (["203.0.113.1"], "127.0.0.1"),
        (["x, 203.0.113.01"], "203.0.113.01"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
def test_past_the_load_balancer_nobody_makes_an_address_up_and_through_it_each_has_their_own(
    on_both_ways: Deployed, claimed: list[str], believed: str
) -> None:
    assert address(on_both_ways, *claimed) == believed


def test_without_trusted_proxies_no_header_is_believed(tmp_path: Path) -> None:
    with telling(tmp_path, TRUSTED_PROXIES="0", K_SERVICE="tell", FORWARDED_ALLOW_IPS="*") as one:
        assert address(one) == "127.0.0.1"
        for claimed in (["192.0.2.1"], ["192.0.2.1, 198.51.100.1"], ["192.0.2.1:80"], ["::1", "x"]):
            assert address(one, *claimed) == "127.0.0.1"


def test_the_server_for_debugging_believes_no_header_either(tmp_path: Path) -> None:
    with telling(tmp_path, DEBUG="true") as one:
        assert address(one, "192.0.2.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [
        (["192.0.2.1, 198.51.100.1, 203.0.113.1"], "198.51.100.1"),
        (["192.0.2.1", "198.51.100.1", "203.0.113.1"], "198.51.100.1"),
        (["198.51.100.1 ,\t203.0.113.1"], "198.51.100.1"),
        # Past one of the proxies, or through one that hides where it comes from: the peer is known.
        (["203.0.113.1"], "127.0.0.1"),
        ([", 203.0.113.1"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
def test_with_trusted_proxies_the_address_is_so_many_from_the_right(
    behind_two: Deployed, claimed: list[str], believed: str
) -> None:
    assert address(behind_two, *claimed) == believed


# --- What is no request ---------------------------------------------------------------------------


def test_an_application_is_told_that_its_server_starts_and_ends() -> None:
    heard: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        while not heard or heard[-1] != "lifespan.shutdown":
            heard.append((await receive())["type"])
            await send({"type": f"{heard[-1]}.complete"})

    async def start_and_end() -> None:
        install()
        config = uvicorn.Config(application, lifespan="auto", log_config=None)
        config.load()
        lifespan = LifespanOn(config)
        await lifespan.startup()
        await lifespan.shutdown()

    asyncio.run(start_and_end())

    assert heard == ["lifespan.startup", "lifespan.shutdown"]
