"""The console in Debian's Chromium, on a real server with the demo data."""

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from server import node
from tests.browser.people import StartServer, Visit
from tests.conftest import SECRET
from tests.servers import Running, served

REQUIRED = "CHROMIUM_REQUIRED"
"""Set where a skipped walk is a failure."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Without them Chromium looks for its maker's hosts."""


def installed(names: Sequence[str]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _missing(what: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = installed(NAMES)
    if found is None:
        _missing("Chromium is not installed: the console was not walked through in a browser.")
    assert found
    return found


@pytest.fixture
def start(demo_url: str, tmp_path: Path) -> StartServer:
    """Starts a server, on the same database each time."""
    return partial(
        served, DATABASE_URL=demo_url, SESSION_SECRET=SECRET, SPOKE_DATA_DIR=str(tmp_path)
    )


@pytest.fixture
def server(start: StartServer) -> Iterator[Running]:
    with start() as running:
        yield running


@pytest.fixture
def browser(chromium: str, server: Running) -> Iterator[Browser]:
    """For one test: while it runs, it has the event loop, which other tests and fixtures need."""
    if node.CONSOLE.made() is None:
        _missing("The console is not built: it was not walked through in a browser.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: Running) -> Iterator[Visit]:
    """Pages of people who are signed in. None of them may complain."""
    complaints: list[str] = []

    def listen(page: Page) -> None:
        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and "ERR_" not in message.text:
                complaints.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    visit = Visit(browser, f"http://127.0.0.1:{server.port}", listen)
    yield visit
    visit.end()
    assert complaints == []
