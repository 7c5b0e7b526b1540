"""What sends and todo lists cost PostgreSQL, whatever it assumes about costs: no statement looks
through a table, so that nothing grows with the database, and no send is planned anew each time."""

import pytest
from sqlalchemy import text

from models.database import Database, open_database
from services.campaigns import campaigns_with_unassigned_contacts, todos_of_user
from services.contacts import ContactsFilter, ContactsWanted, contact_counts_of_assignments
from services.conversations import Conversations
from services.delivery_reports import apply_reports
from services.outbound_texts import claim_texts
from services.providers import DeliveryStatus, Report
from services.send_statement import write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.sessions import actors_of_sessions, start_session
from services.settings import Settings, load_settings
from tests.world import Team, make_send, make_team, rows, value, with_settings

OTHERS = 4000
_CROWD = """
with people as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  select 'x', 'Terry', 'Texter', '', n || '@crowd.example' from generate_series(1, %(others)s) n
  returning id
),
teams as (
  insert into organization (name) select 'Team ' || n from generate_series(1, %(others)s) n
  returning id
),
numbered_people as (select id as user_id, row_number() over () as n from people),
numbered_teams as (select id as team_id, row_number() over () as n from teams),
members as (
  insert into user_organization (user_id, organization_id, role)
  select user_id, team_id, 'TEXTER' from numbered_people join numbered_teams using (n)
),
accounts as (
  insert into credit_account (team_id, enabled) select id, true from teams
),
exhaustions as (
  insert into credit_exhaustion (team_id, reason, remaining) select id, 'EXHAUSTED', 0 from teams
),
opt_outs as (
  insert into opt_out (cell, organization_id, assignment_id, reason_code)
  select '+1303555' || to_char(row_number() over (), 'FM0000'), id, null, '' from teams
),
campaigns as (
  insert into all_campaign (organization_id, title, is_started, is_archived)
  select id, 'Sunday', true, false from teams returning id, organization_id
),
assignments as (
  insert into assignment (user_id, campaign_id)
  select user_id, campaigns.id from campaigns
  join numbered_teams on team_id = organization_id join numbered_people using (n)
  returning id, campaign_id, user_id
)
insert into campaign_contact (campaign_id, assignment_id, cell)
select campaign_id, id, '+1303555' || to_char(row_number() over (), 'FM0000') from assignments
"""
_MESSAGES = """
with said as (
  insert into message (campaign_contact_id, assignment_id, user_id, contact_number,
    is_from_contact, text, service, send_status)
  select c.id, c.assignment_id, a.user_id, c.cell, false, 'Hi!', 'fakeservice', 'SENT'
  from campaign_contact c join assignment a on a.id = c.assignment_id
  returning id, user_id, campaign_contact_id
)
insert into outbound_text (message_id, team_id, user_id, contact_id, idempotency_key, fingerprint)
select said.id, campaign.organization_id, user_id, campaign_contact_id, said.id::text, ''
from said join assignment using (user_id) join campaign on campaign.id = campaign_id
"""
_ENTRIES = """
insert into credit_entry (team_id, kind, amount, balance_after, message_id)
select team_id, 'SEND', -1, 0, message_id from outbound_text
"""
_SERVICES = """
with numbered as (select id, row_number() over (order by id) as n from organization),
made as (
  insert into messaging_service (messaging_service_sid, organization_id, service_type)
  select 'MG' || n, id, 'twilio' from numbered returning *
)
insert into messaging_service_stick (cell, organization_id, messaging_service_sid)
select '+1303555' || to_char(n, 'FM0000'), id, 'MG' || n from numbered where n > 1
"""
_LINK_DOMAINS = """
insert into link_domain (organization_id, domain, max_usage_count)
select id, 'team-' || id || '.example', 100 from organization
"""
_SESSIONS = """
insert into user_session (sid, sess, expire)
select 'sid-' || id, json_build_object('passport', json_build_object('user', id)),
  now() + interval '30 days'
from "user"
"""
_LOOKED_THROUGH = """
select relname, seq_scan from pg_stat_user_tables
where relname not like 'procrastinate%' and relname <> 'spoke_credits_version' order by relname
"""


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return load_settings(
        default_service=request.param,
        base_url="https://spoke.example",
        enable_shortlink_domains=request.param == "twilio",
    )


async def scans(database: Database) -> dict[str, int]:
    """How often each table was looked through."""
    await rows(database, "select pg_stat_force_next_flush()")
    return {row.relname: row.seq_scan for row in await rows(database, _LOOKED_THROUGH)}


