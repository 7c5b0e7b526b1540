"""The superadmin's pages: all teams, adding credits, and what was bought."""

import re

import psycopg
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import findings
from tests.browser.people import StartServer, Visit
from tests.servers import Running

pytestmark = pytest.mark.long

SUPERADMIN = "superadmin@example.org"
TEXTER = "texter@example.org"
TEAMS = "/credits/teams"
NORTH_VALLEY = "North Valley Field"
COUNT = "{ team(id: 1) { remainingCredits creditPurchases { amount } } }"


def add_dialog(page: Page, team: str = NORTH_VALLEY) -> None:
    page.get_by_role("button", name=f"Add credits to {team}").click()
    expect(page.get_by_label("Credits to add")).to_be_focused()


def test_all_teams_with_the_blocked_ones_pink(visit: Visit) -> None:
    page, other = visit(SUPERADMIN, TEAMS), visit(SUPERADMIN, TEAMS)
    expect(page.get_by_text("12 teams, 4 blocked, 2 running low")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    blocked = page.get_by_role("row").filter(has_text="Harbor Tenants Union")
    expect(blocked).to_contain_text("Exhausted")
    expect(blocked).to_have_css("background-color", "rgb(253, 227, 236)")
    free = page.get_by_role("row").filter(has_text=NORTH_VALLEY)
    expect(free).to_contain_text("Can send")
    expect(free).not_to_have_css("background-color", "rgb(253, 227, 236)")
    assert findings(page) == []

    page.get_by_role("button", name="Blocked (4)").click()
    expect(page).to_have_url(f"{visit.address}{TEAMS}?show=blocked")
    expect(free).to_be_hidden()
    visit.ask(other, "mutation { removeCreditPurchase(id: 1) { id } }")
    expect(free).to_contain_text("Exhausted")  # it joins the list by itself
    expect(free.get_by_role("img", name="78 segments in the last 14 days")).to_be_visible()
    expect(page.get_by_text("12 teams, 5 blocked, 2 running low")).to_be_visible()
    page.get_by_label("Search teams").fill("harbor")
    expect(free).to_be_hidden()
    expect(blocked).to_be_visible()
    page.get_by_label("Search teams").fill("nothing like that")
    expect(page.get_by_text("No team is like that.")).to_be_visible()


def test_a_hundred_teams_are_a_page(visit: Visit, demo_url: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            "insert into organization (name) select 'Team ' || n from generate_series(101, 250) n"
        )
    page = visit(SUPERADMIN, TEAMS)
    rows = page.get_by_role("row")
    expect(page.get_by_text("1–100 of 162")).to_be_visible()
    page.get_by_role("button", name="Go to next page").click()
    expect(page).to_have_url(re.compile("page=2"))
    expect(page.get_by_text("101–162 of 162")).to_be_visible()
    expect(rows.filter(has_text="Team 190")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    visit.ask(page, "mutation { addCredits(teamId: 1, amount: 3) { id } }")
    expect(rows.filter(has_text="Team 190")).to_be_visible()

    page.goto(f"{TEAMS}?page=999")
    expect(page).to_have_url(re.compile("page=2"))
    expect(page.get_by_text("101–162 of 162")).to_be_visible()

    page.route("**/graphql", lambda route: route.abort())
    page.get_by_role("button", name="Go to previous page").click()
    expect(page.get_by_role("heading", name="That didn't work", level=2)).to_be_visible()
    expect(rows).to_have_count(0)
    page.unroute("**/graphql")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("1–100 of 162")).to_be_visible()


def test_the_focus_stays_near_a_team_that_leaves_the_list(visit: Visit) -> None:
    page = visit(SUPERADMIN, f"{TEAMS}?show=blocked")
    add_dialog(page, "Harbor Tenants Union")
    page.get_by_label("Credits to add").fill("5")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Blocked (3)")).to_be_visible()
    expect(page.get_by_text("Harbor Tenants Union")).to_be_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[role=grid]') !== null")


def test_credits_are_added_once_whatever_happens(
    visit: Visit, server: Running, start: StartServer
) -> None:
    page = visit(SUPERADMIN, TEAMS)
    add_dialog(page)
    assert findings(page) == []
    page.get_by_label("Credits to add").fill("1.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter a whole number, 1 or more.")).to_be_visible()
    page.get_by_label("Credits to add").fill("500")
    expect(page.get_by_text("Then 525 remain")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Add 500 credits").dblclick()
    added = page.get_by_text("500 credits added. North Valley Field has 525 credits now.")
    expect(added).to_be_visible()
    assert visit.ask(page, COUNT)["team"] == {
        "remainingCredits": 525,
        "creditPurchases": [{"amount": 500}, {"amount": 25}],
    }
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("the 500 credits were removed again")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("button", name=f"Add credits to {NORTH_VALLEY}")).to_be_focused()

    def lose_the_answer(route: Route) -> None:
        if "mutation AddCredits" in (route.request.post_data or ""):
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/graphql", lose_the_answer)
    add_dialog(page)
    page.get_by_label("Credits to add").fill("40")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The answer was lost")).to_be_visible()
    page.unroute("**/graphql")
    page.get_by_role("button", name="Close", exact=True).click()
    server.process.kill()
    server.process.join()
    with start(port=server.port):
        page.get_by_role("button", name=f"Add credits to {NORTH_VALLEY}").click()
        expect(page.get_by_text("The answer was lost")).to_be_visible()
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("North Valley Field has 65 credits now.")).to_be_visible()
        assert visit.ask(page, COUNT)["team"]["remainingCredits"] == 65


