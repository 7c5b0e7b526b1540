"""Requests for texts: what there is to ask for, who gets it, and never one contact for two."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from models.database import Database, open_database
from services.access import Actor
from services.assignment_requests import find_new_contacts, release_my_replies, request_texts
from services.hand_outs import FIRST_TEXTS, Target, hand_out, targets_of_organizations
from services.settings import Settings, load_settings
from tests.api import Api
from tests.world import held_back, holding, rows, value

TARGETS = """
query Targets { currentUser { currentRequest(organizationId: "1") { amount status }
  memberships { edges { node { organization { id
    myCurrentAssignmentTargets { type maxRequestCount teamTitle teamId } } } } } } }
"""
REQUEST = """
mutation Request($count: Int!, $group: String!) {
  requestTexts(count: $count, email: "", organizationId: "1", preferredTeamId: $group)
}
"""
FIND = """
mutation Find($number: Int!, $assignment: String!) {
  findNewCampaignContact(assignmentId: $assignment, numberContacts: $number) { found }
}
"""
RELEASE = 'mutation { releaseMyReplies(organizationId: "1") }'
GENERAL = {"type": "UNSENT", "maxRequestCount": 10, "teamTitle": "General", "teamId": "-1"}
PICNIC = "(select id from campaign where title like '%: Sunday')"
TEXTER = "(select id from \"user\" where email = 'texter@example.org')"
APPROVAL = f"update user_organization set request_status = '%s' where user_id = {TEXTER}"
MINE = f"""
select count(*) from campaign_contact join assignment on assignment.id = assignment_id
where user_id = {TEXTER} and assignment.campaign_id = {PICNIC}
"""
REPLIES = (
    f"update campaign_contact set message_status = 'needsResponse' where campaign_id = {PICNIC}"
)
ASK_FOR_REPLIES = """
update organization set features = replace(features, 'UNSENT', 'UNREPLIED') where id = 1
"""
ESCALATE = f"""
insert into all_tag (organization_id, title, is_assignable) values
  (1, 'Escalated', false), (1, 'Lawyer wanted', false);
insert into campaign_contact_tag (campaign_contact_id, tag_id, tagger_id)
  select contact.id, all_tag.id, {TEXTER} from campaign_contact contact, all_tag
  where campaign_id = {PICNIC} and all_tag.title = 'Escalated'
"""
GROUP = f"""
insert into team (organization_id, title, assignment_priority, is_assignment_enabled,
  assignment_type, max_request_count) values (1, 'Starters', 100, true, '%s', 5);
insert into user_team (user_id, team_id) values ({TEXTER}, 1)
"""
CAMPAIGN_OF_GROUP = f"insert into campaign_team (campaign_id, team_id) values ({PICNIC}, 1)"
TAG_OF_GROUP = """
insert into team_escalation_tags (team_id, tag_id)
  select 1, id from all_tag where title = 'Escalated'
