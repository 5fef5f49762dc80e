"""The page that shows the API: what people see of it, and what their browsers do for it."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import functions_framework.aio
import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Response, ViewportSize, expect

from lib.catalogue.movie import Movie
from local.environment import ROOT
from local.servers import Server

Store = Callable[..., Movie]
Authorization = Callable[[str], dict[str, str]]

PHONE: Final = ViewportSize(width=390, height=844)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a browser complains of, and whom it asks, while a page is open."""

    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> set[str]:
        """Whom it asks; what stands in an address itself is asked of nobody."""
        return {
            urlsplit(address).netloc
            for address in self.asked
            if urlsplit(address).scheme not in {"data", "blob"}
        }


@pytest.fixture
def told(page: Page) -> Told:
    """Listen to the browser. It reports what a policy forbids as an error as well."""
    heard = Told()
    page.on(
        "console",
        lambda said: (
            heard.complaints.append(said.text) if said.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: heard.complaints.append(str(error)))
    page.on("request", lambda request: heard.asked.append(request.url))
    return heard


@pytest.fixture
def docs(page: Page, told: Told, client: httpx.Client, document: Any) -> Iterator[Page]:
    """Open the page, as whoever comes to the service's address; it has nothing to complain of."""
    page.goto(str(client.base_url))
    reference = page.locator("#reference")
    expect(reference.get_by_role("heading", name=document["info"]["title"])).to_be_visible()
    yield page
    assert told.complaints == []
    assert told.hosts == {client.base_url.netloc.decode()}


def go_to(docs: Page, document: Any, path: str, method: str) -> Locator:
    """Go to an operation as readers do, by the list at the side, and return its part."""
    summary = document["paths"][path][method]["summary"]
    docs.get_by_role("link", name=summary).first.click()
    shown = docs.get_by_role("region", name=summary)
    expect(shown.get_by_role("heading", name=summary)).to_be_in_viewport()
    return shown


def send(docs: Page) -> Response:
    """Send what the page has ready, and return what came of it."""
    with docs.expect_response(lambda answer: "/docs" not in answer.url) as answer:
        docs.get_by_role("button", name=re.compile(r"Send \w+ request to")).click()
    return answer.value


def test_it_leads_to_every_operation_on_a_phone_as_well(docs: Page, document: Any) -> None:
    for operations in document["paths"].values():
        for one in operations.values():
            expect(docs.get_by_role("link", name=one["summary"]).first).to_be_visible()

    docs.set_viewport_size(PHONE)
    docs.get_by_role("button", name=re.compile("menu", re.IGNORECASE)).first.click()
    go_to(docs, document, "/movies.get", "get")

    assert docs.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_reads_and_creates_can_be_tried(docs: Page, document: Any, store: Store) -> None:
    store("tt0034583", "Casablanca")

    go_to(docs, document, "/movies.list", "get").get_by_role("button", name="Test Request").click()
    listed = send(docs)
    expect(docs.get_by_text("Casablanca").first).to_be_visible()
    docs.get_by_role("button", name="Close Client").last.click()
    shown = go_to(docs, document, "/movies.create", "post")
    shown.get_by_role("button", name="Test Request").click()
    created = send(docs)

    assert listed.status == 200
    assert [movie["title"] for movie in listed.json()["data"]] == ["Casablanca"]
    assert created.status == 201


def test_a_pasted_token_deletes_and_is_forgotten_with_the_page(
    docs: Page, document: Any, store: Store, authorization: Authorization
) -> None:
    store("tt0111161", "The Shawshank Redemption")
    token = authorization("editor")["Authorization"].removeprefix("Bearer ")
    shown = go_to(docs, document, "/movies.delete/{imdb_id}", "delete")
    shown.get_by_role("button", name="Test Request").click()

    docs.get_by_role("textbox", name="Bearer Token").last.fill(token)
    answer = send(docs)
    kept = docs.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )

    assert answer.status == 204
    assert answer.url.endswith("/movies.delete/tt0111161")
    assert token not in kept


def test_keys_alone_find_an_operation_and_try_it(docs: Page, document: Any) -> None:
    summary = document["paths"]["/movies.random"]["get"]["summary"]

    docs.keyboard.press("Control+k")
    docs.get_by_role("combobox", name=re.compile("search")).wait_for()
    docs.keyboard.type(summary)
    docs.get_by_role("option").filter(has_text="/movies.random").first.wait_for()
    docs.keyboard.press("ArrowDown")
    docs.keyboard.press("Enter")
    offer = docs.get_by_role("region", name=summary).get_by_role("button", name="Test Request")
    expect(offer).to_be_in_viewport()
    offer.focus()
    docs.keyboard.press("Enter")
    docs.get_by_role("button", name=re.compile("Send get request to")).wait_for()
    with docs.expect_response(re.compile(r"/movies\.random")) as answer:
        docs.keyboard.press("Control+Enter")

    assert answer.value.status == 200


def test_without_a_domain_it_asks_each_function_where_that_is(
    page: Page, told: Told, client: httpx.Client, document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = str(client.base_url).rstrip("/")
    monkeypatch.setenv("FUNCTION_URLS", json.dumps({"movies_list": elsewhere}))
    source = ROOT / "functions" / "api_docs" / "main.py"
    app: Any = functions_framework.aio.create_asgi_app("api_docs", str(source))  # type: ignore[no-untyped-call]

    with Server(app) as own:
        page.goto(f"{own.url}/docs")
        expect(page.get_by_text("an address of its own").first).to_be_visible()
        shown = go_to(page, document, "/movies.list", "get")
        shown.get_by_role("button", name="Test Request").click()
        answer = send(page)

    assert (answer.status, answer.url.partition("/movies")[0]) == (200, elsewhere)
    assert told.complaints == []


def test_nothing_but_contrast_keeps_people_from_reading(docs: Page, axe: str) -> None:
    docs.evaluate(axe)
    found = docs.evaluate("axe.run({ rules: { 'color-contrast': { enabled: false } } })")

    assert {one["id"]: one["nodes"][0]["html"][:300] for one in found["violations"]} == {}
    assert found["passes"]


def test_who_has_no_scripts_is_led_to_the_document(browser: Browser, client: httpx.Client) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{client.base_url}/docs")

        expect(page.get_by_text("shown by JavaScript")).to_be_visible()
        page.get_by_role("link", name="openapi.json").click()

        assert '"openapi"' in page.content()


def test_without_the_large_script_the_page_leads_to_the_document(
    page: Page, client: httpx.Client
) -> None:
    page.route(re.compile("/docs/scalar-"), lambda route: route.abort())
    with page.expect_event("pageerror"):
        page.goto(f"{client.base_url}/docs")

    expect(page.get_by_role("link", name="openapi.json")).to_be_visible()


def test_a_script_of_somebody_else_does_not_run(docs: Page, told: Told) -> None:
    docs.evaluate(
        """() => {
            const inline = document.createElement('script');
            inline.textContent = 'window.ran = 1';
            document.body.append(inline);
        }"""
    )
    sent = docs.evaluate("fetch('https://example.com/').then(() => 'sent', () => 'kept back')")

    assert docs.evaluate("window.ran") is None
    assert sent == "kept back"
    assert any("Content Security Policy" in one for one in told.complaints)
    told.complaints.clear()
    told.asked[:] = [address for address in told.asked if "example.com" not in address]
