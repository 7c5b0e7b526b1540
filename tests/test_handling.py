"""Handling a conversation: what stands together, what stands alone, and never a text too many."""

import asyncio
from typing import Any

import psycopg
import pytest

import models.database
from tests.api import ADD, Api

HANDLE = """
mutation Handle($id: String!, $message: MessageInput, $answers: [QuestionResponseInput],
  $deleted: [String], $optOut: ContactActionInput, $close: Boolean, $key: String) {
  handleConversation(campaignContactId: $id, message: $message, questionResponses: $answers,
    interactionStepIdsForDeletedQuestionResponses: $deleted, optOut: $optOut,
    closeConversation: $close, idempotencyKey: $key) {
    id messageStatus messages { text } optOut { cell } questionResponseValues { value }
  }
}
"""
OPT_OUT = """
mutation OptOut($id: String!, $optOut: ContactActionInput!) {
  createOptOut(campaignContactId: $id, optOut: $optOut) { id optOut { cell } messageStatus }
}
"""
BYE = "I'm opting you out of texts immediately. Have a great day."
FIGURES = """
select (select count(*) from message where campaign_contact_id = %(contact)s),
  (select coalesce(string_agg(value, ',' order by value), '') from question_response
    where campaign_contact_id = %(contact)s),
  (select count(*) from opt_out),
  (select message_status from campaign_contact where id = %(contact)s),
  (select balance from credit_account where team_id = 1)
"""
CROWD = """
insert into campaign_contact (campaign_id, assignment_id, cell)
select 1, 1, '+1999' || to_char(n, 'FM0000000') from generate_series(1, 256) n returning id
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crowds are about what is written: how long they wait is the machine's affair."""
    monkeypatch.setattr(models.database, "ACQUIRE_SECONDS", 60)


def cell(contact: int) -> str:
    return f"+1202201{contact - 1:04}"


def message(text: str = "See you there!", **changes: Any) -> dict[str, Any]:
    return {"text": text, "assignmentId": "1", **changes}


def answer(value: str, contact: int = 1, step: str = "1") -> dict[str, str]:
    return {"campaignContactId": str(contact), "interactionStepId": step, "value": value}


def opt_out(contact: int = 1, text: str | None = BYE, **changes: Any) -> dict[str, Any]:
    told = None if text is None else message(text)
    return {"cell": cell(contact), "reason": "Asked for it", "message": told, **changes}


async def handle(api: Api, contact: int = 1, who: str = "texter", **parts: Any) -> Any:
    return await api(who, HANDLE, id=str(contact), **parts)


def figures(url: str, contact: int = 1) -> tuple[Any, ...]:
    """Texts, answers, opt-outs, the conversation's state, and the team's balance."""
    with psycopg.connect(url) as connection:
        [row] = connection.execute(FIGURES, {"contact": contact}).fetchall()
        return row


def run(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


async def test_everything_at_once_and_the_answer_shows_it(api: Api, demo_url: str) -> None:
    await handle(api, answers=[answer("No")])
    done = await handle(
        api,
        message=message(),
        answers=[answer("Yes"), answer("Later", step="2")],
        deleted=["2"],
        close=True,
    )
    assert done.ok["handleConversation"] == {
        "id": "1",
        "messageStatus": "closed",
        "messages": [{"text": "See you there!"}],
        "optOut": None,
        "questionResponseValues": [{"value": "Yes"}],
    }
    assert figures(demo_url) == (1, "Yes", 0, "closed", 24)


async def test_a_plain_text_is_a_text(api: Api, demo_url: str) -> None:
    assert (await handle(api, message=message())).ok
    assert figures(demo_url) == (1, "", 0, "messaged", 24)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update credit_account set balance = 0 where false", "INSUFFICIENT_CREDITS"),
        ("update campaign_contact set assignment_id = null where id = 1", "ASSIGNMENT_CHANGED"),
        (
            "update all_campaign set texting_hours_start = 0, texting_hours_end = 0",
            "OUTSIDE_TEXTING_HOURS",
        ),
    ],
)
async def test_a_refused_text_keeps_the_rest_out(
    api: Api, demo_url: str, change: str, code: str
) -> None:
    if code == "INSUFFICIENT_CREDITS":
        for contact in range(2, 27):
            await api.send("texter", contact)
    run(demo_url, change)
    before = figures(demo_url)
    refused = await handle(api, message=message(), answers=[answer("Yes")], close=True)
    assert refused.codes == [code]
    assert figures(demo_url) == before


async def test_a_bad_answer_keeps_the_text_out(api: Api, demo_url: str) -> None:
    refused = await handle(api, message=message(), answers=[answer("Yes", step="987")], close=True)
    assert refused.codes == ["BAD_USER_INPUT"]
    assert figures(demo_url) == (0, "", 0, "needsMessage", 25)


