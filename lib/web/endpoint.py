"""From a request to values, from values to an answer, and from any fault to one shape of error.

An endpoint is an async function from `Request` to `Answer`; `endpoint` turns it into what the
functions framework serves. What can be refused without it (method, size, type, syntax, a token that
is none, values out of range) is refused first. It runs on the event loop; whatever may block there
goes through `in_thread`.
"""

import functools
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.requests import Request as FrameworkRequest
from starlette.responses import Response

from lib.errors import InternalError, MethodNotAllowed, ServiceError
from lib.settings import require
from lib.web import callers, cors, logs, server
from lib.web.answers import (
    Answer,
    BodyRule,
    Guard,
    Method,
    Rules,
    answer_error,
    data,
    make_response,
)
from lib.web.bodies import read_body
from lib.web.callers import Caller
from lib.web.deprecation import Deprecated
from lib.web.inputs import NOTHING, Inputs
from lib.web.logs import RequestContext
from lib.web.parsing import is_normal, parse_query
from lib.web.settings import ServerSettings, address_bytes
from lib.web.threads import in_thread
from lib.web.tracing import read_context

__all__ = ["Answer", "Request", "data", "endpoint", "in_thread"]

log = logging.getLogger(__name__)

SMALL_BODY: Final = 8 * 1024
IMPORT_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an endpoint is asked, all of it checked.

    Attributes:
        path: As it was sent, still percent-encoded.
        in_path: The value of the path's last segment by its name, where the endpoint takes one.
        query: The value of each parameter that the endpoint takes, or its default.
        body: The value of each member that the endpoint takes, or its default. Empty where no body
            is read.
        at_its_address: Whether path and query are written in the one way that caches know.
        admission: What the endpoint's guard makes of the caller's token; None where an optional one
            is not there.
        headers: Names in lower case; a repeated header's values joined by ", ".
        client_address: The caller's IP address, as far as the proxies in front can be trusted.
    """

    method: str
    path: str
    in_path: Mapping[str, Any]
    query: Mapping[str, Any]
    at_its_address: bool
    body: Mapping[str, Any]
    admission: Any
    headers: Mapping[str, str]
    client_address: str
    request_id: str


Handler = Callable[[Request], Awaitable[Answer]]
FrameworkHandler = Callable[[FrameworkRequest], Awaitable[Response]]


def endpoint(
    method: Method,
    *,
    parameters: Inputs = NOTHING,
    members: Inputs = NOTHING,
    path: Inputs = NOTHING,
    body: BodyRule = "ignored",
    largest_body: int = SMALL_BODY,
    private: bool = False,
    secret: bool = False,
    guard: Guard | None = None,
    roles: Collection[str] = (),
    needs_token: bool = True,
    foreign_pages: bool = False,
    deprecated: Deprecated | None = None,
) -> Callable[[Handler], FrameworkHandler]:
    """Serve a handler under one method; HEAD comes with GET, OPTIONS with every method.

    The arguments are those of `Rules`, which what is served carries as its attribute `rules`, for
    who describes it.
    """
    if foreign_pages and (guard is None or secret):
        raise ValueError("Pages of other origins may ask only what everybody may read, or a token.")
    rules = Rules(
        method=method,
        parameters=parameters,
        members=members,
        path=path,
        body=body,
        largest_body=largest_body,
        private=private,
        secret=secret,
        guard=guard,
        roles=tuple(roles),
        needs_token=needs_token,
        foreign_pages=foreign_pages,
        deprecated=deprecated,
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

    serve.rules = rules  # type: ignore[attr-defined]
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
        opened = cors.preflight_headers(
            rules.pages, headers, methods=rules.allow, has_body=rules.body != "ignored"
        )
        return Answer(status=204, headers={"Allow": rules.allow, **opened})
    if method != rules.method and not (method == "HEAD" and rules.is_read):
        raise MethodNotAllowed(
            f"{method} is not allowed here; allowed: {rules.allow}.", headers={"Allow": rules.allow}
        )
    texts = parse_query(sent, rules.parameters.names)
    members = await _read_members(rules, framework_request, headers)
    admission = _admit(rules, headers)
    path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    in_path = rules.path.read_query({name: path.rpartition("/")[2] for name in rules.path.names})
    query = rules.parameters.read_query(texts)
    return Request(
        method=method,
        path=path,
        in_path=in_path,
        query=query,
        at_its_address="%" not in path
        and is_normal(sent, texts, rules.parameters.names)
        and rules.parameters.is_normal(texts, query),
        body={} if members is None else rules.members.read_body(members),
        admission=admission,
        headers=headers,
        client_address=_find_client_address(framework_request, headers, settings),
        request_id=context.request_id,
    )


async def _read_members(
    rules: Rules, request: FrameworkRequest, headers: Mapping[str, str]
) -> dict[str, Any] | None:
    if rules.body == "ignored":
        return None
    return await read_body(
        request,
        headers,
        rules.members.names,
        largest=rules.largest_body,
        is_needed=rules.body == "required",
    )


def _admit(rules: Rules, headers: Mapping[str, str]) -> Any:
    is_looked_at = rules.needs_token or "authorization" in headers
    if rules.guard is None or not is_looked_at:
        return None
    return rules.guard.admit(headers, roles=rules.roles)


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
