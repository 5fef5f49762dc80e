"""The page that shows the API, its files and the document, as they go over the wire."""

import gzip
import re
from contextlib import closing
from http.client import HTTPConnection
from importlib import resources
from importlib.metadata import version
from typing import Final

import httpx
import pytest

from local.environment import ROOT
from local.functions import read_functions

FOLDER: Final = ROOT / "functions" / "api_docs"
BROWSER: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PINNED: Final = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


@pytest.fixture
def script(client: httpx.Client) -> str:
    """Return the path of the large script, as the page names it."""
    [path] = re.findall(r'"(docs/scalar-[^"]+\.js)"', client.get("/docs").text)
    return f"/{path}"


def test_the_page_names_files_that_there_are(client: httpx.Client) -> None:
    page = client.get("/docs")
    named = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert {name.rpartition(".")[2] for name in named} == {"js", "css", "json"}
    for prefix in ("", "/v1"):
        for name in named:  # beside the page, wherever that is
            assert client.get(f"{prefix}/{name}").status_code == 200, name


def test_the_page_lets_nobody_else_in(client: httpx.Client) -> None:
    headers = client.get("/docs").headers
    policy = dict(
        directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; ")
    )

    assert policy.pop("style-src") == "'self' 'unsafe-inline'"
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "<style" not in client.get("/docs").text
    assert re.findall(r"<script(?![^>]* src=)|\son\w+=", client.get("/docs").text) == []


def test_the_script_is_the_packages_and_kept_for_ever(client: httpx.Client, script: str) -> None:
    answer = client.get(script)

    assert script == f"/docs/scalar-{version('flask-openapi-scalar')}.js"
    assert answer.content == (
        resources.files("flask_openapi_scalar")
        .joinpath("templates/scalar/js/scalar.standalone.js")
        .read_bytes()
    )
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "X-Request-Id" not in answer.headers  # which caches would tell everybody


@pytest.mark.parametrize("path", ["/docs", "/docs/init.js", "/openapi.json", "script"])
def test_a_file_comes_compressed_to_who_takes_it_and_each_form_has_its_tag(
    client: httpx.Client, script: str, path: str
) -> None:
    path = script if path == "script" else path
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    # As it stands on the wire, which httpx does not show.
    with closing(HTTPConnection(client.base_url.netloc.decode())) as wire:
        wire.request("GET", path, headers={"Accept-Encoding": "gzip"})
        compressed = wire.getresponse()
        sent = compressed.read()

    assert gzip.decompress(sent) == plain.content
    assert len(sent) == int(compressed.headers["Content-Length"] or 0) < len(plain.content)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == compressed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    for form, accepted in ((plain, "identity"), (compressed, "gzip")):
        tag = form.headers["ETag"] or ""
        again = client.get(path, headers={"Accept-Encoding": accepted, "If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == form.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name",
    ["scalar-1.0.0.js", "index.html", "main.py", "%2e%2e", "a", "docs", "openapi.json", "v1"],
)
def test_no_other_file_is_there(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/docs/{name}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_the_document_is_the_one_that_is_kept_and_open_to_every_page(client: httpx.Client) -> None:
    answer = client.get("/openapi.json", headers={"Origin": "https://editor.example.com"})

    assert answer.content == (FOLDER / "openapi.json").read_bytes()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("root", ["/", "/v1", "/v1/"])
def test_the_root_leads_browsers_to_the_page(client: httpx.Client, root: str) -> None:
    answer = client.get(root, headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["Location"]) == (307, "/docs")
    assert (answer.headers["Vary"], answer.content) == ("Accept", b"")


@pytest.mark.parametrize("root", ["/", "/v1", "/v1/"])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html"])
def test_the_root_tells_programs_the_routes(client: httpx.Client, root: str, accept: str) -> None:
    answer = client.get(root, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["Vary"]) == (200, "Accept")
    assert {re.sub(r"\{\w+\}", "{id}", route) for route in answer.json()["data"]["routes"]} == {
        route for function in read_functions().values() for route in function.routes
    }
    assert "ETag" in answer.headers


def test_the_root_tells_what_is_allowed(client: httpx.Client) -> None:
    answer = client.options("/")

    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert client.post("/").status_code == 405


def test_its_own_lock_has_the_versions_of_the_others_and_of_what_is_tried_here() -> None:
    own, others = (
        dict(PINNED.findall(file.read_text(encoding="utf-8")))
        for file in (FOLDER / "requirements.txt", ROOT / "requirements.txt")
    )

    assert {name: own[name] for name in own.keys() & others.keys()} == {
        name: others[name] for name in own.keys() & others.keys()
    }
    assert own["flask-openapi-scalar"] == version("flask-openapi-scalar")
    assert "pg8000" not in own
    hashed = (FOLDER / "requirements.txt").read_text(encoding="utf-8").count("--hash=sha256:")
    assert hashed >= len(own)