async def test_a_contact_that_nobody_has_is_handled_by_those_above(api: Api, demo_url: str) -> None:
    """The text makes an assignment for itself, and leaves none behind when it isn't sent."""
    run(demo_url, "update campaign_contact set assignment_id = null where id = 1")
    text = message(assignmentId=None)
    count = "select count(*) from assignment where campaign_id = 1"
    for answers, codes, assignments in (
        ([answer("Yes", step="987")], ["BAD_USER_INPUT"], 1),
        ([answer("Yes")], [], 2),
    ):
        done = await handle(api, who="owner", message=text, answers=answers)
        assert done.codes == codes
        with psycopg.connect(demo_url) as connection:
            assert connection.execute(count).fetchall() == [(assignments,)]
    assert figures(demo_url) == (1, "Yes", 0, "messaged", 24)


async def test_a_refusal_opens_the_exhaustion_all_the_same(api: Api, demo_url: str) -> None:
    """Credits turned on with nothing left: the first refusal is what tells everybody."""
    run(
        demo_url,
        "insert into user_organization (user_id, organization_id, role)"
        " select user_id, 3, 'TEXTER' from assignment where campaign_id = 1;"
        "update assignment set user_id = (select user_id from assignment where campaign_id = 1)"
        " where campaign_id = 3;"
        "update credit_account set enabled = true where team_id = 3",
    )
    with psycopg.connect(demo_url) as connection:
        [row] = connection.execute(
            "select c.id, c.assignment_id, c.cell from campaign_contact c"
            " where campaign_id = 3 and message_status = 'needsMessage' order by id limit 1"
        ).fetchall()
    contact, assignment, number = row
    refused = await handle(
        api,
        contact,
        message=message(assignmentId=str(assignment)),
        optOut={"cell": number, "message": None},
        close=True,
    )
    assert refused.codes == ["INSUFFICIENT_CREDITS"]
    with psycopg.connect(demo_url) as connection:
        [found] = connection.execute(
            "select (select count(*) from credit_exhaustion where team_id = 3 and"
            " closed_at is null), (select count(*) from opt_out where cell = %s)",
            [number],
        ).fetchall()
    assert found == (1, 1)


async def test_at_0_credits_an_opt_out_is_confirmed_and_the_next_text_refused(
    api: Api, demo_url: str
) -> None:
    for contact in range(2, 27):
        await api.send("texter", contact)
    done = await handle(api, optOut=opt_out(), answers=[answer("No")])
    assert done.ok["handleConversation"]["optOut"] == {"cell": cell(1)}
    assert done.ok["handleConversation"]["messages"] == [{"text": BYE}]
    assert figures(demo_url) == (1, "No", 1, "closed", -1)
    assert (await handle(api, 27, message=message())).codes == ["INSUFFICIENT_CREDITS"]
    assert (await handle(api, message=message())).codes == ["CONTACT_OPTED_OUT"]
    await api("superadmin", ADD, t="1", n=10)
    assert (await handle(api, 27, message=message(), answers=[answer("Yes", 27)])).ok
    assert figures(demo_url, 27) == (1, "Yes", 1, "messaged", 8)


@pytest.mark.parametrize(
    ("hinder", "text"),
    [
        (None, None),
        (None, "  "),
        (None, "x" * 5000),
        ("update all_campaign set texting_hours_start = 0, texting_hours_end = 0", BYE),
        ("update campaign_contact set archived = true where id = 1", None),
        ("update campaign_contact set archived = true where id = 1", BYE),
    ],
)
async def test_an_opt_out_stands_whether_it_can_be_confirmed_or_not(
    api: Api, demo_url: str, hinder: str | None, text: str | None
) -> None:
    if hinder:
        run(demo_url, hinder)
    done = await api("texter", OPT_OUT, id="1", optOut=opt_out(text=text))
    assert done.ok["createOptOut"] == {
        "id": "1",
        "optOut": {"cell": cell(1)},
        "messageStatus": "closed",
    }
    assert figures(demo_url) == (0, "", 1, "closed", 25)


async def test_an_opt_out_counts_in_all_campaigns_of_the_team(api: Api, demo_url: str) -> None:
    run(
        demo_url,
        "insert into all_campaign (organization_id, title) values (1, 'Another');"
        "insert into campaign_contact (campaign_id, cell)"
        f" select max(id), '{cell(1)}' from all_campaign where title = 'Another';"
        f"insert into campaign_contact (campaign_id, cell) values (2, '{cell(1)}')",
    )
    assert (await api("texter", OPT_OUT, id="1", optOut=opt_out(text=None))).ok
    with psycopg.connect(demo_url) as connection:
        found = connection.execute(
            "select organization_id, is_opted_out from campaign_contact c"
            " join all_campaign on all_campaign.id = campaign_id where cell = %s order by c.id",
            [cell(1)],
        ).fetchall()
    assert found == [(1, True), (1, True), (2, False)]


