"""The texter's page: Send, the banner in its place, and what becomes of a text that doesn't go."""

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

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
    assert box(page) == "Hi Ana, will you join us on Saturday?"
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
    expect(page.get_by_text("Chloe is opted out and was told so.")).to_be_visible()


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
