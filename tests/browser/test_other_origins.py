"""What a page of another origin gets out of a real browser, which is what the headers are for."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page
from starlette.responses import HTMLResponse

from lib.catalogue.movie import Movie
from local.demo_omdb.server import DemoOmdb
from local.servers import Server
from tests.support import ADMIN_PASSWORD

Store = Callable[..., Movie]
Authorization = Callable[[str], dict[str, str]]

# A status and what may be read beside it, or that the browser let nothing through.
FETCH: Final = """async ([url, asked]) => {
    try {
        const answer = await fetch(url, asked);
        return [answer.status, answer.headers.get("X-Request-Id") !== null];
    } catch (fault) {
        return fault.name;
    }
}"""
KEPT_BACK: Final = "TypeError"
JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture
def ask(page: Page, client: httpx.Client) -> Iterator[Callable[..., Any]]:
    """Ask the service from a page of another origin: `ask("/movies.list", method="GET")`."""
    with Server(HTMLResponse("<!doctype html><title>Elsewhere</title>")) as elsewhere:
        page.goto(elsewhere.url)

        def fetch(target: str, **asked: Any) -> Any:
            return page.evaluate(FETCH, [f"{client.base_url}{target}", asked])

        yield fetch


def test_it_reads_with_a_token_and_without(
    ask: Callable[..., Any], authorization: Authorization
) -> None:
    token = authorization("editor")

    assert ask("/movies.list") == [200, False]
    assert ask("/movies.list", headers={**token, "If-None-Match": '"a"'}) == [200, False]
    assert ask("/openapi.json") == [200, False]
    assert ask("/movies.get?imdb_id=tt0000009", headers={"X-Request-Id": "mine"}) == [404, True]
    assert ask("/imports.list", headers=token) == [200, True]
    assert ask("/imports.list") == [401, True]


def test_it_deletes_and_creates_with_a_token_alone(
    ask: Callable[..., Any], store: Store, omdb: DemoOmdb, authorization: Authorization
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    token, body = authorization("editor"), '{"imdb_id": "tt0034583"}'

    assert ask("/movies.delete/tt0111161", method="DELETE", headers=token) == [204, True]
    for headers in (JSON, {}):
        kept_back = ask("/movies.create", method="POST", headers=headers, body=body)
        assert kept_back == KEPT_BACK
    assert not omdb.calls
    created = ask("/movies.create", method="POST", headers={**JSON, **token}, body=body)
    assert created == [201, True]
    # A browser that remembered what it was told for the token would send this one, too.
    other = '{"imdb_id": "tt0111161"}'
    assert ask("/movies.create", method="POST", headers=JSON, body=other) == KEPT_BACK
    assert len(omdb.calls) == 1


def test_it_cannot_try_passwords(ask: Callable[..., Any], authorization: Authorization) -> None:
    authorization("editor")
    body = f'{{"username": "some editor", "password": "{ADMIN_PASSWORD}"}}'

    for headers in (JSON, {}):
        assert ask("/login", method="POST", headers=headers, body=body) == KEPT_BACK


def test_it_cannot_show_the_page_as_its_own(page: Page, client: httpx.Client) -> None:
    frame = f'<!doctype html><iframe src="{client.base_url}/docs"></iframe>'
    with Server(HTMLResponse(frame)) as elsewhere, page.expect_console_message() as said:
        page.goto(elsewhere.url)

    assert "frame-ancestors" in said.value.text
