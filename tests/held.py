"""Every answer that a test gets is held against the API's description.

What a service says on the wire has to be what `openapi.json` promises: a status that the operation
has, its headers, a body that fits. `client` gives callers that hold what they are answered, and
`tests/deployed.py` does the same for bytes on a socket.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from jsonschema_rs import Draft202012, Draft202012Validator, Registry
from starlette.types import ASGIApp

from local.environment import ROOT
from local.gateway import decode
from local.openapi.errors import BY_THE_SERVER
from local.servers import Server

DOCUMENT: Final = ROOT / "functions" / "api_docs" / "openapi.json"
METHODS: Final = ("get", "post", "delete")
# What is asked with others, and what for of a function's own URL, the functions framework answers.
_ANSWERED: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FRAMEWORK: Final = ("/robots.txt", "/favicon.ico")
_URN: Final = "urn:document"
# What connections, servers and caches are told, and browsers: no operation names it.
_OF_THE_TRANSPORT: Final = re.compile(
    "connection|content-encoding|content-length|content-type|date|server|transfer-encoding|vary"
    "|access-control-[a-z-]+|content-security-policy|cross-origin-opener-policy|referrer-policy"
    "|x-content-type-options"
)
_REQUEST_LINE: Final = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.[01]\r?\n")


class Unkept(AssertionError):
    """An answer is not what the document promises."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, as far as it decides what may be answered.

    Attributes:
        target: Path and query, as they were sent.
        function: Whose own URL was asked, where any path will do; None at the address of all.
    """

    method: str
    target: str
    function: str | None = None

    @property
    def path(self) -> str:
        """Return the path without the version before it, as the gateway looks at it."""
        sent = self.target.partition("?")[0]
        path = decode(urlsplit(sent).path if sent.startswith("http") else sent)
        return path.removeprefix("/v1") or "/" if f"{path}/".startswith("/v1/") else path


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Document:
    """What an OpenAPI document promises, compiled as it is needed.

    Args:
        content: The document. A member that a shape does not name is not promised, and so none
            that may come; the document leaves that open, as callers must.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = closed(content)
        self._registry = Registry([(_URN, self._content)], draft=Draft202012)
        self._validators: dict[tuple[str, ...], Draft202012Validator] = {}

    def hold(self, asked: Asked, said: Said) -> None:
        """See that an answer is one that the document knows.

        Raises:
            Unkept: It is not; the message says what, and of which request.
        """
        by_framework = asked.function is not None and asked.path in _FRAMEWORK
        if asked.method not in _ANSWERED or by_framework:
            return
        for fault in self._faults(asked, said):
            raise Unkept(
                f"{asked.method} {asked.target[:200]} was answered with {said.status}: {fault}\n"
                f"{dict(said.headers)}\n{said.body[:1000]!r}"
            )

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield the path, the method and the description of each operation."""
        for path, item in self._content["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def _faults(self, asked: Asked, said: Said) -> Iterator[str]:
        path = self._path_of(asked)
        if asked.method == "HEAD" and said.body:
            yield "an answer to HEAD has no body"
        if said.status >= 400 and _code_of(said) in BY_THE_SERVER:
            return  # it can meet any request, and no operation names it
        if path is None:
            if said.status != 404 and asked.path != "*":
                yield "the document does not know the path"
            return
        item = self._content["paths"][path]
        method = "get" if asked.method == "HEAD" else asked.method.lower()
        if method == "options":
            yield from _faults_of_options(said)
            return
        if method not in item:
            # Every operation of a path refuses a method that the path has not, in the same way.
            method = next(one for one in METHODS if one in item)
            if said.status != 405:
                yield "the method is not one of the path's"
        where = ("paths", path, method, "responses", str(said.status))
        if where[-1] not in item[method]["responses"]:
            yield f"{item[method]['operationId']} knows no such status"
            return
        yield from self._misfits(where, asked, said)

    def _path_of(self, asked: Asked) -> str | None:
        """Return the path of the document that a request belongs to.

        One with an id is also that of a request without one, which is told what is missing.
        """
        for path, _, operation in self.operations():
            if asked.function == operation["operationId"]:
                return path
        parent = asked.path.rpartition("/")[0]
        parents = {path.partition("/{")[0]: path for path in self._content["paths"] if "/{" in path}
        if asked.path in self._content["paths"]:
            return asked.path
        return parents.get(asked.path, parents.get(parent))

    def _misfits(self, where: tuple[str, ...], asked: Asked, said: Said) -> Iterator[str]:
        where, response = self._find(where)
        yield from self._misfits_of_headers((*where, "headers"), said.headers)
        content = response.get("content", {})
        if not content:
            if said.body:
                yield "there should be no body"
            return
        kind = said.headers.get("content-type", "").partition(";")[0]
        if not any(fnmatch(kind, promised) for promised in content):
            yield f"a body is {', '.join(content)}, and not '{kind}'"
        elif kind == "application/json" and asked.method != "HEAD":
            yield from self._misfits_of((*where, "content", kind, "schema"), said.body)

    def _misfits_of_headers(
        self, where: tuple[str, ...], headers: Mapping[str, str]
    ) -> Iterator[str]:
        described = self._at(where[:-1]).get("headers", {})
        known = {name.lower() for name in described}
        for name in sorted(headers.keys() - known):
            if not _OF_THE_TRANSPORT.fullmatch(name):
                yield f"the header {name} is not described"
        for name in described:
            found, header = self._find((*where, name))
            if name.lower() in headers:
                yield from self._misfits_of_header((*found, "schema"), headers[name.lower()], name)
            elif header.get("required"):
                yield f"the header {name} is missing"

    def _misfits_of_header(self, where: tuple[str, ...], value: str, name: str) -> list[str]:
        misfits = list(self._misfits_of(where, value, name))
        # A header is a text; its schema says how it is to be read.
        if misfits and value.isdecimal():
            misfits = list(self._misfits_of(where, int(value), name))
        return misfits

    def _misfits_of(
        self, where: tuple[str, ...], value: bytes | object, name: str = "the body"
    ) -> Iterator[str]:
        if isinstance(value, bytes):
            try:
                value = json.loads(value)
            except ValueError:
                yield f"{name} is no JSON"
                return
        if where not in self._validators:
            pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in where)
            self._validators[where] = Draft202012Validator(
                {"$ref": f"{_URN}#/{quote(pointer)}"},
                registry=self._registry,
                validate_formats=True,
            )
        for error in self._validators[where].iter_errors(value):
            yield f"{name} at /{'/'.join(map(str, error.instance_path))}: {error.message}"

    def _find(self, where: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, Any]]:
        """Return what is at a place, and where it really stands, if it is only referred to."""
        found = self._at(where)
        if "$ref" in found:
            return self._find(tuple(found["$ref"].removeprefix("#/").split("/")))
        return where, found

    def _at(self, where: tuple[str, ...]) -> Mapping[str, Any]:
        return functools.reduce(lambda found, part: found[part], where, self._content)


def closed(node: Any) -> Any:
    """Return a part of a document, whose shapes have the members that they name and no others.

    What a combination (`allOf`) is made of stays open, as its parts know only their own members;
    the combination itself is closed.
    """
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    combined = {name: node[name] for name in ("allOf",) if name in node}
    made = {name: closed(one) for name, one in node.items() if name not in combined} | combined
    is_shape = isinstance(node.get("properties"), dict) or combined
    if is_shape and not node.keys() & {"additionalProperties", "unevaluatedProperties"}:
        made["unevaluatedProperties"] = False
    return made


def _code_of(said: Said) -> str | None:
    """Return the code of an error, without a look at anything else of it."""
    with suppress(ValueError, LookupError, TypeError):
        return str(json.loads(said.body)["error"]["code"])
    return None


def _faults_of_options(said: Said) -> Iterator[str]:
    if said.status == 204 and "allow" not in said.headers:
        yield "it says not what is allowed"
    elif said.status != 204:
        yield "OPTIONS is answered with 204"


@functools.cache
def document() -> Document:
    """Return this API's document."""
    return Document(json.loads(DOCUMENT.read_text(encoding="utf-8")))


