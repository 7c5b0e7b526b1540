"""The todo list's numbers, compared with contacts that are looked at one by one."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.api import Api

STATUSES = ("needsMessage", "needsResponse", "convo", "messaged", "closed")
ZONES = ("America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Europe/London", "", None)
HOURS = ((0, 24), (9, 21), (0, 12), (21, 9))
CONTACTS = 600
TODOS = """
query Todos($team: String!, $filter: ContactsFilter) {
  currentUser { todos(organizationId: $team) {
    id contactsCount(contactsFilter: $filter) contacts(contactsFilter: $filter) { id }
  } }
}
"""
_CAMPAIGN = """
insert into all_campaign (organization_id, title, is_started, is_archived, due_by,
    texting_hours_start, texting_hours_end, timezone)
  values (1, 'Random', true, false, now() + %s, %s, %s, %s) returning id
"""
_ASSIGNMENT = """
insert into assignment (user_id, campaign_id)
  select id, %s from "user" where email = 'texter@example.org' returning id
"""
_CONTACT = """
insert into campaign_contact
    (campaign_id, assignment_id, cell, timezone, message_status, is_opted_out, archived)
  values (%s, %s, %s, %s, %s, %s, %s)
"""
_LOOKED_AT = """
select c.id, c.assignment_id, c.timezone, c.message_status, c.is_opted_out,
  texting_hours_start as start, texting_hours_end as end, a.timezone as zone, due_by
from campaign_contact c join all_campaign a on a.id = c.campaign_id
where c.assignment_id is not null and not c.archived order by c.id
"""


@pytest.fixture
def written(demo_url: str) -> Iterator[psycopg.Connection]:
    """Contacts of every kind, in campaigns of every kind."""
    chance = random.Random(1)
    with psycopg.connect(demo_url, autocommit=True) as connection:
        for days, (start, end) in product((-1, 1, None), HOURS):
            due = None if days is None else timedelta(days=days)
            zone = chance.choice(ZONES[:3])
            [(campaign,)] = connection.execute(_CAMPAIGN, [due, start, end, zone])
            [(assignment,)] = connection.execute(_ASSIGNMENT, [campaign])
            with connection.cursor() as cursor:
                cursor.executemany(
                    _CONTACT,
                    [
                        (
                            campaign,
                            chance.choice([assignment, assignment, None]),
                            f"+1999{campaign:03}{n:04}",
                            chance.choice(ZONES),
                            chance.choice(STATUSES),
                            chance.choice([False, False, True, None]),
                            chance.random() < 0.1,
                        )
                        for n in range(CONTACTS // 12)
                    ],
                )
        yield connection


def expected(connection: psycopg.Connection, chosen: dict[str, Any]) -> dict[int, list[int]]:
    """By assignment the contacts that `chosen` wants."""
    [(now,)] = connection.execute("select now()")
    found: dict[int, list[int]] = {}
    contacts: Any = connection.cursor(row_factory=namedtuple_row).execute(_LOOKED_AT)
    for contact in contacts:
        of_assignment = found.setdefault(contact.assignment_id, [])
        if is_wanted(contact, chosen, now):
            of_assignment.append(contact.id)
    return found


def is_wanted(contact: Any, chosen: dict[str, Any], now: datetime) -> bool:
    hour = now.astimezone(ZoneInfo(contact.timezone or contact.zone)).hour
    is_textable = (contact.start, contact.end) == (0, 24) or contact.start <= hour < contact.end
    is_past_due = contact.due_by is not None and contact.due_by <= now
    statuses = chosen.get("messageStatus")
    if statuses == "needsMessageOrResponse":
        statuses = "needsMessage,needsResponse"
    return (
        (not statuses or contact.message_status in statuses.split(","))
        and chosen.get("isOptedOut") in (None, contact.is_opted_out)
        and chosen.get("validTimezone") in (None, is_textable)
        and not (chosen.get("includePastDue") is False and is_past_due)
    )


FILTERS = [
    {"messageStatus": status, "isOptedOut": out, "validTimezone": textable, "includePastDue": late}
    for status, out, textable, late in product(
        (None, "needsMessage", "needsMessageOrResponse", "convo,closed"),
        (None, True, False),
        (None, True, False),
        (None, False),
    )
]


@pytest.mark.long
async def test_lists_and_their_numbers_are_those_of_the_contacts_looked_at_one_by_one(
    api: Api, written: psycopg.Connection
) -> None:
    for chosen in FILTERS:
        while True:
            before = expected(written, chosen)
            answer = await api("texter", TODOS, team="1", filter=chosen)
            if before == expected(written, chosen):
                break  # an hour may have begun meanwhile
        todos = answer.ok["currentUser"]["todos"]
        assert len(todos) > 12
        for todo in todos:
            contacts = before.get(int(todo["id"]), [])
            assert [int(contact["id"]) for contact in todo["contacts"]] == contacts, chosen
            assert todo["contactsCount"] == len(contacts), chosen