@pytest.mark.parametrize("settings", ["fakeservice", "twilio"], indirect=True)
async def test_a_send_looks_through_no_table(database_url: str, settings: Settings) -> None:
    url = with_settings(database_url, "plan_cache_mode=force_generic_plan")  # as after five runs
    async with open_database(url, send_pool_size=1) as database:
        team = await make_team(database, contacts=OTHERS, credits=100)
        for statement in (_CROWD, _MESSAGES, _SERVICES, _LINK_DOMAINS, _SESSIONS):
            await rows(database, statement, others=OTHERS)
        await rows(database, "vacuum analyze")
        sid = await start_session(database.pool, team.texter.user_id, secure=False)
        before = await scans(database)
        for number in range(3):
            messages = 2 + (number == 2)  # the last is a second one, from a service that sticks
            position = min(number, 1)
            await send_and_show(database, settings, sid, team, position, messages=messages)
        assert await scans(database) == before
        left = "select balance from credit_account where team_id = %(team)s"
        assert await value(database, left, team=team.id) == 97


@pytest.mark.parametrize("queued", [0, OTHERS])
async def test_handing_over_and_settling_look_through_no_table(
    database_url: str, queued: int
) -> None:
    """Whether the queue is nearly empty or long."""
    url = with_settings(database_url, "plan_cache_mode=force_generic_plan")
    async with open_database(url, send_pool_size=1) as database:
        team = await make_team(database, contacts=OTHERS, credits=100)
        for statement in (_CROWD, _MESSAGES, _SERVICES):
            await rows(database, statement, others=OTHERS)
        await rows(
            database,
            "update outbound_text set state = 'DONE', reported = 'DELIVERED'"
            " where message_id > %(queued)s",
            queued=queued,
        )
        await rows(database, _ENTRIES)
        sends = [make_send(team, position, cost=2) for position in range(3)]
        async with database.pool.connection() as connection:
            written = await write_sends(connection, sends)
        await rows(database, "vacuum analyze")
        before = await scans(database)
        async with database.pool.connection() as connection:
            claimed = await claim_texts(connection, most=3)
            assert len(claimed) == 3
            found = await apply_reports(
                connection,
                [
                    Report(one.message_id or 0, status, f"SM{one.message_id}", segments=1)
                    for one, status in zip(written, DeliveryStatus, strict=False)
                ],
            )
        assert all(applied.is_news for applied in found)
        assert await scans(database) == before


async def test_a_todo_list_looks_through_no_contacts(database: Database) -> None:
    team = await make_team(database, contacts=1)
    await rows(database, _CROWD, others=OTHERS)
    await rows(database, "vacuum analyze")
    before = await scans(database)
    async with database.sessions.begin() as session:
        await session.execute(text("select pg_stat_force_next_flush()"))
        [todo] = await todos_of_user(session, user_id=team.texter.user_id, organization_id=None)
        everybody = ContactsWanted(todo.id, ContactsFilter(textable_now=True))
        assert await contact_counts_of_assignments(session, [everybody]) == [1]
        assert await campaigns_with_unassigned_contacts(session, [todo.campaign_id]) == [False]
    after = await scans(database)
    assert after["campaign_contact"] == before["campaign_contact"]


async def send_and_show(
    database: Database,
    settings: Settings,
    sid: str,
    team: Team,
    position: int,
    *,
    messages: int,
) -> None:
    """Everything that a request to send asks of the database."""
    async with database.pool.connection() as connection:
        [actor] = await actors_of_sessions(connection, [sid])
    assert actor is not None
    contact_id, key = team.contact_ids[position], f"key {position} {messages}"
    draft = make_draft(
        actor, contact_id=contact_id, text="Hello!", assignment_id=team.assignment_id, key=key
    )
    await send_message(SendWriter(database.pool, settings), settings, actor, draft)
    conversations = Conversations(database.pool, settings)
    assert await conversations.contacts.ask(contact_id)
    assert len(await conversations.messages.ask(contact_id)) == messages
    assert await conversations.opt_outs.ask(contact_id) is None


@pytest.mark.parametrize("settings", ["fakeservice", "twilio"], indirect=True)
async def test_sends_are_planned_once(database_url: str, settings: Settings) -> None:
    async with open_database(database_url, send_pool_size=1) as database:
        team = await make_team(database, contacts=12, credits=100)
        await rows(database, _SERVICES)
        sid = await start_session(database.pool, team.texter.user_id, secure=False)
        for position in range(12):
            await send_and_show(database, settings, sid, team, position, messages=1)
        kept = await rows(database, "select statement, custom_plans from pg_prepared_statements")
    assert len(kept) == 6
    # PostgreSQL tries five times what a plan for the very values would save.
    assert [row.statement for row in kept if row.custom_plans > 5] == []
