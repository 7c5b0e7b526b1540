"""Teams, contacts and people for benchmarks, made in bulk; credits are added by the service."""

import asyncio

import psycopg

from models.database import open_database
from services.access import Actor
from services.credits import add_credits, set_credits_enabled
from services.settings import load_settings

SUPERADMIN, TEXTER = 1, 2

# Team n has campaign n and assignment n; its contacts are numbered on from the team's before.
_PEOPLE = """
insert into "user" (auth0_id, first_name, last_name, cell, email, is_superadmin) values
  ('x', 'Sam', 'Superadmin', '', 'superadmin@bench.example', true),
  ('x', 'Terry', 'Texter', '', 'texter@bench.example', false)
"""
_TEAMS = """
insert into organization (name) select 'Team ' || n from generate_series(1, %(teams)s) n
"""
_MEMBERSHIPS = """
insert into user_organization (user_id, organization_id, role)
  select 2, id, 'TEXTER' from organization
"""
_CAMPAIGNS = """
insert into all_campaign (organization_id, title, is_started, is_archived,
    texting_hours_start, texting_hours_end)
  select id, 'Campaign', true, false, 0, 24 from organization order by id
"""
_ASSIGNMENTS = """
insert into assignment (user_id, campaign_id) select 2, id from all_campaign order by id
"""
_CONTACTS = """
insert into campaign_contact (campaign_id, assignment_id, cell)
  select campaign_id, campaign_id, '+1' || (2000000000 + (campaign_id - 1) * %(contacts)s + n)
  from generate_series(1, %(teams)s) campaign_id, generate_series(1, %(contacts)s) n
"""


def make_world(url: str, *, teams: int, contacts: int, credits: int) -> None:
    """`contacts` and `credits`: of each team."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (_PEOPLE, _TEAMS, _MEMBERSHIPS, _CAMPAIGNS, _ASSIGNMENTS, _CONTACTS):
            connection.execute(statement, {"teams": teams, "contacts": contacts})
        connection.execute("vacuum analyze")
    asyncio.run(_add_credits(url, teams, credits))


async def _add_credits(url: str, teams: int, credits: int) -> None:
    actor = Actor(SUPERADMIN, "Sam Superadmin", is_superadmin=True)
    settings = load_settings(credits_max_per_purchase=2**31 - 1)
    async with open_database(url) as database, database.sessions.begin() as session:
        for team_id in range(1, teams + 1):
            if credits:
                await add_credits(session, settings, actor, team_id=team_id, amount=credits)
            await set_credits_enabled(session, actor, team_id=team_id, enabled=True)
