"""A real browser, for tests of what only one can tell.

MOVIES_CHROMIUM names its program, such as /usr/bin/chromium; without it these tests are skipped.
MOVIES_AXE names axe-core's axe.min.js, which finds what keeps people from using a page.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from local.environment import ROOT

CHROMIUM: Final = os.environ.get("MOVIES_CHROMIUM", "")
AXE: Final = os.environ.get("MOVIES_AXE", "")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Start the browser, for a test alone: Playwright's loop would run beside those of others."""
    if not CHROMIUM:
        pytest.skip("MOVIES_CHROMIUM is not set: it names a browser's program")
    # Chromium's sandbox does not start as root, as whom containers run; it meets nothing but ours.
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Return a browser that nothing is known of."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as fresh:
        fresh.set_default_timeout(20_000)
        yield fresh


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Return an empty page."""
    with context.new_page() as page:
        yield page


@pytest.fixture
def axe() -> str:
    """Return axe-core's script."""
    if not AXE:
        pytest.skip("MOVIES_AXE is not set: it names axe-core's axe.min.js")
    return Path(AXE).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def document() -> Any:
    """Return the document that the page shows."""
    return json.loads((ROOT / "functions" / "api_docs" / "openapi.json").read_bytes())
