"""The server around a function: what it takes before a request is complete, and whom it believes.

functions-framework starts uvicorn, under gunicorn, and passes no settings on to it. uvicorn itself
reads a head of any length and for any time, takes trailers for headers, and has every request that
comes from this machine tell its own origin. `install` puts ours where uvicorn looks for what is
meant by "auto", so that it holds whatever starts uvicorn once a function is loaded.
"""

import asyncio
import logging
import os
import re
from typing import Any, Final

import httptools
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from lib.errors import AddressTooLong, HeadersTooLarge, InvalidRequest, RequestTimeout, ServiceError
from lib.limits import HEAD_TIMEOUT
from lib.web import logs
from lib.web.answers import answer_error
from lib.web.tracing import read_context

log = logging.getLogger(__name__)

# Google's front end passes on as many bytes of address and headers together.
HEAD_BYTES: Final = 64 * 1024
HEADER_FIELDS: Final = 100

# A name, an IPv4 or an IPv6 address, and perhaps a port; or nothing.
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~%-]*|\[[A-Za-z0-9.:%_~-]+\])(?::[0-9]{0,5})?")
_EXECUTION_ID: Final = b"function-execution-id"
_ADDRESS_WITHOUT_PATH: Final = re.compile(rb"(?i)(https?://[^/?#]+)(?=[?#]|\Z)")


class RefusingProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, which tells refusals as `endpoint` does, and in their turn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusal: ServiceError | None = None
        self._last_words: bytes | None = None  # a refusal that waits for the answers before it
        self._in_head = False
        self._in_body = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nothing behind."""
        self._stop_timer()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Go on with the next request, or to the refusal that waited for this answer."""
        if self._last_words is None or self.pipeline or self.transport.is_closing():
            super().on_response_complete()
        else:
            self.transport.write(self._last_words)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Tell what is wrong when its turn has come; the connection is of no more use."""
        del msg
        self._stop_timer()
        is_queued = self._in_body and bool(self.pipeline)
        if is_queued:
            self.pipeline.popleft()  # the one whose body it is; others are answered before
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_queued or (is_answering and not self._in_body):
            self._last_words = self._write_refusal()
            return
        # To a request whose answer has begun there is nothing to add.
        if not (self._in_body and self.cycle.response_started):
            self.transport.write(self._write_refusal())
        self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        self._refusal = error
        raise error  # out of the parser, which ends in `send_400_response`

    def _write_refusal(self) -> bytes:
        error = self._refusal or InvalidRequest("This is no HTTP/1.1.")
        context = read_context(
            {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers or ()}
        )
        token = logs.current_request.set(context)
        fields = {"code": error.code, "status": error.status}
        log.info("request refused", extra={"fields": fields})
        logs.current_request.reset(token)
        body = answer_error(error, context).body
        lines = [
            *(name + b": " + value for name, value in self.server_state.default_headers),
            f"x-request-id: {context.request_id}".encode(),
            b"x-content-type-options: nosniff",
            b"cache-control: no-store",
            b"connection: close",
            b"content-type: application/json",
            f"content-length: {len(body)}".encode(),
        ]
        return STATUS_LINE[error.status] + b"\r\n".join([*lines, b"", body])

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_TIMEOUT, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle and not self.cycle.response_complete:
            self._start_timer()  # the next request may wait for the answer to this one
        elif self._in_head:
            self._refusal = RequestTimeout(
                f"The request did not arrive within {HEAD_TIMEOUT:.0f} seconds."
            )
            self.send_400_response("")
        else:
            self.transport.close()


class BoundedProtocol(RefusingProtocol):
    """HTTP/1.1 for callers who come to the point.

    A head may take so many bytes and fields, and whatever is no body so many seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_upgrade = False  # whether the head offers another protocol
        self._head_bytes = 0
        self._advanced = False  # whether what came last brought a head, a body or their end on
        self._idle_bytes = 0  # what came since then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless a request does not get on by it."""
        if self._last_words is not None:
            return
        self._advanced = False
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        if self.transport.is_closing() or self._last_words is not None:
            return
        self._idle_bytes = 0 if self._advanced else self._idle_bytes + len(data)
        # Of a request that is answered nothing more is read, and uvicorn no longer minds the time.
        is_surplus = self.cycle is None or self.cycle.response_complete
        if self._advanced and not is_surplus:
            self._stop_timer()
        if self._in_head or not self._advanced or is_surplus:
            self._start_timer()
        if self._idle_bytes > HEAD_BYTES:
            self._refusal = _too_large()
            self.send_400_response("")

    def _feed(self, data: bytes) -> None:
        """Have it parsed, as if nobody had offered another protocol (RFC 9110, 7.8).

        At such an offer the parser ends the request with its head. Another one goes on, and is told
        that head again without the offer.
        """
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as stop:
                rest, head = rest[stop.args[0] :], self._head_without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
                self.parser.feed_data(head)
            else:
                return

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head, self._in_body = True, False
        self._is_upgrade, self._head_bytes = False, 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        if len(self.url) > HEAD_BYTES:
            self._refuse(
                AddressTooLong(
                    f"The address is longer than the {HEAD_BYTES:,} bytes that are read."
                )
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no trailer: nobody here asks for one (RFC 9110, 6.5.1)."""
        if not self._in_head:
            return
        # The blanks around a value are none of it (RFC 9110, 5.5).
        super().on_header(name, value.strip(b" \t"))
        self._head_bytes += len(name) + len(value) + 4
        if len(self.headers) > HEADER_FIELDS or self._head_bytes + len(self.url) > HEAD_BYTES:
            self._refuse(_too_large())

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._in_head, self._advanced = False, True
        self._check_head()
        self._is_upgrade = self.parser.should_upgrade()
        if self._is_upgrade:
            return
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # nobody would understand it (RFC 9110, 10.1.1)
        if not self.url.startswith(b"/"):
            self.url = b"/" if self.url == b"*" else _ADDRESS_WITHOUT_PATH.sub(rb"\1/", self.url)
        super().on_headers_complete()
        self._in_body = True

    def _check_head(self) -> None:
        """Refuse what is no HTTP/1.1, says not for whom it is, or has a body in an odd form."""
        version, method = self.parser.get_http_version(), self.parser.get_method()
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if version not in {"1.0", "1.1"}:
            self._refuse(InvalidRequest("This is no HTTP/1.1."))
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            self._refuse(InvalidRequest("A request needs one Host header."))
        if not all(_HOST.fullmatch(host) for host in hosts):
            self._refuse(InvalidRequest("The Host header is no host."))
        if codings not in ([], [b"chunked"]):
            self._refuse(InvalidRequest("The only transfer coding that is read is chunked."))
        if method == b"CONNECT":
            self._refuse(InvalidRequest("This is no proxy."))
        if self.url == b"*" and method != b"OPTIONS":
            self._refuse(InvalidRequest("Only OPTIONS can be asked of *."))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, whose size and time are the endpoint's matter."""
        self._advanced = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._advanced = True
        if self._is_upgrade:
            return
        super().on_message_complete()
        # What is refused next has said nothing yet.
        self._in_body, self.headers = False, []


def install() -> None:
    """Put ours in the place of uvicorn's."""
    auto.AutoHTTPProtocol = BoundedProtocol
    ProxyHeadersMiddleware.__call__ = _believe_nothing  # type: ignore[method-assign,assignment]
    register_url_convertor("path", AnyPathConvertor())


class AnyPathConvertor(PathConvertor):
    """Any path, as Starlette says, but for line feeds that it leaves out."""

    regex = "(?s:.*)"


async def _believe_nothing(
    self: ProxyHeadersMiddleware, scope: Scope, receive: Receive, send: Send
) -> None:
    """Leave the peer's address what it is; whom to believe beyond it, `TRUSTED_PROXIES` says."""
    # That the server starts or ends has no headers.
    headers = scope.get("headers")
    if headers is not None and all(name != _EXECUTION_ID for name, _ in headers):
        # functions-framework would make one, and take longer for that than we for a 404.
        headers.append((_EXECUTION_ID, os.urandom(6).hex().encode()))
    await self.app(scope, receive, send)  # type: ignore[arg-type]


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(
        f"A request may have {HEADER_FIELDS} header fields, of {HEAD_BYTES:,} bytes together with "
        "its address."
    )
