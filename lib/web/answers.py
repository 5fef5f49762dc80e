"""What an endpoint answers, and what every answer carries beside it."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Protocol

from starlette.responses import Response

from lib.errors import ServiceError
from lib.web import cors
from lib.web.deprecation import Deprecated
from lib.web.inputs import Inputs
from lib.web.logs import RequestContext

Method = Literal["GET", "POST", "DELETE"]
BodyRule = Literal["ignored", "optional", "required"]

# Browsers and caches ask again each time and get 304; a shared cache may answer for half a minute.
_CACHE_READS: Final = "public, max-age=0, s-maxage=30, must-revalidate"
# What only some may read is kept by nobody but its reader, who asks again each time, too. So is a
# page under another address than its own, of which a shared cache would keep endless copies.
_CACHE_PRIVATE_READS: Final = "private, no-cache"
NOT_KEPT: Final = "no-store"
_FOR_ITS_CALLER: Final = "private, no-store"
_HEADERS: Final = {"X-Content-Type-Options": "nosniff"}
# RFC 9110, 8.8.3 and 5.6.1: a tag may hold commas, and a list empty members.
_TAG: Final = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint answers: a JSON text, its status, and headers of its own.

    Attributes:
        headers: A `Content-Type`, too, of what is no JSON, and a `Cache-Control` of what caches may
            keep longer, or must not keep at all.
        at_its_address: Whether a shared cache may keep it, as it was asked for in the one way that
            it has; see `parsing.is_normal`.
        tag: Its entity tag where it is known already, as of a body that many get; see `tag_of`.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    at_its_address: bool = True
    tag: str | None = None


class Guard(Protocol):
    """Who looks at the tokens of an endpoint's callers."""

    def admit(self, headers: Mapping[str, str], *, roles: Collection[str]) -> Any:
        """Return what an endpoint needs to admit a caller; raise `Unauthorized` for no token."""
        ...


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an endpoint takes, and so how its answers are dressed; see `endpoint.endpoint`.

    Attributes:
        parameters: What the query takes.
        members: What the body's JSON object takes.
        path: What its last segment is, where that is a value; one at most.
        body: Whether a body is read, and whether there must be one.
        largest_body: In bytes.
        private: Whether a read is only for some: no shared cache may have it.
        secret: Whether answers are for their caller's eyes alone: nobody keeps any of them.
        guard: Who looks at callers' tokens; None where nobody needs one.
        roles: Those that are admitted.
        needs_token: Whether there must be one; else only one that is there has to be valid.
        foreign_pages: Whether pages of other origins may ask with a token; all may ask for what
            everybody may read.
        deprecated: Since when callers should do without it; None where they need not.
    """

    method: Method
    parameters: Inputs
    members: Inputs
    path: Inputs
    body: BodyRule
    largest_body: int
    private: bool
    secret: bool
    guard: Guard | None
    roles: tuple[str, ...]
    needs_token: bool
    foreign_pages: bool
    deprecated: Deprecated | None

    @property
    def is_public_read(self) -> bool:
        """Whether everybody may read it, from any page and out of a shared cache."""
        return self.is_read and not self.private and not self.secret

    @property
    def is_kept(self) -> bool:
        """Whether its readers may keep what they read, and ask for it anew with its tag."""
        return self.is_read and not self.secret

    @property
    def is_read(self) -> bool:
        """Whether it is asked with GET, and so with HEAD."""
        return self.method == "GET"

    @property
    def allow(self) -> str:
        """Return the methods as the `Allow` header lists them."""
        return "GET, HEAD, OPTIONS" if self.is_read else f"{self.method}, OPTIONS"

    @cached_property
    def pages(self) -> cors.Pages:
        """Whose pages may ask; without a token, only where one could do nothing anyway."""
        if self.is_public_read or (self.foreign_pages and self.needs_token):
            return "all"
        return "with a token" if self.foreign_pages else "own"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Return what every answer carries, whatever was sent."""
        deprecation = self.deprecated.headers() if self.deprecated else {}
        return {**_HEADERS, **cors.answer_headers(self.pages, sent={}), **deprecation}


def data(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer `{"data": value}`."""
    return Answer(body=write_json({"data": value}), status=status, headers=headers or {})


def tag_of(body: bytes) -> str:
    """Return a body's entity tag, a strong one."""
    # sha256, as processors have instructions for it: 12 KB take half of blake2b's time.
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def answer_error(error: ServiceError, context: RequestContext) -> Answer:
    """Tell a fault in the one shape that all have."""
    content: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "request_id": context.request_id,
    }
    if error.fields:
        content["fields"] = error.fields
    content.update(error.more)
    return Answer(status=error.status, body=write_json({"error": content}), headers=error.headers)


def make_response(
    rules: Rules, answer: Answer, method: str, sent: Mapping[str, str], context: RequestContext
) -> Response:
    """Dress an answer: cache and CORS headers, the entity tag, 304 for who has it, HEAD's body.

    Args:
        method: Which the request came with.
        sent: The request's headers, names in lower case.
    """
    body, status = answer.body, answer.status
    headers = {**rules.headers, **answer.headers}
    if rules.pages == "with a token":
        headers.update(cors.answer_headers(rules.pages, sent))
    kept = headers.get("Cache-Control", _CACHE_READS)
    # What is not kept, as what is drawn by chance, is not asked for again.
    is_read = rules.is_kept and status == 200 and kept != NOT_KEPT  # noqa: PLR2004
    is_shared = is_read and rules.is_public_read and answer.at_its_address
    if not is_shared:
        # A shared cache would tell everybody the id that its first caller had.
        headers["X-Request-Id"] = context.request_id
    if is_read:
        tag = headers["ETag"] = answer.tag or tag_of(body)
        headers["Cache-Control"] = kept if is_shared else _CACHE_PRIVATE_READS
        if "if-none-match" in sent and _matches(sent["if-none-match"], tag):
            return Response(status_code=304, headers=headers)
    else:
        headers["Cache-Control"] = _FOR_ITS_CALLER if rules.secret else NOT_KEPT
    if not body:
        return Response(status_code=status, headers=headers)
    headers["Content-Length"] = str(len(body))
    headers.setdefault("Content-Type", "application/json")
    return _Dressed(b"" if method == "HEAD" else body, status, headers)


class _Dressed(Response):
    """A response that is complete, so that nothing is looked for that might be missing.

    Args:
        headers: All of them.
    """

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [
            (_wire_name(name), value.encode("latin-1")) for name, value in headers.items()
        ]


@lru_cache(maxsize=64)
def _wire_name(name: str) -> bytes:
    """Return a header's name as it goes over the wire; there are few."""
    return name.lower().encode("latin-1")


def _matches(sent: str, tag: str) -> bool:
    return sent == "*" or (
        _TAGS.fullmatch(sent) is not None and tag in re.findall(r'"[^"]*"', sent)
    )


def write_json(value: object) -> bytes:
    """Return a body: compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
