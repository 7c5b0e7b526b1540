"""A team's page, for its admins and owners: settings, notices and usage."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import findings
from tests.browser.people import Visit

pytestmark = pytest.mark.long

CREDITS = "Use credits to control outbound texting"
LOW_MAIL = "Send mail when credits are running low"
WOULD_BLOCK = "Student Climate Network"
"""Credits are off, and none are left."""


def test_turning_on_credits_that_are_not_there_is_asked_for_twice(visit: Visit) -> None:
    page = visit("superadmin@example.org", "/credits/team/3")
    toggle = page.get_by_role("switch", name=CREDITS)
    dialog = page.get_by_role("dialog")
    toggle.focus()
    page.keyboard.press("Space")
    expect(dialog).to_contain_text(f"{WOULD_BLOCK} has no credits: every text is refused")
    expect(page.get_by_role("button", name="Leave credits off")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(toggle).not_to_be_checked()
    expect(toggle).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Turn on credits").click()
    expect(toggle).to_be_checked()
    expect(toggle).to_be_focused()
    expect(page.get_by_text("Exhausted", exact=True)).to_be_visible()
    toggle.click()
    expect(toggle).not_to_be_checked()
    expect(page.get_by_text("Credits off", exact=True)).to_be_visible()


def test_the_status_follows_what_others_do(visit: Visit) -> None:
    owner = visit("owner@example.org", "/credits/team/1")
    expect(owner.get_by_text("Can send", exact=True)).to_be_visible()
    superadmin = visit("superadmin@example.org", "/credits/team/1")
    superadmin.get_by_role("switch", name=CREDITS).click()
    expect(owner.get_by_text("Credits off", exact=True)).to_be_visible()
    expect(owner.get_by_role("switch", name=CREDITS)).not_to_be_checked()


def test_admins_see_settings_that_only_owners_change(visit: Visit) -> None:
    admin = visit("admin@example.org", "/credits/team/1")
    for name in (CREDITS, LOW_MAIL):
        expect(admin.get_by_role("switch", name=name)).to_be_disabled()
    expect(admin.get_by_text("Only owners of the team can change this.")).to_have_count(2)
    expect(admin.get_by_role("tab", name="Purchases")).to_be_hidden()
    owner = visit("owner@example.org", "/credits/team/1")
    mail = owner.get_by_role("switch", name=LOW_MAIL)
    mail.click()
    expect(mail).not_to_be_checked()
    owner.reload()
    expect(mail).not_to_be_checked()


def test_superadmins_set_a_number_to_warn_at(visit: Visit) -> None:
    page = visit("superadmin@example.org", "/credits/team/1")
    number = page.get_by_label("Also warn at so many credits")
    number.fill("1.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter a whole number, 1 or more, or nothing.")).to_be_visible()
    number.fill("2,000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("when 2,000 credits or fewer remain")).to_be_visible()
    expect(page.get_by_text("Running low", exact=True)).to_be_visible()
    assert findings(page) == []
    page.reload()
    expect(number).to_have_value("2,000")
    number.fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No number is set for this team.")).to_be_visible()
    owner = visit("owner@example.org", "/credits/team/1")
    expect(owner.get_by_role("switch", name=LOW_MAIL)).to_be_visible()
    expect(owner.get_by_label("Also warn at so many credits")).to_be_hidden()


def test_the_page_is_not_for_texters(visit: Visit) -> None:
    page = visit("texter@example.org", "/credits/team/1")
    expect(page.get_by_role("heading", name="This page is not for you")).to_be_visible()


def test_usage_is_what_the_address_says(visit: Visit) -> None:
    page = visit("owner@example.org", "/credits/team/1/usage")
    expect(page.get_by_role("row")).to_have_count(1 + 14 + 1)
    expect(page.get_by_role("columnheader", name="Credits used")).to_be_hidden()
    expect(page.get_by_role("figure").locator("svg").first).to_be_visible()
    page.get_by_role("button", name="By campaign").click()
    expect(page.get_by_role("rowheader", name="North Valley Field: Petition")).to_be_visible()
    expect(page).to_have_url(re.compile("by=CAMPAIGN"))
    total = page.get_by_role("row", name="Total").inner_text()
    page.reload()
    expect(page.get_by_role("row", name="Total")).to_have_text(total.replace("\t", ""))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "by-campaign" in download.value.suggested_filename


def test_a_period_that_is_too_long_is_not_asked_for(visit: Visit) -> None:
    page = visit("owner@example.org", "/credits/team/1/usage")
    page.get_by_label("From").fill("2019-01-01")
    expect(page.get_by_text("Choose at most 366 days")).to_be_visible()
    expect(page).not_to_have_url(re.compile("2019"))
    page.get_by_role("button", name="Last 30 days").click()
    expect(page.get_by_text("Both days included. Days are UTC.")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(1 + 30 + 1)


def test_the_period_stays_when_tabs_change(visit: Visit) -> None:
    page = visit("owner@example.org", "/credits/team/1/usage")
    page.get_by_role("button", name="By campaign").click()
    page.get_by_role("tab", name="Notices").click()
    page.get_by_role("tab", name="Usage").click()
    expect(page.get_by_role("button", name="By campaign")).to_have_attribute("aria-pressed", "true")


def test_a_tab_that_fails_says_so_below_the_teams_name(visit: Visit) -> None:
    def fail(route: Route) -> None:
        fails = "Usage" in (route.request.post_data or "")
        route.abort() if fails else route.continue_()

    page = visit("owner@example.org", "/credits/team/1")
    page.route("**/graphql", fail)
    page.get_by_role("tab", name="Usage").click()
    expect(page.get_by_role("heading", name="That didn't work", level=2)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("North Valley Field")
    expect(page).to_have_title("North Valley Field · Spoke Credits")


def test_credits_are_added_where_none_were_bought_yet(visit: Visit) -> None:
    page = visit("superadmin@example.org", "/credits/team/3/purchases")
    page.get_by_role("button", name="Remove").first.wait_for(state="hidden")
    page.get_by_role("button", name="Add credits").click()
    page.get_by_label("Credits to add").fill("40")
    page.get_by_role("button", name="Add 40 credits").click()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("row").filter(has_text="Sam Superadmin")).to_contain_text("40")


def test_usage_of_all_teams_leads_to_each(visit: Visit) -> None:
    page = visit("superadmin@example.org", "/credits/usage")
    page.get_by_role("link", name="Riverside Housing Coalition").click()
    expect(page.get_by_role("heading", name="Riverside Housing Coalition")).to_be_visible()
    expect(page.get_by_role("tab", name="Usage")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("columnheader", name="Credits used")).to_be_visible()
    expect(page.get_by_role("tab", name="Purchases")).to_be_visible()


def test_axe_finds_nothing_in_either_theme(visit: Visit) -> None:
    for scheme in ("light", "dark"):
        page = visit("superadmin@example.org", "/credits/team/1", color_scheme=scheme)
        for tab, landmark in (("", "switch"), ("/notices", "tabpanel"), ("/usage", "figure")):
            _settle(page, f"/credits/team/1{tab}", landmark)
            assert findings(page) == []
        _settle(page, "/credits/usage", "table")
        assert findings(page) == []


def _settle(page: Page, path: str, role: str) -> None:
    page.goto(path)
    page.locator(f"[role={role}], {role}").first.wait_for()
    page.wait_for_load_state("networkidle")
