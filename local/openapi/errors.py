"""The errors that callers meet, from the tree of their classes."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import lib.omdb.faults  # noqa: F401  whose faults are part of the tree
from lib.errors import RetryLater, ServiceError
from lib.search.suggesting import SUGGESTIONS
from lib.web.paging import PAGE

Schema = dict[str, Any]

# Of any function, or before one is found: what is answered to requests that are none yet.
BY_THE_SERVER: Final = ("NOT_FOUND", "ADDRESS_TOO_LONG", "HEADERS_TOO_LARGE")
EVERY: Final = ("INVALID_REQUEST", "METHOD_NOT_ALLOWED", "INTERNAL_ERROR")
WITH_A_BODY: Final = ("REQUEST_TIMEOUT", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
WITH_ROLES: Final = ("UNAUTHORIZED",)
WITH_SOME_ROLES: Final = ("FORBIDDEN",)  # and not all of them, or no keys
WITH_A_DATABASE: Final = ("DATABASE_UNAVAILABLE",)

# What else an error tells, by its code.
_MORE: Final[Mapping[str, str]] = {"INVALID_REQUEST": "fields", "MOVIE_NOT_FOUND": "suggestions"}
# What an answer's headers say of a fault, by its status.
_HEADERS: Final[Mapping[int, str]] = {
    401: "WWW-Authenticate",
    403: "WWW-Authenticate",
    405: "Allow",
}


class Fault(NamedTuple):
    """An error as callers meet it.

    Attributes:
        name: Its class's.
        meaning: What its class's docstring says.
        passes: Whether the answer says when to come back.
    """

    name: str
    status: int
    code: str
    meaning: str
    passes: bool

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that its answer has besides those that every answer has."""
        own = _HEADERS.get(self.status)
        return (*([own] if own else []), *(["Retry-After"] if self.passes else []))


@cache
def read_faults() -> Mapping[str, Fault]:
    """Return every fault by its code, in order of status and code.

    Of classes that share a code, callers meet the one that the others derive from.
    """
    found: dict[str, Fault] = {}
    for kind in _specials(ServiceError):
        if "code" in vars(kind):
            meaning, passes = kind.__doc__ or "", issubclass(kind, RetryLater)
            fault = Fault(kind.__name__, kind.status, kind.code, meaning, passes)
            found.setdefault(kind.code, fault)
    return dict(sorted(found.items(), key=lambda item: (item[1].status, item[0])))


def _specials(kind: type[ServiceError]) -> Iterable[type[ServiceError]]:
    """Yield the classes that derive from one, each before those that derive from it."""
    for special in kind.__subclasses__():
        if special.__module__.startswith("lib."):  # tests make some of their own
            yield special
            yield from _specials(special)


def shape_of(faults: Iterable[Fault]) -> Schema:
    """Return the schema of the answers that tell one of some faults."""
    codes = [fault.code for fault in faults]
    more = {_MORE[code] for code in codes if code in _MORE}
    code: Schema = {"const": codes[0]} if len(codes) == 1 else {"enum": codes}
    error: Schema = {
        "type": "object",
        "required": ["code", "message", "request_id"],
        "properties": {
            "code": {"type": "string", **code},
            "message": {"type": "string", "description": "For people."},
            "request_id": {"type": "string", "description": "Under which our log has it."},
            **{name: schema for name, schema in _MEMBERS.items() if name in more},
        },
    }
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def example_of(fault: Fault) -> Schema:
    """Return what an answer looks like that tells a fault."""
    more = {"fields": {"page": PAGE.rule.rule}, "suggestions": []}
    error = {
        "code": fault.code,
        "message": fault.meaning,
        "request_id": "6c5ab6d3752fba98560fc0b5680a2cdb",
        **{name: value for name, value in more.items() if name == _MORE.get(fault.code)},
    }
    return {"error": error}


_MEMBERS: Final[Mapping[str, Schema]] = {
    "fields": {
        "type": "object",
        "description": "What is wrong with which parameter or member.",
        "additionalProperties": {"type": "string"},
    },
    "suggestions": {
        "type": "array",
        "description": "Movies with nearly the title that was asked for, the nearest first.",
        "maxItems": SUGGESTIONS,
        "items": {"$ref": "#/components/schemas/NamedMovie"},
    },
}
