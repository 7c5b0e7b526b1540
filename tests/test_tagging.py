"""Tagging a conversation: tags stand, with the text that goes with them or without."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from server.resources import Resources
from tests.api import ADD, Answer, Api
from tests.world import holding, until_waiting

TAG = """
mutation Tag($id: String!, $tag: ContactTagActionInput!, $key: String) {
  tagConversation(campaignContactId: $id, tag: $tag, idempotencyKey: $key) {
    id assignmentId messageStatus messages { text } tags { id tag { title } }
  }
}
"""
TEXT = "Somebody will call you."
FIGURES = """
select (select coalesce(string_agg(tag_id::text, ',' order by tag_id), '')
    from campaign_contact_tag where campaign_contact_id = 1),
  (select count(*) from message where campaign_contact_id = 1),
  message_status, assignment_id, (select balance from credit_account where team_id = 1)
from campaign_contact where id = 1
"""
ESCALATION = "update all_tag set is_assignable = false where id = 2"

Run = Callable[..., list[Any]]


@pytest.fixture
def run(demo_url: str) -> Run:
    def run(statement: str) -> list[Any]:
        with psycopg.connect(demo_url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return run


async def tag(
    api: Api,
    *added: int | None,
    removed: tuple[int, ...] = (),
    text: str | None = None,
    who: str = "texter",
    key: str | None = None,
    **message: Any,
) -> Answer:
    wish: dict[str, Any] = {
        "addedTagIds": [one and str(one) for one in added],
        "removedTagIds": [str(one) for one in removed],
    }
    if text is not None:
        wish["message"] = {"text": text, "assignmentId": "1", **message}
    return await api(who, TAG, id="1", tag=wish, key=key)


async def test_tags_are_set_and_taken_away(api: Api, run: Run) -> None:
    await tag(api, 1, None, 2)
    done = await tag(api, 2, removed=(1, 987), who="admin")
    assert done.ok["tagConversation"] == {
        "id": "1",
        "assignmentId": "1",
        "messageStatus": "needsMessage",
        "messages": [],
        "tags": [{"id": "1-2", "tag": {"title": "Other language"}}],
    }
    [(tagger,)] = run('select email from campaign_contact_tag join "user" u on u.id = tagger_id')
    assert tagger == "texter@example.org"
    assert (await tag(api, 1, removed=(1,))).ok  # first away, then there
    assert run(FIGURES) == [("1,2", 0, "needsMessage", 1, 25)]


async def test_a_text_goes_with_them(api: Api, run: Run) -> None:
    """Whoever has the conversation by now."""
    done = await tag(api, 1, text=TEXT, assignmentId="987")
    assert done.ok["tagConversation"]["messages"] == [{"text": TEXT}]
    assert run(FIGURES) == [("1", 1, "messaged", 1, 24)]


async def test_escalation_takes_the_conversation_from_its_texter(api: Api, run: Run) -> None:
    """It waits for an answer as before, though its texter has just said something."""
    run(ESCALATION)
    run("update campaign_contact set message_status = 'needsResponse' where id = 1")
    done = await tag(api, 2, text=TEXT)
    assert done.ok["tagConversation"]["assignmentId"] is None
    assert run(FIGURES) == [("2", 1, "needsResponse", None, 24)]
    assert run("select assignment_id from message where campaign_contact_id = 1") == [(1,)]
    assert (await tag(api, 1)).codes == ["FORBIDDEN"]
    assert (await tag(api, removed=(2,), who="supervolunteer")).ok
    assert run(FIGURES) == [("", 1, "needsResponse", None, 24)]


@pytest.mark.parametrize(
    ("hinder", "text", "status"),
    [
        ("select", " ", "needsMessage"),
        ("select", "x" * 5000, "needsMessage"),
        ("update all_campaign set texting_hours_end = 0", TEXT, "needsMessage"),
        ("update campaign_contact set archived = true where id = 1", TEXT, "needsMessage"),
        (
            "insert into opt_out (cell, organization_id) select cell, 1 from campaign_contact"
            " where id = 1",
            TEXT,
            "closed",
        ),
    ],
    ids=["empty", "long", "late", "archived", "opted out"],
)
async def test_tags_stand_without_their_text(
    api: Api, run: Run, hinder: str, text: str, status: str
) -> None:
    run(ESCALATION)
    run(hinder)
    assert (await tag(api, 1, 2, text=text)).ok["tagConversation"]["messages"] == []
    assert run(FIGURES) == [("1,2", 0, status, None, 25)]


async def test_without_credits_the_text_is_refused_and_tags_stand(api: Api, run: Run) -> None:
    run("delete from credit_exhaustion; update credit_account set balance = 0 where team_id = 1")
    opened = "select count(*) from credit_exhaustion where team_id = 1 and closed_at is null"
    for added, tags in ((1, "1"), (2, "1,2")):  # the first refusal opens it, the second looks
        assert (await tag(api, added, text=TEXT)).ok
        assert run(FIGURES) == [(tags, 0, "needsMessage", 1, 0)]
        assert run(opened) == [(1,)]
    assert (await api("superadmin", ADD, t="1", n=10)).ok
    assert (await tag(api, text=TEXT)).ok
    assert run(FIGURES) == [("1,2", 1, "messaged", 1, 9)]


async def test_what_is_wrong_with_the_tags_keeps_the_text_back(api: Api, run: Run) -> None:
    run("update all_tag set deleted_at = now() where id = 2")
    others = run("select min(id) from all_tag where organization_id = 2")[0][0]
    before = run(FIGURES)
    for added in ([987], [1, 2], [others], range(1, 202)):
        assert (await tag(api, *added, text=TEXT)).codes == ["BAD_USER_INPUT"]
    assert (await tag(api, 1, text=TEXT, key=" ")).codes == ["BAD_USER_INPUT"]
    assert (await tag(api, 1, text=TEXT, who="texter2")).codes == ["FORBIDDEN"]
    assert run(FIGURES) == before


async def test_a_repeat_with_the_same_key_texts_once(api: Api, run: Run) -> None:
    """Also of an escalation, after which the conversation isn't theirs any more."""
    run(ESCALATION)
    answers = await asyncio.gather(*(tag(api, 2, text=TEXT, key="one") for _ in range(6)))
    accepted = [one for one in answers if not one.errors]
    assert {code for one in answers for code in one.codes} <= {"FORBIDDEN"}
    assert accepted and (await tag(api, 2, text=TEXT, key="one")).ok
    assert run(FIGURES) == [("2", 1, "needsMessage", None, 24)]
    assert (await tag(api, 2, text="Other", key="one")).codes == ["BAD_USER_INPUT"]


async def test_tags_stand_though_somebody_holds_the_contact_for_long(
    api: Api, run: Run, resources: Resources
) -> None:
    """The text is never waited for."""
    held = "select from campaign_contact where id = 1 for no key update"
    async with holding(resources.database, held):
        tagging = asyncio.create_task(tag(api, 1, text=TEXT))
        await until_waiting(resources.database, 1)
    assert (await tagging).ok
    assert run(FIGURES) == [("1", 0, "needsMessage", 1, 25)]
