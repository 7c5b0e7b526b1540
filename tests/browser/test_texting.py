"""The texter's page: Send, the banner in its place, and what becomes of a text that doesn't go."""

import re

import psycopg
import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser.axe import findings
from tests.browser.people import StartServer, Visit
from tests.servers import Running

pytestmark = pytest.mark.long

TEXTER = "texter@example.org"
SUPERADMIN = "superadmin@example.org"
TEXTING = "/credits/text/1"
TYPED = "Ana, do you know where the library is?"


def box(page: Page) -> str:
    return page.get_by_label("Your text").input_value()


def test_credits_that_go_and_come_while_somebody_types(visit: Visit) -> None:
    page, superadmin = visit(TEXTER, TEXTING), visit(SUPERADMIN)
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    assert box(page) == "Terry here. Hi Ana, will you join us on Saturday?"
    page.get_by_label("Your text").fill(TYPED)
    expect(page.get_by_text("1 segment, 1 credit · 122 characters left")).to_be_visible()

    visit.ask(superadmin, "mutation { removeCreditPurchase(id: 1) { id } }")
    banner = page.get_by_text("Insufficient Credits")
    expect(banner).to_be_visible()
    expect(page.get_by_text("Ask Olivia Owner or Adam Admin for more.")).to_be_visible()
    expect(page.get_by_role("button", name="Send", exact=True)).not_to_be_visible()
    assert box(page) == TYPED
    assert findings(page) == []
    page.reload()
    expect(banner).to_be_visible()
    assert box(page) == TYPED, "also after a reload"

    visit.ask(superadmin, "mutation { addCredits(teamId: 1, amount: 2) { id } }")
    page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(page.get_by_text("Sent to Ana.")).to_be_visible()
    expect(page.get_by_role("heading", name="Ben")).to_be_visible()
    expect(page.get_by_label("Your text")).to_be_focused()
    assert visit.ask(superadmin, "{ team(id: 1) { remainingCredits } }") == {
        "team": {"remainingCredits": 1}
    }

    page.get_by_label("Your text").fill("x" * 400)
    page.get_by_role("button", name="Send", exact=True).click()
    refusal = page.get_by_role("alert").filter(has_text="This text needs 3 credits")
    expect(refusal).to_be_visible()
    page.get_by_label("Your text").fill("A shorter text")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Sent to Ben.")).to_be_visible()
    expect(banner).to_be_visible()
    page.get_by_role("button", name="Opt out").click()
    dialog = page.get_by_role("dialog", name="Opt out Chloe?")
    expect(dialog).to_contain_text("I'm opting you out of texts immediately.")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Opt out")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Opt out").click()
    expect(page.get_by_text("Chloe is opted out and was told so.")).to_be_visible()


def test_the_focus_goes_to_the_text_when_send_is_gone(visit: Visit) -> None:
    page, superadmin = visit(TEXTER, TEXTING), visit(SUPERADMIN)
    page.get_by_role("button", name="Send", exact=True).focus()
    visit.ask(superadmin, "mutation { removeCreditPurchase(id: 1) { id } }")
    expect(page.get_by_text("Insufficient Credits")).to_be_visible()
    expect(page.get_by_label("Your text")).to_be_focused()


def test_answers_go_with_a_text_or_alone(visit: Visit) -> None:
    page = visit(TEXTER, TEXTING)
    survey = page.get_by_label("Will you come?")
    survey.select_option("Yes")
    expect(page.get_by_label("Your text")).to_have_value("Wonderful, see you there!")
    page.get_by_role("button", name="Save without a text").click()
    expect(page.get_by_role("button", name="Save without a text")).to_be_hidden()
    assert findings(page) == []
    page.reload()
    expect(survey).to_have_value("Yes")
    survey.select_option("No")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Sent to Ana.")).to_be_visible()
    answered = """{ contact(id: "1") { messages { id } questionResponseValues { value } } }"""
    contact = visit.ask(page, answered)["contact"]
    assert [one["value"] for one in contact["questionResponseValues"]] == ["No"]
    assert len(contact["messages"]) == 1


def test_who_was_skipped_or_replies_comes_again(visit: Visit, demo_url: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            "update campaign_contact set assignment_id = null where campaign_id = 1 and id > 2"
        )
    page = visit(TEXTER, TEXTING)
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("heading", name="Ben")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="Ben")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_text("Nobody else is waiting.")).to_be_visible()
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            "update campaign_contact set message_status = 'needsResponse' where id = 1"
        )
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Sent to Ben.")).to_be_visible()
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    page.get_by_role("button", name="Close conversation").click()
    expect(page.get_by_role("heading", name="All done")).to_be_visible()


def test_contacts_of_others_lead_on(visit: Visit) -> None:
    page = visit(TEXTER, f"{TEXTING}/99999")
    expect(page.get_by_role("heading", name="This contact isn't yours")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()


def test_a_late_answer_leads_nobody_away(visit: Visit) -> None:
    page = visit(TEXTER, TEXTING)
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        is_sent = "mutation HandleConversation" in (route.request.post_data or "")
        held.append(route) if is_sent else route.continue_()

    page.route("**/graphql", hold)
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("heading", name="Ben")).to_be_visible()
    page.get_by_label("Your text").fill(TYPED)
    for route in held:
        route.continue_()
    expect(page.get_by_text("Sent to Ana.")).to_be_visible()
    expect(page.get_by_role("heading", name="Ben")).to_be_visible()
    assert box(page) == TYPED


def test_a_suspended_texter_is_told_where_they_stand(visit: Visit, demo_url: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            """update user_organization set role = 'SUSPENDED'
               where user_id = (select id from "user" where email = %s)""",
            [TEXTER],
        )
    page = visit(TEXTER, "/credits/text")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        re.compile("Nothing to text yet|This page is not for you")
    )
    page.goto(TEXTING)
    expect(page.get_by_role("heading", name="This page is not for you")).to_be_visible()


def test_without_a_socket_the_page_asks(visit: Visit) -> None:
    page, superadmin = visit(TEXTER, "/credits/text"), visit(SUPERADMIN)

    def cut(socket: WebSocketRoute) -> None:
        socket.close()

    page.route_web_socket("**/graphql", cut)
    page.goto(TEXTING)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    visit.ask(superadmin, "mutation { removeCreditPurchase(id: 1) { id } }")
    expect(page.get_by_text("Insufficient Credits")).to_be_visible()
    visit.ask(superadmin, "mutation { addCredits(teamId: 1, amount: 2) { id } }")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_a_server_that_is_killed_and_comes_back(
    visit: Visit, server: Running, start: StartServer
) -> None:
    page = visit(TEXTER, TEXTING)
    expect(page.get_by_role("heading", name="Ana")).to_be_visible()
    server.process.kill()
    server.process.join()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Sending it again doesn't send it twice.")).to_be_visible()
    with start(port=server.port):
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_text("Sent to Ana.")).to_be_visible()
        superadmin = visit(SUPERADMIN)
        remaining = "{ team(id: 1) { remainingCredits } }"
        assert visit.ask(superadmin, remaining) == {"team": {"remainingCredits": 24}}
        visit.ask(superadmin, "mutation { removeCreditPurchase(id: 1) { id } }")
        expect(page.get_by_text("Insufficient Credits")).to_be_visible()
