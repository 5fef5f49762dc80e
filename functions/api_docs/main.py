"""`GET /docs`: a page that shows the API and tries it, and the document that it shows.

The page's script is Scalar's reference, a file in a package that this function alone is built with.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Final

import functions_framework.aio

from lib.errors import NotFound
from lib.settings import require
from lib.web.addresses import AddressesSettings, tell_addresses
from lib.web.endpoint import Answer, Request, data, endpoint
from lib.web.files import KEPT_FOR_EVER, File
from lib.web.preferences import prefers_html

_FOLDER: Final = Path(__file__).parent
_PACKAGE: Final = "flask_openapi_scalar"
_SCRIPT: Final = "templates/scalar/js/scalar.standalone.js"
_JAVASCRIPT: Final = "text/javascript; charset=utf-8"

addresses = require(AddressesSettings).of_functions

_ASKED: Final = " ".join(["'self'", *addresses.values()])
# Scalar writes its styles into the page, so these may stand there. They can send nothing to others:
# all that the page asks for, it asks of us.
_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; connect-src {_ASKED}; "
    "img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS_OF_THE_PAGE: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@functions_framework.aio.http
@endpoint("GET")
async def api_docs(request: Request) -> Answer:
    """Answer the page, a file of it or the document; at the root, lead to these."""
    path = request.path.removeprefix("/v1") or "/"
    if path == "/":
        return _answer_root(request.headers.get("accept", ""))
    file = _files().get(path)
    if file is None:
        raise NotFound(f"Nothing is at this path. There are {', '.join(_routes())}.")
    return await file.answer(request.headers.get("accept-encoding", ""))


def _answer_root(accept: str) -> Answer:
    vary = {"Vary": "Accept"}
    if prefers_html(accept):
        return Answer(status=307, headers={"Location": "/docs", **vary})
    return data({"routes": _routes()}, headers=vary)


@cache
def _files() -> Mapping[str, File]:
    """Return the page, its files and the document, by their paths.

    They are read when they are first asked for: what merely starts has no need of them.
    """
    script = f"scalar-{version(_PACKAGE)}.js"
    page = _read("index.html").replace(b"{script}", script.encode())
    return {
        "/docs": File(page, "text/html; charset=utf-8", _HEADERS_OF_THE_PAGE),
        "/docs/init.js": File(_read("init.js"), _JAVASCRIPT),
        "/docs/style.css": File(_read("style.css"), "text/css; charset=utf-8"),
        f"/docs/{script}": File(
            resources.files(_PACKAGE).joinpath(_SCRIPT).read_bytes(), _JAVASCRIPT, KEPT_FOR_EVER
        ),
        "/openapi.json": File(_document(), "application/json"),
    }


@cache
def _routes() -> list[str]:
    """Return every path of the service."""
    return sorted(json.loads(_document())["paths"])


def _document() -> bytes:
    return tell_addresses((_FOLDER / "openapi.json").read_bytes(), addresses)


def _read(name: str) -> bytes:
    return (_FOLDER / "page" / name).read_bytes()
