"""Who gets in where, and what they are told who don't."""

import psycopg
import pytest
from playwright.sync_api import Request, expect

from server.demo import PASSWORD
from tests.browser.axe import findings
from tests.browser.people import Visit

HOMES = {
    "superadmin@example.org": "/credits/teams",
    "owner@example.org": "/credits/team/1",
    "admin@example.org": "/credits/team/1",
    "texter@example.org": "/credits/text",
}


def test_signing_in_leads_back_to_the_page(visit: Visit) -> None:
    page = visit(None, "/credits/usage", color_scheme="dark")
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill("superadmin@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/credits/usage")


@pytest.mark.long
def test_everybody_comes_to_their_home(visit: Visit) -> None:
    for email, home in HOMES.items():
        visit(email).wait_for_url(f"**{home}")


@pytest.mark.long
def test_a_telephone_has_room_for_all_pages_of_a_superadmin(visit: Visit, demo_url: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            """insert into user_organization (user_id, organization_id, role)
               select id, 1, 'OWNER' from "user" where is_superadmin"""
        )
    page = visit("superadmin@example.org", viewport={"width": 360, "height": 640})
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.get_by_role("link")).to_have_text(["Credits", "Usage", "Team", "Texting"])
    left, right = pages.bounding_box(), page.get_by_role("link", name="Sign out").bounding_box()
    assert left and right
    assert right["y"] < left["y"] + left["height"], "they are in one line"


@pytest.mark.long
def test_a_page_is_small_and_asks_nobody_else(visit: Visit) -> None:
    page = visit("texter@example.org", "about:blank")
    asked: list[Request] = []
    page.on("requestfinished", lambda request: asked.append(request))
    page.goto("/credits/text/1")
    expect(page.get_by_label("Your text")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert all(request.url.startswith(visit.address) for request in asked)
    scripts = [request for request in asked if request.url.endswith(".js")]
    assert 50_000 < sum(one.sizes()["responseBodySize"] for one in scripts) < 300_000
