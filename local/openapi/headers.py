"""The headers that requests and answers have."""

from collections.abc import Mapping
from typing import Any, Final

from lib.imports import asking

Header = dict[str, Any]


def _always(description: str, example: str) -> Header:
    return {**_perhaps(description, example), "required": True}


def _perhaps(description: str, example: str) -> Header:
    return {"description": description, "schema": {"type": "string"}, "example": example}


REQUEST_ID: Final = "X-Request-Id"
UNLESS_SHARED: Final = "-Unless-Shared"  # behind the name of one that is not always there
OF_READS: Final = ("If-None-Match",)
OF_ANSWERS: Final[Mapping[str, Header]] = {
    REQUEST_ID: _always(
        "The request's id: yours, if you sent a sane one.", "6c5ab6d3752fba98560fc0b5680a2cdb"
    ),
    REQUEST_ID + UNLESS_SHARED: _perhaps(
        "The request's id, where no shared cache keeps the answer.",
        "6c5ab6d3752fba98560fc0b5680a2cdb",
    ),
    "Cache-Control": _always("Who may keep the answer, and for how long.", "no-store"),
    "ETag": _always(
        "What tells this answer from others: send it as `If-None-Match`.",
        '"7f83b1657ff1fc53b92dc18148a1d65d"',
    ),
    "Link": _always(
        "Where to go on: `first`, and `prev` and `next` where there is such a page (RFC 8288).",
        '</movies.list?page=1&number_of_records=10>; rel="first"',
    ),
    "Retry-After": {
        **_always("When to come back, in seconds.", "5"),
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    },
    "Location": _always("Where to go.", "/docs"),
    "Vary": _always("On which header of the request the answer depends.", "Accept"),
    "Allow": _always("The methods that are allowed.", "GET, HEAD, OPTIONS"),
    "WWW-Authenticate": _always("Which token is missing, or what is wrong with it.", "Bearer"),
    "RateLimit-Policy": _perhaps(
        "How many requests (`q`) of one client are taken in so many seconds (`w`), where a load "
        "balancer counts them.",
        '"api";q=600;w=60',
    ),
    "Deprecation": _always("Since when to do without this (RFC 9745).", "@1796083200"),
    "Sunset": _always("From when on this may be gone (RFC 8594).", "Tue, 01 Jun 2027 00:00:00 GMT"),
}
OF_REQUESTS: Final[Mapping[str, Header]] = {
    "If-None-Match": {
        "description": "The `ETag` of an earlier answer: 304 if it is still the same.",
        "schema": {"type": "string"},
    },
    **{
        name: {"description": one.about, "schema": one.schema()}
        for name, one in asking.HEADERS.each.items()
    },
}
