"""Writing down what contacts answered, and how far a conversation has come."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from tests.api import Api

UPDATE = """
mutation Update($id: String!, $answers: [QuestionResponseInput]) {
  updateQuestionResponses(campaignContactId: $id, questionResponses: $answers) {
    questionResponseValues { interactionStepId value }
  }
}
"""
DELETE = """
mutation Delete($id: String!, $steps: [String]) {
  deleteQuestionResponses(campaignContactId: $id, interactionStepIds: $steps) {
    questionResponseValues { interactionStepId value }
  }
}
"""
STATUS = """
mutation Status($id: String!, $status: String!) {
  editCampaignContactMessageStatus(campaignContactId: $id, messageStatus: $status) { messageStatus }
}
"""
OTHERS_STEP = "select min(id)::text from interaction_step where campaign_id = 2"


def answer(step: str, value: str, contact: str = "1") -> dict[str, str]:
    return {"campaignContactId": contact, "interactionStepId": step, "value": value}


def read(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


async def update(api: Api, answers: Sequence[dict[str, str]] | None) -> Any:
    return await api("texter", UPDATE, id="1", answers=answers)


def shown(answer: Any) -> list[tuple[int, str]]:
    [contact] = answer.ok.values()
    return [(one["interactionStepId"], one["value"]) for one in contact["questionResponseValues"]]


async def test_answers_are_given_changed_and_taken_back(api: Api, demo_url: str) -> None:
    assert shown(await update(api, [answer("2", "Later"), answer("1", "Yes")])) == [
        (1, "Yes"),
        (2, "Later"),
    ]
    assert shown(await update(api, [answer("1", "No"), answer("1", "Maybe")])) == [
        (1, "Maybe"),
        (2, "Later"),
    ]
    assert shown(await update(api, None)) == [(1, "Maybe"), (2, "Later")]
    taken = await api("texter", DELETE, id="1", steps=["1", None, "3"])
    assert shown(taken) == [(2, "Later")]
    history = read(demo_url, "select value, is_deleted from all_question_response order by id")
    assert sorted(history) == [("Later", False), ("Maybe", True), ("Yes", True)]


@pytest.mark.parametrize(
    "bad",
    [
        answer("1", ""),
        answer("1", " "),
        answer("1", "x" * 2001),
        answer("1", "\0"),
        answer("1", "Yes", contact="2"),
        answer("987654", "Yes"),
        answer("one", "Yes"),
        OTHERS_STEP,
    ],
)
async def test_one_bad_answer_keeps_all_of_them_out(api: Api, demo_url: str, bad: Any) -> None:
    if bad is OTHERS_STEP:
        bad = answer(read(demo_url, OTHERS_STEP)[0][0], "Yes")
    assert (await update(api, [answer("2", "Yes"), bad])).codes == ["BAD_USER_INPUT"]
    assert read(demo_url, "select 1 from all_question_response") == []


async def test_too_many_at_once_are_refused(api: Api) -> None:
    assert (await update(api, [answer("1", "Yes")] * 201)).codes == ["BAD_USER_INPUT"]
    refused = await api("texter", DELETE, id="1", steps=["1"] * 201)
    assert refused.codes == ["BAD_USER_INPUT"]


async def test_of_many_answers_at_once_one_stays(api: Api, demo_url: str) -> None:
    answers = await asyncio.gather(
        *(update(api, [answer("1", value), answer("2", value)]) for value in "ABCDEFGH")
    )
    assert all(not one.errors for one in answers)
    [standing] = read(
        demo_url, "select array_agg(value order by interaction_step_id) from question_response"
    )
    assert len(standing[0]) == 2 and len(set(standing[0])) == 1
    assert read(demo_url, "select count(*) from all_question_response") == [(16,)]


@pytest.mark.parametrize("status", ["closed", "needsResponse", "convo"])
async def test_a_conversation_is_moved_on(api: Api, status: str) -> None:
    moved = await api("texter", STATUS, id="1", status=status)
    assert moved.ok["editCampaignContactMessageStatus"]["messageStatus"] == status


async def test_there_are_only_these_states(api: Api) -> None:
    assert (await api("texter", STATUS, id="1", status="done")).codes == ["BAD_USER_INPUT"]
    assert (await api("texter", STATUS, id="987654", status="convo")).codes == ["NOT_FOUND"]