async def test_a_refused_text_leaves_the_opt_out_standing(api: Api, demo_url: str) -> None:
    refused = await handle(
        api,
        message=message("x" * 5000),
        optOut=opt_out(),
        answers=[answer("Yes")],
    )
    assert refused.codes == ["MESSAGE_TOO_LONG"]
    assert figures(demo_url) == (1, "", 1, "closed", 24)


async def test_a_text_to_an_archived_contact_leaves_the_opt_out_standing(
    api: Api, demo_url: str
) -> None:
    run(demo_url, "update campaign_contact set archived = true where id = 1")
    refused = await handle(api, message=message(), optOut=opt_out(), answers=[answer("Yes")])
    assert refused.codes == ["NOT_FOUND"]
    assert figures(demo_url) == (0, "", 1, "closed", 25)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("supervolunteer", None),
        ("owner", None),
        ("texter2", "FORBIDDEN"),
        ("suspended", "FORBIDDEN"),
    ],
)
async def test_who_may_opt_somebody_out(
    api: Api, demo_url: str, who: str, code: str | None
) -> None:
    answered = await api(who, OPT_OUT, id="1", optOut=opt_out(text=None))
    assert answered.codes == ([code] if code else [])
    assert figures(demo_url)[2] == (0 if code else 1)


async def test_another_number_opts_nobody_out(api: Api, demo_url: str) -> None:
    answered = await api("texter", OPT_OUT, id="1", optOut=opt_out(2))
    assert answered.codes == ["BAD_USER_INPUT"]
    assert figures(demo_url) == (0, "", 0, "needsMessage", 25)


async def test_a_repeat_with_the_same_key_does_nothing_again(api: Api, demo_url: str) -> None:
    parts: dict[str, Any] = {"message": message(), "answers": [answer("Yes")], "key": "one"}
    answers = await asyncio.gather(*(handle(api, **parts) for _ in range(8)))
    assert all(one.ok for one in answers)
    assert figures(demo_url) == (1, "Yes", 0, "messaged", 24)
    other = await handle(api, **(parts | {"message": message("Something else")}))
    assert other.codes == ["BAD_USER_INPUT"]


async def test_an_opt_out_is_confirmed_once_for_the_same_key(api: Api, demo_url: str) -> None:
    parts: dict[str, Any] = {"optOut": opt_out(), "answers": [answer("No")], "key": "one"}
    answers = await asyncio.gather(*(handle(api, **parts) for _ in range(8)))
    assert all(one.ok for one in answers)
    assert figures(demo_url) == (1, "No", 1, "closed", 24)


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"request_timeout_seconds": 120}], indirect=True)
async def test_256_at_once_are_all_handled(api: Api, demo_url: str) -> None:
    """Each is a transaction of its own. The team has a credit for each."""
    with psycopg.connect(demo_url) as connection:
        crowd = [contact for (contact,) in connection.execute(CROWD)]
    await api("superadmin", ADD, t="1", n=256 - 25, k="for the crowd")
    answers = await asyncio.gather(
        *(
            handle(api, contact, message=message(), answers=[answer("Yes", contact)])
            for contact in crowd
        )
    )
    assert len(answers) == 256
    assert [code for one in answers for code in one.codes] == []
    with psycopg.connect(demo_url) as connection:
        [found] = connection.execute(
            "select balance, (select -sum(amount) from credit_entry where kind = 'SEND'"
            "   and team_id = 1), (select count(*) from question_response q"
            "   join campaign_contact c on c.id = q.campaign_contact_id where cell like '+1999%')"
            " from credit_account where team_id = 1"
        ).fetchall()
    assert found == (0, 256, 256)


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"request_timeout_seconds": 120}], indirect=True)
async def test_many_at_once_keep_the_books_and_need_few_connections(
    api: Api, demo_url: str
) -> None:
    """60 contacts, 25 credits, each handled four times at once: Spoke stops for good at 32."""
    answers = await asyncio.gather(
        *(
            handle(api, contact, message=message(), answers=[answer(value, contact)], close=True)
            for contact in range(1, 61)
            for value in "ABCD"
        )
    )
    codes = [code for one in answers for code in one.codes]
    assert set(codes) <= {"INSUFFICIENT_CREDITS", "CONFLICT"}
    assert len(answers) - len(codes) == 25
    with psycopg.connect(demo_url) as connection:
        [found] = connection.execute(
            "select (select count(*) from message m join campaign_contact c"
            "   on c.id = m.campaign_contact_id where c.campaign_id = 1),"
            " (select balance from credit_account where team_id = 1),"
            " (select -sum(amount) from credit_entry where team_id = 1 and kind = 'SEND')"
        ).fetchall()
    assert found == (25, 0, 25)
