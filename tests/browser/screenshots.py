"""The pictures in docs/images, taken anew: `make screenshots`. Needs Chromium and the console."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from server.node import ROOT
from tests.browser.conftest import NAMES, QUIET, installed
from tests.browser.people import Visit
from tests.servers import served

FOLDER = ROOT / "docs" / "images"
SUPERADMIN, OWNER, TEXTER = "superadmin@example.org", "owner@example.org", "texter@example.org"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 400, "height": 800}


def credits_page(visit: Visit) -> Iterator[tuple[str, Page]]:
    page = visit(SUPERADMIN, "/credits/teams", viewport=WIDE)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("img").first).to_be_visible()
    yield "credits", page
    dark = visit(SUPERADMIN, "/credits/teams", viewport=WIDE, color_scheme="dark")
    expect(dark.get_by_role("img").first).to_be_visible()
    yield "credits-dark", dark
    phone = visit(SUPERADMIN, "/credits/teams?show=blocked", viewport=PHONE)
    expect(phone.get_by_role("img").first).to_be_visible()
    yield "credits-phone", phone


def dialogs(visit: Visit) -> Iterator[tuple[str, Page]]:
    page = visit(SUPERADMIN, "/credits/teams", viewport=WIDE)
    page.get_by_role("button", name="Add credits to Lakeshore Nurses United").click()
    page.get_by_role("button", name="Calculator").click()
    page.get_by_label("Text", exact=True).fill("Hi Núñez, it’s Saturday! Will you join us?")
    page.get_by_label("Number of contacts").fill("2500")
    expect(page.get_by_role("button", name="Fill in")).to_be_visible()
    page.get_by_role("button", name="Fill in").click()
    yield "add-credits", page
    page.goto("/credits/teams")
    page.get_by_role("button", name="Credit purchases of Prairie Farmers Alliance").click()
    expect(page.get_by_text("Removed by Sam Superadmin").first).to_be_visible()
    yield "purchases", page


def team_pages(visit: Visit) -> Iterator[tuple[str, Page]]:
    page = visit(OWNER, "/credits/team/1", viewport=WIDE)
    expect(page.get_by_label("Use credits to control outbound texting")).to_be_visible()
    yield "settings", page
    page.goto("/credits/team/1/usage")
    expect(page.get_by_role("rowheader", name="Total")).to_be_visible()
    yield "usage", page


def texting_page(visit: Visit) -> Iterator[tuple[str, Page]]:
    page = visit(TEXTER, "/credits/text/1", viewport=PHONE)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    yield "texting", page
    visit.ask(visit(SUPERADMIN), "mutation { removeCreditPurchase(id: 1) { id } }")
    expect(page.get_by_text("Ask Olivia Owner or Adam Admin")).to_be_visible()
    yield "banner", page


SCENES: list[Callable[[Visit], Iterator[tuple[str, Page]]]] = [
    credits_page,
    dialogs,
    team_pages,
    texting_page,
]


@contextmanager
def visits(folder: str) -> Iterator[Visit]:
    """Of a server on an embedded database with the demo data."""
    with served(SPOKE_DATA_DIR=folder) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(NAMES), args=QUIET)
        visit = Visit(browser, f"http://127.0.0.1:{server.port}", lambda page: None)
        yield visit
        visit.end()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with visits(folder) as visit:
            for scene in SCENES:
                for name, page in scene(visit):
                    page.wait_for_timeout(500)  # what moves has come to rest
                    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
