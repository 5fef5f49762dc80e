"""From a request to values, from values to an answer, and from any fault to one shape of error.

An endpoint is an async function from `Request` to `Answer`; `endpoint` turns it into what the
functions framework serves. What can be refused without it (method, size, type, syntax) is refused
first. It runs on the event loop; whatever may block there goes through `in_thread`.
"""

import asyncio
import contextvars
import functools
import hashlib
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Literal, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect
from starlette.requests import Request as FrameworkRequest
from starlette.responses import Response

from lib import logs
from lib.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RequestTimeout,
    ServiceError,
    UnsupportedMediaType,
)
from lib.logs import RequestContext
from lib.parsing import check_json_content_type, parse_json_object, parse_query
from lib.settings import BODY_TIMEOUT, HANDLER_THREADS, ServerSettings, require

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# They start with the first work, which comes after the server's fork.
_threads: Final = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="work")

SMALL_BODY: Final = 64 * 1024
IMPORT_BODY: Final = 4 * 1024 * 1024

Method = Literal["GET", "POST", "DELETE"]
BodyRule = Literal["ignored", "optional", "required"]

# Browsers and caches ask again each time and get 304; a shared cache may answer for half a minute.
_CACHE_READS: Final = "public, max-age=0, s-maxage=30, must-revalidate"
# What only some may read is kept by nobody but its reader, who asks again each time, too.
_CACHE_PRIVATE_READS: Final = "private, no-cache"
_HEADERS: Final = {"X-Content-Type-Options": "nosniff"}
_HEADERS_OF_READS: Final = {
    **_HEADERS,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, X-Request-Id",
}
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# https://www.w3.org/TR/trace-context/#traceparent-header: ids of zeros are none, nor is version ff.
_TRACEPARENT: Final = re.compile(
    r"(?:(00)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}"
    r"(?(1)|(?:-.*)?)",
    re.ASCII,
)
_CLOUD_TRACE: Final = re.compile(r"(?!0{32})([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;.*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an endpoint is asked, already checked as far as every endpoint checks it.

    Attributes:
        path: As it was sent, still percent-encoded.
        query: Decoded parameters; each is allowed and stands there once.
        body: The JSON object's members; each is allowed. Empty where no body is read.
        headers: Names in lower case; a repeated header's values joined by ", ".
        client_address: The caller's IP address, as far as the proxies in front can be trusted.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    client_address: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint answers: a JSON text, its status, and headers of its own."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Answer]]
FrameworkHandler = Callable[[FrameworkRequest], Awaitable[Response]]


def data(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer `{"data": value}`."""
    return Answer(body=_json({"data": value}), status=status, headers=headers or {})


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits, for OMDb or a transaction, without holding up the event loop."""
    run = functools.partial(contextvars.copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, run)


def endpoint(
    method: Method,
    *,
    parameters: Collection[str] = (),
    members: Collection[str] = (),
    body: BodyRule = "ignored",
    largest_body: int = SMALL_BODY,
    private: bool = False,
) -> Callable[[Handler], FrameworkHandler]:
    """Serve a handler under one method; HEAD comes with GET, OPTIONS with every method.

    Args:
        parameters: The names allowed in the query.
        members: The names allowed in the body's JSON object.
        body: Whether a body is read, and whether there must be one.
        largest_body: In bytes.
        private: Whether a read is only for some: no shared cache and no foreign page may have it.
    """
    rules = _Rules(
        method=method,
        parameters=tuple(parameters),
        members=tuple(members),
        body=body,
        largest_body=largest_body,
        private=private,
    )

    def decorate(handler: Handler) -> FrameworkHandler:
        server = require(ServerSettings)
        logs.configure(server)

        @functools.wraps(handler)
        async def serve(framework_request: FrameworkRequest) -> Response:
            headers = _headers(framework_request)
            context = request_context(headers)
            logs.current_request.set(context)
            try:
                request = await _request(rules, server, framework_request, headers, context)
                answer = request if isinstance(request, Answer) else await handler(request)
            except ServiceError as error:
                answer = error_answer(error, context)
            except ClientDisconnect:
                # Nobody listens any more; the framework wants an answer all the same.
                answer = Answer(status=499)
            except Exception:
                log.exception("unforeseen fault")
                answer = error_answer(
                    InternalError(
                        "Something failed on our side. The fault is logged under this request id."
                    ),
                    context,
                )
            return _response(rules, answer, framework_request.method, headers, context)

        return serve

    return decorate


@dataclass(frozen=True, kw_only=True)
class _Rules:
    method: Method
    parameters: tuple[str, ...]
    members: tuple[str, ...]
    body: BodyRule
    largest_body: int
    private: bool

    @property
    def is_public_read(self) -> bool:
        return self.is_read and not self.private

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    @property
    def allow(self) -> str:
        return "GET, HEAD, OPTIONS" if self.is_read else f"{self.method}, OPTIONS"

    @property
    def headers(self) -> Mapping[str, str]:
        return _HEADERS_OF_READS if self.is_public_read else _HEADERS


async def _request(
    rules: _Rules,
    server: ServerSettings,
    framework_request: FrameworkRequest,
    headers: Mapping[str, str],
    context: RequestContext,
) -> Request | Answer:
    scope = framework_request.scope
    method = scope["method"]
    if method == "OPTIONS":
        return Answer(status=204, headers={"Allow": rules.allow, **_preflight(rules)})
    if method != rules.method and not (method == "HEAD" and rules.is_read):
        raise MethodNotAllowed(
            f"{method} is not allowed here; allowed: {rules.allow}.", headers={"Allow": rules.allow}
        )
    return Request(
        method=method,
        path=scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1"),
        query=parse_query(scope["query_string"], rules.parameters),
        body=await _body(rules, framework_request, headers) if rules.body != "ignored" else {},
        headers=headers,
        client_address=_client_address(framework_request, headers, server.proxies),
        request_id=context.request_id,
    )


async def _body(
    rules: _Rules, request: FrameworkRequest, headers: Mapping[str, str]
) -> dict[str, Any]:
    sent = await _read(request, headers.get("content-length", ""), rules.largest_body)
    if not sent and rules.body == "optional":
        return {}
    if not sent.strip():
        raise InvalidRequest("The body is empty; expected a JSON object.")
    check_json_content_type(headers.get("content-type", ""))
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("The body must come without a Content-Encoding.")
    return parse_json_object(sent, rules.members)


async def _read(request: FrameworkRequest, declared: str, largest: int) -> bytes:
    too_large = BodyTooLarge(
        f"The body is larger than the {largest:,} bytes that are read here.",
        headers={"Connection": "close"},
    )
    if declared.isdecimal() and int(declared[-20:]) > largest:
        raise too_large
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                received += chunk
                if len(received) > largest:
                    raise too_large
    except TimeoutError:
        raise RequestTimeout(
            f"The body did not arrive within {BODY_TIMEOUT:.0f} seconds.",
            headers={"Connection": "close"},
        ) from None
    return bytes(received)


def _response(
    rules: _Rules, answer: Answer, method: str, sent: Mapping[str, str], context: RequestContext
) -> Response:
    body, status = answer.body, answer.status
    headers = {"X-Request-Id": context.request_id, **rules.headers, **answer.headers}
    if rules.is_read and status == 200:  # noqa: PLR2004
        # sha256, as processors have instructions for it: 12 KB take half of blake2b's time.
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers["ETag"] = tag
        headers["Cache-Control"] = _CACHE_PRIVATE_READS if rules.private else _CACHE_READS
        if "if-none-match" in sent and _matches(sent["if-none-match"], tag):
            return Response(status_code=304, headers=headers)
    else:
        headers.setdefault("Cache-Control", "no-store")
    if not body:
        return Response(status_code=status, headers=headers)
    headers["Content-Length"] = str(len(body))
    headers["Content-Type"] = "application/json"
    return Response(b"" if method == "HEAD" else body, status_code=status, headers=headers)


def error_answer(error: ServiceError, context: RequestContext) -> Answer:
    """Tell a fault in the one shape that all have."""
    content: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "request_id": context.request_id,
    }
    if error.fields:
        content["fields"] = error.fields
    return Answer(status=error.status, body=_json({"error": content}), headers=error.headers)


def request_context(headers: Mapping[str, str]) -> RequestContext:
    """Name the request: as its caller does, else by its trace, else by chance.

    Args:
        headers: Names in lower case.
    """
    trace = span = None
    if found := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        trace, span = found[2], found[3]
    elif found := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", "")):
        trace = found[1]
        span = f"{int(found[2]) % 2**64:016x}" if found[2] else None
    sent = headers.get("x-request-id", "")
    request_id = sent if _REQUEST_ID.fullmatch(sent) else trace or os.urandom(16).hex()
    return RequestContext(request_id=request_id, trace=trace, span=span)


def _client_address(request: FrameworkRequest, headers: Mapping[str, str], proxies: int) -> str:
    if proxies:
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        if len(hops) >= proxies and hops[-proxies]:
            return hops[-proxies][:64]
    return request.client.host if request.client else "unknown"


def _headers(request: FrameworkRequest) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _preflight(rules: _Rules) -> dict[str, str]:
    if not rules.is_public_read:
        return {}
    return {
        "Access-Control-Allow-Methods": rules.allow,
        "Access-Control-Allow-Headers": "If-None-Match, X-Request-Id",
        "Access-Control-Max-Age": "86400",
    }


def _matches(sent: str, tag: str) -> bool:
    candidates = {part.strip().removeprefix("W/") for part in sent.split(",")}
    return tag in candidates or "*" in candidates


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
