"""The todo list: 200 texters of a team with 120,000 contacts, each asking every ten seconds."""

from dataclasses import asdict

import psycopg

from bench.harness import ask, database, measure, server
from bench.report import Figure, Outcome
from bench.requests import todo_list
from bench.world import cookies_of, make_world

TEXTERS, CAMPAIGNS, CONTACTS = 200, 4, 150
"""Contacts: of each texter in each campaign."""
CLIENTS = 20
EVERY = 1
"""Seconds: 20 such clients ask as often as 200 that wait for ten."""
SECONDS = 12
REACH = 20
"""Percent of a core."""
_WORLD = """
with team as (
  select id from organization limit 1
), texters as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
    select 'x', 'Tess', 'Person ' || n, '', 'texter-' || n || '@bench.example'
    from generate_series(1, %(texters)s) n returning id
), members as (
  insert into user_organization (user_id, organization_id, role)
    select texters.id, team.id, 'TEXTER' from texters, team
), campaigns as (
  insert into all_campaign (organization_id, title, description, is_started, is_archived,
      texting_hours_start, texting_hours_end, timezone)
    select id, 'Campaign ' || n, 'Call them all', true, false, 9, 21, 'America/New_York'
    from team, generate_series(1, %(campaigns)s) n returning id
), assignments as (
  insert into assignment (user_id, campaign_id)
    select texters.id, campaigns.id from texters, campaigns returning id, campaign_id
)
insert into campaign_contact
    (campaign_id, assignment_id, cell, timezone, message_status, is_opted_out)
  select campaign_id, id, '+1' || 3000000000 + row_number() over (),
    (array['America/New_York', 'America/Chicago', 'America/Los_Angeles', null])[1 + n %% 4],
    (array['needsMessage', 'messaged', 'needsResponse', 'convo', 'closed'])[1 + n %% 5],
    n %% 29 = 0
  from assignments, generate_series(1, %(contacts)s) n order by n, id
"""


def run() -> Outcome:
    with database() as url:
        make_world(url)
        users = _add_texters(url)
        cookies = [cookies_of(url, user)[0] for user in users]
        spec = {"cookies": cookies, "bodies": [todo_list(1)], "repeat": True}
        with server(url) as running:
            assert b'"errors"' not in ask(running, cookies[0], todo_list(1))
            asked = {**spec, "clients": CLIENTS, "seconds": SECONDS, "every": EVERY}
            polled = measure(url, [running], asked)
            pressed = measure(url, [running], {**spec, "clients": 64, "seconds": 4})
    of_a_core = round(polled.cpu * CLIENTS / EVERY / 10, 1)
    return Outcome(
        {
            "Todo list of 4 assignments and 600 contacts (CPU in ms per answer)": [
                {"of": "200 texters, every 10 s", **asdict(polled)},
                {"of": "64 clients without a pause", **asdict(pressed)},
            ]
        },
        [Figure("200 texters' todo lists, of a core", of_a_core, REACH, "%")],
    )


def _add_texters(url: str) -> list[int]:
    """Contacts lie in the order of the upload, those of one texter far from each other."""
    chosen = {"texters": TEXTERS, "campaigns": CAMPAIGNS, "contacts": CONTACTS}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(_WORLD, chosen)
        connection.execute("vacuum analyze")
        users = connection.execute("select distinct user_id from assignment where user_id > 12")
        return [row[0] for row in users]