def test_the_calculator_says_what_is_needed(visit: Visit) -> None:
    page = visit(SUPERADMIN, TEAMS)
    add_dialog(page)
    page.get_by_role("button", name="Calculator").click()
    page.get_by_label("Text", exact=True).fill("Hi, it’s “Saturday” — come… ✊")
    page.get_by_label("Number of contacts").fill("12,400")
    expect(page.get_by_text("(em dash)")).to_be_visible()
    page.get_by_role("button", name="Use plain ones").click()
    expect(page.get_by_label("Text", exact=True)).to_have_value('Hi, it\'s "Saturday" - come... ✊')
    expect(page.get_by_text("Needs 16,120, has 25: add 16,095.")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Fill in 16,095").click()
    expect(page.get_by_label("Credits to add")).to_be_focused()
    expect(page.get_by_label("Credits to add")).to_have_value("16095")
    page.get_by_role("dialog").get_by_role("button", name="Add 16,095 credits").click()
    question = page.get_by_role("dialog").filter(has_text="Add 16,095 credits to North Valley")
    expect(question).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    assert visit.ask(page, COUNT)["team"]["remainingCredits"] == 25


def test_removing_a_purchase_blocks_a_texter_and_adding_frees_them(visit: Visit) -> None:
    texter = visit(TEXTER, "/credits/text/1")
    texter.get_by_label("Your text").fill("Will you come?")
    page = visit(SUPERADMIN, TEAMS)
    page.get_by_role("button", name=f"Credit purchases of {NORTH_VALLEY}").click()
    page.get_by_role("button", name="Remove the purchase of 25 credits").click()
    expect(
        page.get_by_text(
            "25 purchased, 0 used: removing 25 leaves 0; the team is blocked at once, "
            "until 1 is added."
        )
    ).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Remove 25 credits").click()
    expect(page.get_by_text("Removed by Sam Superadmin")).to_be_visible()
    removed = page.get_by_role("status").filter(has_text="The purchase of 25 credits was removed.")
    expect(removed).to_be_focused()
    expect(texter.get_by_text("Insufficient Credits")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("row").filter(has_text=NORTH_VALLEY)).to_contain_text("Exhausted")

    add_dialog(page)
    page.get_by_role("dialog").get_by_role("button", name="500", exact=True).click()
    page.get_by_role("button", name="Add 500 credits").click()
    texter.get_by_role("button", name="Send", exact=True).click()
    expect(texter.get_by_text("Sent to Ana.")).to_be_visible()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_phone_has_cards(visit: Visit, color_scheme: str) -> None:
    phone = {"width": 360, "height": 740}
    page = visit(SUPERADMIN, TEAMS, viewport=phone, color_scheme=color_scheme)
    card = page.get_by_role("listitem").filter(has_text="Harbor Tenants Union")
    expect(card).to_contain_text("Exhausted")
    assert findings(page) == []
    page.get_by_label("Sort by").select_option("Remaining, most first")
    expect(page.get_by_role("listitem").first).to_contain_text("Youth Vote Collective")
    assert page.evaluate("document.documentElement.scrollWidth") <= phone["width"]


def test_who_is_no_superadmin_any_longer_sees_it_at_once(visit: Visit) -> None:
    page = visit(SUPERADMIN, TEAMS)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    everybody = 'mutation { editSuperAdminStatus(userEmail: "%s", superAdminStatus: %s) }'
    visit.ask(page, everybody % ("owner@example.org", "true"))
    owner = visit("owner@example.org", TEAMS)
    visit.ask(owner, everybody % (SUPERADMIN, "false"))
    expect(page.get_by_role("heading", name="This page is not for you")).to_be_visible()
    assert "Harbor" not in page.inner_text("main")