"""
STARTERS = {"maxRequestCount": 5, "teamTitle": "Starters", "teamId": "1"}


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return load_settings(auto_handle_requests=getattr(request, "param", True))


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


def read(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()[0][0]


async def targets(api: Api, who: str = "texter") -> list[dict[str, Any]]:
    person = (await api(who, TARGETS)).ok["currentUser"]
    [membership] = person["memberships"]["edges"]
    found: list[dict[str, Any]] = membership["node"]["organization"]["myCurrentAssignmentTargets"]
    return found


async def request(api: Api, count: int = 3, group: str = "-1", who: str = "texter") -> Any:
    return await api(who, REQUEST, count=count, group=group)


@pytest.mark.parametrize(
    "change",
    [
        "update organization set features = '{}'",
        "update organization set features = replace(features, 'true', 'false')",
        "update organization set features = replace(features, 'UNSENT', 'UNREPLIED')",
        "update organization set features = replace(features, 'UNSENT', 'UNHEARD')",
        "update all_campaign set is_autoassign_enabled = false",
        "update all_campaign set is_started = false",
        "update all_campaign set is_archived = true",
        "update all_campaign set is_template = true",
        "update all_campaign set limit_assignment_to_teams = true",
        "update all_campaign set autosend_status = 'sending'",
        "update all_campaign set due_by = now() - interval '49 hours'",
        "update all_campaign set texting_hours_start = 0, texting_hours_end = 0",
        "update campaign_contact set is_opted_out = true",
        "update campaign_contact set archived = true",
        "update campaign_contact set message_status = 'messaged'",
        "update campaign_contact set assignment_id = 1",
        "update user_organization set role = 'SUSPENDED'",
        ESCALATE,
    ],
)
async def test_what_is_not_to_be_handed_out_is_not_offered(
    api: Api, demo_url: str, change: str
) -> None:
    assert await targets(api) == [GENERAL]
    run(demo_url, change)
    assert await targets(api) == []


@pytest.mark.parametrize(
    ("margin", "offered"), [(5, 0), (15, 1)], ids=["minutes-left", "time-left"]
)
async def test_what_can_soon_not_be_texted_is_not_offered(
    api: Api, demo_url: str, margin: int, offered: int
) -> None:
    """By a zone whose clock stands that many minutes before the end of texting hours."""
    run(
        demo_url,
        "update all_campaign set texting_hours_start = 9, texting_hours_end = 21",
        f"""update campaign_contact set timezone = (
          select format('<there>%s%s', case when gap < 0 then '-' else '+' end,
            to_char(abs(gap) * interval '1 second', 'HH24:MI:SS'))
          from (select extract(epoch from (now() at time zone 'UTC')::time
            - (time '21:00' - interval '{margin} minutes'))::int as gap) as clocks)""",
    )
    assert len(await targets(api)) == offered


async def test_a_request_waits_for_somebodys_approval(api: Api, demo_url: str) -> None:
    assert (await api("texter", TARGETS)).ok["currentUser"]["currentRequest"] is None
    assert (await request(api, 7)).ok == {"requestTexts": "Created"}
    shown = (await api("texter", TARGETS)).ok["currentUser"]["currentRequest"]
    assert shown == {"amount": 7, "status": "pending"}
    assert read(demo_url, MINE) == 0
    assert (await request(api)).codes == ["REQUEST_PENDING"]
    run(demo_url, "update assignment_request set status = 'rejected'")
    assert (await request(api)).ok == {"requestTexts": "Created"}
    assert read(demo_url, "select array_agg(preferred_team_id) from assignment_request") == [-1, -1]


@pytest.mark.parametrize("settings", [False], indirect=True)
@pytest.mark.parametrize("approval", ["auto_approve", "do_not_approve"])
async def test_nothing_is_handled_by_itself_unless_it_is_asked_for(
    api: Api, demo_url: str, approval: str
) -> None:
    run(demo_url, APPROVAL % approval)
    assert (await request(api)).ok == {"requestTexts": "Created"}
    assert read(demo_url, "select status from assignment_request") == "pending"
    assert read(demo_url, MINE) == 0


async def test_many_requests_at_once_make_one(api: Api, demo_url: str) -> None:
    answers = await asyncio.gather(*(request(api) for _ in range(6)))
    assert [code for answer in answers for code in answer.codes] == ["REQUEST_PENDING"] * 5
    assert read(demo_url, "select count(*) from assignment_request") == 1


@pytest.mark.parametrize(("count", "given"), [(3, 3), (10, 10), (10_000, 10)])
async def test_who_needs_no_approval_gets_contacts_at_once(
    api: Api, demo_url: str, count: int, given: int
) -> None:
    """No more than are handed out at once, and again as often as one asks."""
    run(demo_url, APPROVAL % "auto_approve")
    assert (await request(api, count)).ok == {"requestTexts": "Created"}
    assert read(demo_url, MINE) == given
    assert read(demo_url, "select status from assignment_request") == "approved"
    await request(api, count)
    assert read(demo_url, MINE) == 2 * given
    found = await api("texter", '{ currentUser { todos(organizationId: "1") { contactsCount } } }')
    assert [one["contactsCount"] for one in found.ok["currentUser"]["todos"]] == [60, 2 * given]


async def test_who_must_not_get_any_is_rejected_at_once(api: Api, demo_url: str) -> None:
    run(demo_url, APPROVAL % "do_not_approve")
    assert (await request(api)).ok == {"requestTexts": "Created"}
    assert read(demo_url, "select status from assignment_request") == "rejected"
    assert read(demo_url, MINE) == 0


async def test_when_nothing_is_there_nothing_is_written(api: Api, demo_url: str) -> None:
    run(demo_url, "update organization set features = '{}'", APPROVAL % "auto_approve")
    assert (await request(api)).ok == {"requestTexts": "No texts available at the moment"}
    assert read(demo_url, "select count(*) from assignment_request") == 0


@pytest.mark.parametrize(
    ("count", "group"), [(0, "-1"), (-1, "-1"), (10_001, "-1"), (3, "-2"), (3, ""), (3, "x")]
)
async def test_a_senseless_request_is_refused(
    api: Api, demo_url: str, count: int, group: str
) -> None:
    assert (await request(api, count, group)).codes == ["BAD_USER_INPUT"]
    assert read(demo_url, "select count(*) from assignment_request") == 0


async def test_who_is_suspended_is_told_so(api: Api) -> None:
    refused = await request(api, who="suspended")
    assert refused.codes == ["SENDER_SUSPENDED"]
    assert refused.errors[0]["message"] == "You don't have the permission to request texts"


async def test_groups_come_first_and_have_campaigns_of_their_own(api: Api, demo_url: str) -> None:
    run(demo_url, GROUP % "UNSENT", APPROVAL % "auto_approve")
    assert await targets(api) == [GENERAL]
    run(demo_url, CAMPAIGN_OF_GROUP)
    starters = STARTERS | {"type": "UNSENT"}
    assert await targets(api) == [starters, GENERAL]
    run(demo_url, "update all_campaign set limit_assignment_to_teams = true")
    assert await targets(api) == [starters]
    assert await targets(api, "supervolunteer") == []
    await request(api, 8, "987")
    assert read(demo_url, MINE) == 5
    run(demo_url, "update team set is_assignment_enabled = false")
    assert await targets(api) == []


async def test_what_one_group_lacks_comes_from_the_next(api: Api, demo_url: str) -> None:
    """The group that was asked for first."""
    run(
        demo_url,
        GROUP % "UNREPLIED",
        CAMPAIGN_OF_GROUP,
        APPROVAL % "auto_approve",
        f"""update campaign_contact set message_status = 'needsResponse'
        where id in (select id from campaign_contact where campaign_id = {PICNIC} limit 2)""",
    )
    await request(api, 4, "1")
    statuses = f"""select array_agg(message_status order by message_status) from campaign_contact
      where campaign_id = {PICNIC} and assignment_id is not null"""
    assert read(demo_url, statuses) == ["needsMessage"] * 2 + ["needsResponse"] * 2
    await request(api, 1, "-1")
    assert read(demo_url, MINE) == 5


async def test_replies_are_handed_out_too(api: Api, demo_url: str) -> None:
    run(demo_url, REPLIES, ASK_FOR_REPLIES, APPROVAL % "auto_approve")
    assert await targets(api) == [GENERAL | {"type": "UNREPLIED"}]
    await request(api, 4)
    assert read(demo_url, MINE) == 4


async def test_escalated_conversations_go_to_groups_with_all_their_tags(
    api: Api, demo_url: str
) -> None:
    run(demo_url, REPLIES, ASK_FOR_REPLIES, ESCALATE, GROUP % "UNREPLIED", CAMPAIGN_OF_GROUP)
    run(demo_url, APPROVAL % "auto_approve")
    assert await targets(api) == []
    run(demo_url, TAG_OF_GROUP)
    assert await targets(api) == [STARTERS | {"type": "UNREPLIED"}]
    second_tag = f"""
      insert into campaign_contact_tag (campaign_contact_id, tag_id, tagger_id)
        select contact.id, all_tag.id, {TEXTER} from campaign_contact contact, all_tag
        where campaign_id = {PICNIC} and all_tag.title = 'Lawyer wanted'
          and contact.last_name <> 'Neighbor 7'"""
    run(demo_url, second_tag)
    await request(api, 4, "1")
    assert read(demo_url, MINE) == 1


async def test_replies_are_released_for_others(api: Api, demo_url: str) -> None:
    run(
        demo_url,
        "update campaign_contact set message_status = 'needsResponse' where id in (3, 4, 61)",
        "insert into assignment (user_id, campaign_id) select user_id, 2 from assignment"
        " where id = 1",
        "update campaign_contact set assignment_id = (select max(id) from assignment)"
        " where id = 61",
        "update campaign_contact set archived = true where id = 4",
    )
    assert (await api("texter", RELEASE)).ok == {"releaseMyReplies": True}
    released = "select array_agg(id) from campaign_contact where assignment_id is null and id < 100"
    assert read(demo_url, released) == [3]
    assert (await api("owner", RELEASE)).ok == {"releaseMyReplies": True}
    assert read(demo_url, released) == [3]


async def own_assignment(api: Api, demo_url: str) -> str:
    """With one contact of the picnic."""
    run(demo_url, APPROVAL % "auto_approve")
    await request(api, 1)
    return str(read(demo_url, f"select id from assignment where campaign_id = {PICNIC}"))


async def find(api: Api, assignment: str, number: int) -> Any:
    found = await api("texter", FIND, assignment=assignment, number=number)
    return found.ok["findNewCampaignContact"]["found"]


async def test_ones_own_assignment_is_filled_up(api: Api, demo_url: str) -> None:
    assignment = await own_assignment(api, demo_url)
    assert not await find(api, assignment, 1)
    assert await find(api, assignment, 4)
    assert read(demo_url, MINE) == 4
    run(demo_url, f"update assignment set max_contacts = 6 where id = {assignment}")
    run(
        demo_url,
        f"update campaign_contact set message_status = 'messaged' "
        f"where assignment_id = {assignment}",
    )
    assert await find(api, assignment, 4)
    assert read(demo_url, MINE) == 6
    assert not await find(api, assignment, 4)
    assert not await find(api, "1", 100), "contacts of one campaign are nothing for another"


async def test_an_assignment_is_filled_up_only_for_whom_nobody_must_approve(
    api: Api, demo_url: str
) -> None:
    assignment = await own_assignment(api, demo_url)
    run(demo_url, APPROVAL % "approval_required")
    assert not await find(api, assignment, 4)
    assert read(demo_url, MINE) == 1


@pytest.mark.parametrize(
    ("who", "assignment", "number", "code"),
    [
        ("owner", "1", 1, "FORBIDDEN"),
        ("texter", "2", 1, "FORBIDDEN"),
        ("texter", "987", 1, "NOT_FOUND"),
        ("texter", "1", 0, "BAD_USER_INPUT"),
        ("texter", "1", 10_001, "BAD_USER_INPUT"),
    ],
)
async def test_no_other_assignment_is_filled_up(
    api: Api, who: str, assignment: str, number: int, code: str
) -> None:
    assert (await api(who, FIND, assignment=assignment, number=number)).codes == [code]


AUTO = load_settings(auto_handle_requests=True)
TEXTERS, CONTACTS = 16, 150
CROWD = f"""
insert into organization (name, features) values ('Team', '{{"textRequestType": "KIND",
  "textRequestFormEnabled": true, "textRequestMaxCount": 10}}');
