"""Conversations, read for many requests at once."""

import asyncio

import pytest

from models.database import Database
from services import messages
from services.conversations import Conversations
from tests.world import SETTINGS, make_team, rows

_SAY = """
insert into message (campaign_contact_id, assignment_id, contact_number, is_from_contact, text,
  service, send_status, created_at)
select c.id, c.assignment_id, c.cell, false, n::text, 'fakeservice', 'SENT',
  now() - n * interval '1 minute'
from campaign_contact c, generate_series(1, 3) n where c.id = %(contact)s
"""


async def test_each_asker_gets_the_conversation_of_their_contact(database: Database) -> None:
    team = await make_team(database, contacts=3)
    for contact_id in team.contact_ids[:2]:
        await rows(database, _SAY, contact=contact_id)
    ask = Conversations(database.pool, SETTINGS).messages.ask
    first, again, second, silent, nobody = await asyncio.gather(
        *(ask(contact_id) for contact_id in (*team.contact_ids[:1] * 2, *team.contact_ids[1:], 999))
    )
    assert [message.text for message in first] == ["3", "2", "1"]
    assert again == first
    assert [message.text for message in second] == ["3", "2", "1"]
    assert {message.contact_id for message in second} == {team.contact_ids[1]}
    assert silent == nobody == []


async def test_a_long_conversation_takes_nothing_from_its_neighbours(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_MESSAGES", 2)
    team = await make_team(database, contacts=3)
    for contact_id in team.contact_ids:
        await rows(database, _SAY, contact=contact_id)
    ask = Conversations(database.pool, SETTINGS).messages.ask
    for found in await asyncio.gather(*map(ask, team.contact_ids)):
        assert [message.text for message in found] == ["3", "2"]
