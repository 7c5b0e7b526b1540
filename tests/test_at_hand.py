"""What texters have at hand in a conversation: questions and answers, canned responses, tags."""

import psycopg
import pytest

from models.database import Database
from services.canned_responses import Wanted, canned_responses
from services.contacts import places_by_zip
from services.questions import (
    answers_of_contacts,
    options_of_steps,
    steps_of_campaigns,
    variables_of_campaigns,
)
from services.tags import tags_of_contacts, tags_of_teams
from tests.api import Api
from tests.world import Team, make_team, rows

STEPS = """
insert into interaction_step (campaign_id, question, answer_option, script_options, is_deleted)
values (%(campaign)s, 'Will you come?', '', '{Hi}', false),
  (%(campaign)s, '', 'Yes', '{Great}', false),
  (%(campaign)s, '', 'Perhaps', '{Hm}', true),
  (%(campaign)s, 'Why not?', 'No', '{Oh}', false);
update interaction_step set parent_interaction_id = 1 where id > 1
"""
ANSWER = """
insert into question_response (campaign_contact_id, interaction_step_id, value)
values (%(contact)s, %(step)s, %(value)s)
"""


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_team(database, contacts=2)


async def answers(database: Database, team: Team) -> list[list[tuple[int, str]]]:
    async with database.reads() as session:
        found = await answers_of_contacts(session, team.contact_ids)
    return [[(answer.interaction_step_id, answer.value) for answer in each] for each in found]


async def make_steps(database: Database, team: Team) -> None:
    for statement in STEPS.split(";"):
        await rows(database, statement, **team.names)


async def test_a_question_offers_its_answers_in_their_order(database: Database, team: Team) -> None:
    other = await make_team(database)
    await make_steps(database, team)
    async with database.reads() as session:
        steps = await steps_of_campaigns(session, [other.campaign_id, team.campaign_id])
        options = await options_of_steps(session, [4, 1])
    assert [[step.id for step in each] for each in steps] == [[], [1, 2, 4]]
    assert options == [[], [(2, "Yes"), (4, "No")]]


async def test_a_new_answer_takes_the_place_of_the_one_before(
    database: Database, team: Team
) -> None:
    await make_steps(database, team)
    first, second = team.contact_ids
    for contact, step, value in ((first, 1, "No"), (first, 4, "Busy"), (second, 1, "Yes")):
        await rows(database, ANSWER, contact=contact, step=step, value=value)
    assert await answers(database, team) == [[(1, "No"), (4, "Busy")], [(1, "Yes")]]
    await rows(database, ANSWER, contact=first, step=1, value="Yes")
    await rows(database, "delete from question_response where interaction_step_id = 4")
    assert await answers(database, team) == [[(1, "Yes")], [(1, "Yes")]]
    await rows(database, "update question_response set value = 'No' where value = 'Yes'")
    assert await answers(database, team) == [[(1, "No")], [(1, "No")]]
    kept = await rows(database, "select value, is_deleted from all_question_response order by 1, 2")
    assert [tuple(row) for row in kept] == [
        ("Busy", True),
        ("No", False),
        ("No", False),
        ("No", True),
        ("Yes", True),
        ("Yes", True),
    ]


async def test_canned_responses_are_everybodys_or_ones_own(database: Database, team: Team) -> None:
    other = await make_team(database)
    await rows(
        database,
        "insert into canned_response (campaign_id, user_id, title, text, display_order) values"
        " (%(campaign)s, null, 'Second', '', 2), (%(campaign)s, null, 'First', '', 1),"
        " (%(campaign)s, %(texter)s, 'Mine', '', 3), (%(campaign)s, %(other)s, 'Theirs', '', 4)",
        **team.names,
        other=other.texter.user_id,
    )
    wanted = [
        Wanted(team.campaign_id, None),
        Wanted(team.campaign_id, team.texter.user_id),
        Wanted(other.campaign_id, other.texter.user_id),
    ]
    async with database.reads() as session:
        found = await canned_responses(session, wanted)
    assert [[response.title for response in each] for each in found] == [
        ["First", "Second"],
        ["Mine"],
        [],
    ]
    assert [each[0].is_user_created for each in found[:2]] == [False, True]


async def test_deleted_tags_are_nowhere(database: Database, team: Team) -> None:
    other = await make_team(database)
    await rows(
        database,
        "insert into all_tag (organization_id, title, is_system, confirmation_steps, deleted_at)"
        " values (%(team)s, 'Call back', false, '{{Sure?,Yes,No}}', null),"
        " (%(team)s, 'Escalated', true, '{}', null), (%(team)s, 'Old', false, '{}', now()),"
        " (%(other)s, 'Theirs', false, '{}', null)",
        **team.names,
        other=other.id,
    )
    await rows(
        database,
        "insert into campaign_contact_tag (campaign_contact_id, tag_id, tagger_id)"
        " select %(contact)s, id, %(texter)s from all_tag where organization_id = %(team)s",
        **team.names,
    )
    async with database.reads() as session:
        of_teams = await tags_of_teams(session, [other.id, team.id])
        of_contacts = await tags_of_contacts(session, team.contact_ids)
    assert [[tag.title for tag in each] for each in of_teams] == [
        ["Theirs"],
        ["Escalated", "Call back"],
    ]
    assert of_teams[1][1].confirmation_steps == [["Sure?", "Yes", "No"]]
    assert [[each.tag.title for each in found] for found in of_contacts] == [
        ["Call back", "Escalated"],
        [],
    ]
    assert of_contacts[0][0].id == f"{team.contact_ids[0]}-1"


async def test_variables_come_in_their_order_without_the_deleted(
    database: Database, team: Team
) -> None:
    await rows(
        database,
        "insert into campaign_variable (campaign_id, display_order, name, deleted_at) values"
        " (%(campaign)s, 2, 'cv:place', null), (%(campaign)s, 1, 'cv:time', null),"
        " (%(campaign)s, 0, 'cv:old', now())",
        **team.names,
    )
    async with database.reads() as session:
        [found] = await variables_of_campaigns(session, [team.campaign_id])
    assert [variable.name for variable in found] == ["cv:time", "cv:place"]


async def test_the_first_five_digits_of_a_zip_code_tell_the_place(database: Database) -> None:
    await rows(
        database,
        "insert into zip_code (zip, city, state, latitude, longitude, timezone_offset, has_dst)"
        " values ('62704', 'Springfield', 'IL', 39.77, -89.69, -6, true)",
    )
    async with database.reads() as session:
        found = await places_by_zip(session, ["62704", " 62704-1234", "62705", ""])
    assert [place and place.city for place in found] == ["Springfield", "Springfield", None, None]


async def test_contacts_are_given_as_long_as_they_are_the_assignments(
    api: Api, demo_url: str
) -> None:
    document = """mutation Get($ids: [String]) {
      getAssignmentContacts(assignmentId: "1", contactIds: $ids, findNew: true) { id cell }
    }"""
    with psycopg.connect(demo_url) as connection:
        connection.execute("update campaign_contact set assignment_id = null where id = 2")
    ids = ["3", "2", None, "1", "70", "3"]
    found = (await api("texter", document, ids=ids)).ok["getAssignmentContacts"]
    assert [contact and contact["id"] for contact in found] == ["3", None, "1", None, "3"]
    refused = await api("texter", document, ids=["1"] * 10_001)
    assert refused.codes == ["BAD_USER_INPUT"]
