"""From a request to values, from values to an answer, and from any fault to one shape of error.

An endpoint is an async function from `Request` to `Answer`; `endpoint` turns it into what the
functions framework serves. What can be refused without it (method, size, type, syntax) is refused
first. It runs on the event loop; whatever may block there goes through `in_thread`.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.requests import Request as FrameworkRequest
from starlette.responses import Response

from lib.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RequestTimeout,
    ServiceError,
)
from lib.limits import BODY_TIMEOUT
from lib.settings import require
from lib.web import callers, logs, server
from lib.web.answers import (
    Answer,
    BodyRule,
    Method,
    Rules,
    answer_error,
    data,
    make_response,
    preflight_headers,
)
from lib.web.callers import Caller
from lib.web.logs import RequestContext
from lib.web.parsing import (
    check_content_encoding,
    check_json_content_type,
    is_normal,
    parse_json_object,
    parse_query,
)
from lib.web.settings import ServerSettings, address_bytes
from lib.web.threads import in_thread
from lib.web.tracing import read_context

__all__ = ["Answer", "Request", "data", "endpoint", "in_thread"]

log = logging.getLogger(__name__)

SMALL_BODY: Final = 8 * 1024
IMPORT_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an endpoint is asked, already checked as far as every endpoint checks it.

    Attributes:
        path: As it was sent, still percent-encoded.
        query: Decoded parameters; each is allowed and stands there once.
        body: The JSON object's members; each is allowed. Empty where no body is read.
        at_its_address: Whether path and query are written in the one way that caches know.
        headers: Names in lower case; a repeated header's values joined by ", ".
        client_address: The caller's IP address, as far as the proxies in front can be trusted.
    """

    method: str
    path: str
    query: Mapping[str, str]
    at_its_address: bool
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    client_address: str
    request_id: str


Handler = Callable[[Request], Awaitable[Answer]]
FrameworkHandler = Callable[[FrameworkRequest], Awaitable[Response]]


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
    rules = Rules(
        method=method,
        parameters=tuple(parameters),
        members=tuple(members),
        body=body,
        largest_body=largest_body,
        private=private,
    )

    return functools.partial(_serve, rules)


def _serve(rules: Rules, handler: Handler) -> FrameworkHandler:
    settings = require(ServerSettings)
    logs.configure(settings)
    server.install()

    @functools.wraps(handler)
    async def serve(framework_request: FrameworkRequest) -> Response:
        headers = _join_headers(framework_request)
        context = read_context(headers)
        logs.current_request.set(context)
        work = _handle(
            handler, framework_request, rules, settings, headers=headers, context=context
        )
        answer = await _explain_faults(work, framework_request.method, context)
        return make_response(rules, answer, framework_request.method, headers, context)

    return serve


async def _handle(
    handler: Handler,
    framework_request: FrameworkRequest,
    rules: Rules,
    settings: ServerSettings,
    *,
    headers: Mapping[str, str],
    context: RequestContext,
) -> Answer:
    request = await _read_request(rules, settings, framework_request, headers, context)
    if isinstance(request, Answer):
        return request
    callers.current.set(Caller(framework_request.is_disconnected))
    answer = await handler(request)
    return answer if request.at_its_address else replace(answer, at_its_address=False)


async def _explain_faults(work: Awaitable[Answer], method: str, context: RequestContext) -> Answer:
    """Return the answer that is being worked on, or what a fault on the way is to the caller."""
    try:
        return await work
    except ServiceError as error:
        _log(error, method)
        return answer_error(error, context)
    except ClientDisconnect:
        # Nobody listens any more; the framework wants an answer all the same.
        return Answer(status=499)
    except Exception:
        log.exception("unforeseen fault")
        fault = InternalError(
            "Something failed on our side. The fault is logged under this request id."
        )
        return answer_error(fault, context)


async def _read_request(
    rules: Rules,
    settings: ServerSettings,
    framework_request: FrameworkRequest,
    headers: Mapping[str, str],
    context: RequestContext,
) -> Request | Answer:
    scope = framework_request.scope
    method, sent = scope["method"], scope["query_string"]
    if method == "OPTIONS":
        return Answer(status=204, headers={"Allow": rules.allow, **preflight_headers(rules)})
    if method != rules.method and not (method == "HEAD" and rules.is_read):
        raise MethodNotAllowed(
            f"{method} is not allowed here; allowed: {rules.allow}.", headers={"Allow": rules.allow}
        )
    path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    query = parse_query(sent, rules.parameters)
    return Request(
        method=method,
        path=path,
        query=query,
        at_its_address="%" not in path and is_normal(sent, query, rules.parameters),
        body=await _read_body(rules, framework_request, headers) if rules.body != "ignored" else {},
        headers=headers,
        client_address=_find_client_address(framework_request, headers, settings),
        request_id=context.request_id,
    )


async def _read_body(
    rules: Rules, request: FrameworkRequest, headers: Mapping[str, str]
) -> dict[str, Any]:
    sent = await _receive(request, headers.get("content-length", ""), rules.largest_body)
    if not sent and rules.body == "optional":
        return {}
    if not sent.strip():
        raise InvalidRequest("The body is empty; expected a JSON object.")
    check_json_content_type(headers.get("content-type", ""))
    check_content_encoding(headers.get("content-encoding", ""))
    return parse_json_object(sent, rules.members)


async def _receive(request: FrameworkRequest, declared: str, largest: int) -> bytes:
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


def _find_client_address(
    request: FrameworkRequest, headers: Mapping[str, str], settings: ServerSettings
) -> str:
    # With fewer hops than proxies it came another way than it should, and its peer is what we know.
    proxies = settings.proxies
    if proxies:
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        # Who comes past the load balancer cannot come from its address, so cannot end so either.
        if settings.load_balancers and address_bytes(hops[-1]) in settings.load_balancers:
            del hops[-1]
        if len(hops) >= proxies and hops[-proxies]:
            return hops[-proxies][:64]
    return request.client.host if request.client else "unknown"


def _join_headers(request: FrameworkRequest) -> dict[str, str]:
    sent = request.scope["headers"]
    once = {name.decode("latin-1"): value.decode("latin-1").strip(" \t") for name, value in sent}
    if len(once) == len(sent):
        return once
    values: dict[str, list[str]] = {}
    for name, value in sent:
        # The blanks around a value are none of it (RFC 9110, 5.5), but servers may leave them.
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1").strip(" \t"))
    return {name: ", ".join(lines) for name, lines in values.items()}


def _log(error: ServiceError, method: str) -> None:
    # A line each, and in it nothing that the caller sent. What caused a fault is told where it was
    # met; this says what became of the request.
    fields = {"code": error.code, "status": error.status, "method": method}
    if error.status < 500:  # noqa: PLR2004
        log.info("request refused", extra={"fields": fields})
    else:
        log.warning("request failed", extra={"fields": fields})
