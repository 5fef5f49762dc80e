"""What pages of other origins may ask, by the headers that their visitors' browsers go by (CORS).

Nothing here has ambient credentials: who may do more sends a token, as any program does. So a page
of another origin can do no more than its author at a terminal, but for one thing: it asks from its
visitors' addresses. What counts by address is therefore closed to such pages, or open with a token.
"""

from collections.abc import Mapping
from typing import Final, Literal

Pages = Literal["own", "with a token", "all"]

_OPEN: Final = {
    "Access-Control-Allow-Origin": "*",
    # Beyond those that every page may read, such as Content-Type.
    "Access-Control-Expose-Headers": (
        "Deprecation, ETag, Link, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, "
        "X-Request-Id"
    ),
}
_A_DAY: Final = "86400"


def answer_headers(pages: Pages, sent: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers by which a browser lets a page of another origin read an answer.

    Args:
        pages: Whose pages may ask: those of our own origin, all, or all that send a token.
        sent: The request's headers, names in lower case.
    """
    is_open = pages == "all" or (pages == "with a token" and "authorization" in sent)
    return _OPEN if is_open else {}


def preflight_headers(
    pages: Pages, sent: Mapping[str, str], *, methods: str, has_body: bool
) -> Mapping[str, str]:
    """Return the headers by which a browser lets a page of another origin ask.

    Args:
        pages: Whose pages may ask.
        sent: The headers of the question whether it may, names in lower case.
        methods: As the `Allow` header lists them.
        has_body: Whether a body is read, which is JSON.
    """
    announced = sent.get("access-control-request-headers", "").lower().split(",")
    if pages == "own" or (
        pages == "with a token" and "authorization" not in {name.strip() for name in announced}
    ):
        return {}
    reads = "GET" in methods
    names = [
        "Authorization",  # has to be named: no * covers it
        *(["Content-Type"] if has_body else []),
        *(["If-None-Match"] if reads else []),
        "X-Request-Id",
    ]
    return {
        **_OPEN,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": ", ".join(names),
        # A browser that remembers this would let the same page ask without a token as well.
        "Access-Control-Max-Age": _A_DAY if pages == "all" else "0",
    }