# What is at which port of this machine: a function's name, or None for all of them at one address.
_served: Final[dict[int, str | None]] = {}


@contextmanager
def known(port: int, function: str | None = None) -> Iterator[None]:
    """Know who answers at a port until the end of the block; see `hold_bytes` and `client`."""
    _served[port] = function
    try:
        yield
    finally:
        del _served[port]


@contextmanager
def serving(app: ASGIApp, function: str | None = None) -> Iterator[Server]:
    """Serve one of our functions, or all of them, whose answers are held against the document."""
    with Server(app) as server, known(server.port, function):
        yield server


def hold_bytes(port: int, sent: bytes, said: Said) -> None:
    """Hold an answer to bytes on a socket against the document, if it is known who gave it.

    Args:
        sent: What was sent, from its beginning to at least the end of the request's first line.
            What is no request has no answer that the document knows.
    """
    line = _REQUEST_LINE.match(sent)
    if port in _served and line:
        method, target = (part.decode("ascii") for part in line.groups())
        document().hold(Asked(method=method, target=target, function=_served[port]), said)


def client(base_url: str, **options: Any) -> httpx.Client:
    """Return a caller whose every answer is held against the document.

    Args:
        base_url: The address of all functions, or of one that `known` knows.
        options: What else `httpx.Client` takes.
    """
    settings = {"timeout": 20, "event_hooks": {"response": [_hold]}, **options}
    return httpx.Client(base_url=base_url, **settings)


def _hold(response: httpx.Response) -> None:
    response.read()
    url = response.request.url
    asked = Asked(
        method=response.request.method,
        target=url.raw_path.decode("ascii"),
        function=_served.get(url.port or 0),
    )
    headers = dict(response.headers)
    document().hold(
        asked, Said(status=response.status_code, headers=headers, body=response.content)
    )