insert into "user" (auth0_id, first_name, last_name, cell, email)
  select '', 'Terry', 'Texter', '', n || '@example.org' from generate_series(1, {TEXTERS}) n;
insert into user_organization (user_id, organization_id, role, request_status)
  select id, 1, 'TEXTER', 'auto_approve' from "user";
insert into all_campaign (organization_id, is_started, is_archived, is_autoassign_enabled,
  texting_hours_start, texting_hours_end)
  select 1, true, false, true, 0, 24 from generate_series(1, 2);
insert into campaign_contact (campaign_id, cell, message_status)
  select n % 2 + 1, '+1' || n, 'STATUS' from generate_series(1, {CONTACTS}) n;
create table handed (contact_id integer, assignment_id integer);
create function note() returns trigger language plpgsql as $$
begin
  if old.assignment_id is not null and new.assignment_id is not null then
    raise 'contact % is taken from assignment %', old.id, old.assignment_id;
  end if;
  if old.assignment_id is null then
    insert into handed values (new.id, new.assignment_id);
  end if;
  return new;
end $$;
create trigger noted before update of assignment_id on campaign_contact
  for each row when (old.assignment_id is distinct from new.assignment_id)
  execute function note()
"""


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """A connection for each texter."""
    async with open_database(database_url, pool_size=TEXTERS) as crowd:
        yield crowd


async def make_crowd(database: Database, kind: str, status: str) -> list[Actor]:
    await rows(database, CROWD.replace("KIND", kind).replace("STATUS", status))
    people = await rows(database, 'select id from "user" order by id')
    return [Actor(person.id, "Terry Texter", is_superadmin=False) for person in people]


async def take_all(crowd: Database, actor: Actor) -> None:
    answer = ""
    while answer != "No texts available at the moment":
        async with crowd.sessions.begin() as session:
            answer = await request_texts(
                session, AUTO, actor, organization_id=1, count=7, group_id=-1
            )


async def test_no_contact_is_handed_to_two(database: Database, crowd: Database) -> None:
    """Held back before they take any, all of them take from the same campaigns until none is left.
    That one takes from another is told by a trigger."""
    people = await make_crowd(database, "UNSENT", "needsMessage")
    takers = [take_all(crowd, actor) for actor in people]
    held = "lock table assignment_request in share mode"
    assert await held_back(database, takers, held) == [None] * TEXTERS
    handed = "select count(*) as times, count(distinct contact_id) as contacts from handed"
    assert await rows(database, handed) == [(CONTACTS, CONTACTS)]
    assert await value(database, "select count(assignment_id) from campaign_contact") == CONTACTS


@pytest.mark.long
async def test_nobody_takes_what_another_still_has(database: Database, crowd: Database) -> None:
    """While all of them take replies and give them back again."""
    people = await make_crowd(database, "UNREPLIED", "needsResponse")

    async def take_and_release(actor: Actor) -> None:
        for _ in range(5):
            async with crowd.sessions.begin() as session:
                await request_texts(session, AUTO, actor, organization_id=1, count=7, group_id=-1)
            async with crowd.sessions.begin() as session:
                await release_my_replies(session, actor, organization_id=1)

    takers = [take_and_release(actor) for actor in people]
    held = "lock table assignment_request in share mode"
    assert await held_back(database, takers, held) == [None] * TEXTERS
    assert await value(database, "select count(assignment_id) from campaign_contact") == 0
    assert await value(database, "select count(*) from handed") > 0


async def test_one_texter_at_two_places_gets_no_more_than_an_assignment_holds(
    database: Database, crowd: Database
) -> None:
    [actor, *_] = await make_crowd(database, "UNSENT", "needsMessage")
    await rows(
        database,
        "insert into assignment (user_id, campaign_id, max_contacts)"
        ' select min(id), 1, 9 from "user"',
    )

    async def find_more() -> None:
        async with crowd.sessions.begin() as session:
            await find_new_contacts(session, AUTO, actor, assignment_id=1, number=6)

    await asyncio.gather(*(find_more() for _ in range(TEXTERS)))
    assert await value(database, "select count(*) from handed") == 6


async def test_what_somebody_holds_is_passed_over(database: Database, crowd: Database) -> None:
    [actor, *_] = await make_crowd(database, "UNSENT", "needsMessage")
    somebody = "select from campaign_contact where id > 3 for no key update"
    async with holding(database, somebody), crowd.sessions.begin() as session:
        await session.execute(text("set local lock_timeout = '10s'"))
        [found] = await targets_of_organizations(session, actor, [1])
        assert found == [Target(1, -1, "General", FIRST_TEXTS, 10)]
        assert await hand_out(session, actor, found, 10) == 3
