"""What providers report: status, segments, and the credits that follow; once, whoever races."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from models.database import Database, open_database
from services.delivery_reports import Applied, apply_reports
from services.providers import DeliveryStatus, Report
from services.send_statement import write_sends
from tests.world import (
    Team,
    add,
    books,
    make_send,
    make_team,
    rows,
    switch,
    until_waiting,
    value,
)

SENT, DELIVERED, UNDELIVERED, FAILED, NOT_ATTEMPTED = DeliveryStatus


async def accept(database: Database, team: Team, *, cost: int = 1, **changes: Any) -> int:
    """A text of the team that is on its way; returns the message's id."""
    async with database.pool.connection() as connection:
        [written] = await write_sends(connection, [make_send(team, cost=cost, **changes)])
    assert written.message_id is not None
    return written.message_id


async def report(database: Database, *reports: Report) -> list[Applied]:
    async with database.pool.connection() as connection:
        return await apply_reports(connection, reports)


async def message(database: Database, message_id: int) -> Any:
    [found] = await rows(
        database,
        "select m.*, o.state, o.reported, o.fence from message m"
        " join outbound_text o on o.message_id = m.id where m.id = %(id)s",
        id=message_id,
    )
    return found


async def entries(database: Database, message_id: int) -> list[tuple[str, int]]:
    found = await rows(
        database,
        "select kind, amount from credit_entry where message_id = %(id)s order by id",
        id=message_id,
    )
    return [(row.kind, row.amount) for row in found]


async def test_a_sent_text_is_with_its_provider(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team)
    [applied] = await report(database, Report(sent, SENT, "SM1", response={"status": "queued"}))
    assert applied == Applied(is_news=True, moved_team_id=None)
    found = await message(database, sent)
    assert (found.send_status, found.service_id, found.state) == ("SENT", "SM1", "DONE")
    assert found.service_response == '[{"status":"queued"}]'
    assert await entries(database, sent) == [("SEND", -1)]


async def test_fewer_segments_give_the_difference_back(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=3)
    [applied] = await report(database, Report(sent, DELIVERED, "SM1", segments=2))
    assert applied == Applied(is_news=True, moved_team_id=team.id)
    assert await entries(database, sent) == [("SEND", -3), ("SETTLEMENT", 1)]
    assert (await books(database, team.id)).balance == 3
    assert (await message(database, sent)).num_segments == 2


async def test_more_segments_are_debited_even_below_zero_and_open_an_exhaustion(
    database: Database,
) -> None:
    team = await make_team(database, credits=2)
    sent = await accept(database, team)
    await report(database, Report(sent, SENT, "SM1", segments=4))
    figures = await books(database, team.id)
    assert (figures.balance, figures.exhaustions, figures.reason) == (-2, 1, "EXHAUSTED")
    assert figures.remaining == -2
    assert await entries(database, sent) == [("SEND", -1), ("SETTLEMENT", -3)]


async def test_a_settlement_opens_nothing_once_credits_are_off(database: Database) -> None:
    team = await make_team(database, credits=2)
    sent = await accept(database, team)
    await switch(database, team, enabled=False)
    await report(database, Report(sent, SENT, "SM1", segments=4))
    figures = await books(database, team.id)
    assert (figures.balance, figures.exhaustions) == (-2, 0)


@pytest.mark.parametrize("segments", [None, 0])
async def test_a_provider_that_does_not_know_yet_settles_nothing(
    database: Database, segments: int | None
) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, SENT, "SM1", segments=segments))
    assert await entries(database, sent) == [("SEND", -2)]
    await report(database, Report(sent, DELIVERED, "SM1", segments=1))
    assert await entries(database, sent) == [("SEND", -2), ("SETTLEMENT", 1)]


async def test_only_the_first_count_counts(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, SENT, "SM1", segments=2))
    await report(database, Report(sent, DELIVERED, "SM1", segments=3))
    assert await entries(database, sent) == [("SEND", -2)]
    assert (await message(database, sent)).num_segments == 2


async def test_a_text_with_media_is_never_settled_but_given_back(database: Database) -> None:
    team = await make_team(database, credits=9)
    sent = await accept(database, team, cost=3, segments=1, media=1)
    await report(database, Report(sent, SENT, "SM1", segments=2))
    assert await entries(database, sent) == [("SEND", -3)]
    await report(database, Report(sent, FAILED, "SM1"))
    assert await entries(database, sent) == [("SEND", -3), ("GIVE_BACK", 3)]


@pytest.mark.parametrize("status", [FAILED, NOT_ATTEMPTED])
async def test_what_no_carrier_took_is_given_back_whole(
    database: Database, status: DeliveryStatus
) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, status, error_code="30007"))
    found = await message(database, sent)
    expected = "ERROR" if status is FAILED else "NOT_ATTEMPTED"
    assert (found.send_status, found.error_codes, found.num_segments) == (expected, ["30007"], 0)
    assert await entries(database, sent) == [("SEND", -2), ("GIVE_BACK", 2)]
    assert (await books(database, team.id)).balance == 5


async def test_a_settled_text_that_fails_gives_back_what_it_cost(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=3)
    await report(database, Report(sent, SENT, "SM1", segments=2))
    await report(database, Report(sent, FAILED, "SM1"))
    assert await entries(database, sent) == [("SEND", -3), ("SETTLEMENT", 1), ("GIVE_BACK", 2)]
    assert (await books(database, team.id)).balance == 5


async def test_undelivered_keeps_its_debit(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, UNDELIVERED, "SM1", error_code="30005"))
    assert (await message(database, sent)).send_status == "ERROR"
    assert await entries(database, sent) == [("SEND", -2)]


async def test_a_give_back_closes_no_exhaustion(database: Database) -> None:
    team = await make_team(database, credits=2)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, FAILED))
    figures = await books(database, team.id)
    assert (figures.balance, figures.exhaustions, figures.reason) == (2, 1, "EXHAUSTED")


async def test_what_was_not_debited_is_neither_settled_nor_given_back(database: Database) -> None:
    team = await make_team(database)
    counted = await accept(database, team, cost=3)
    await report(database, Report(counted, DELIVERED, "SM1", segments=2))
    refused = await accept(database, team, cost=3)
    await report(database, Report(refused, FAILED, "SM2"))
    assert (await entries(database, counted), await entries(database, refused)) == ([], [])
    assert (await message(database, counted)).num_segments == 2
    assert (await message(database, refused)).num_segments == 0


@pytest.mark.parametrize("end", [DELIVERED, UNDELIVERED, FAILED, NOT_ATTEMPTED])
@pytest.mark.parametrize("late", [SENT, DELIVERED, UNDELIVERED, FAILED])
async def test_what_has_come_to_an_end_stays_there(
    database: Database, end: DeliveryStatus, late: DeliveryStatus
) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, end, "SM1"))
    before = await message(database, sent), await entries(database, sent)
    [applied] = await report(database, Report(sent, late, "SM1"))
    assert applied == Applied(is_news=False, moved_team_id=None)
    assert (await message(database, sent), await entries(database, sent)) == before


async def test_what_the_provider_has_was_attempted(database: Database) -> None:
    """A report that comes while a look-up, or an operator, finds nothing."""
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    [_, late] = await report(
        database, Report(sent, SENT, "SM1"), Report(sent, NOT_ATTEMPTED, fence=0)
    )
    assert not late.is_news
    assert (await message(database, sent)).send_status == "SENT"
    assert await entries(database, sent) == [("SEND", -2)]


async def test_nothing_is_settled_after_a_give_back(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await report(database, Report(sent, FAILED, "SM1"), Report(sent, SENT, "SM1", segments=1))
    assert await entries(database, sent) == [("SEND", -2), ("GIVE_BACK", 2)]


async def test_reports_of_one_text_in_one_batch_are_applied_one_after_the_other(
    database: Database,
) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=3)
    one = Report(sent, SENT, "SM1", segments=2)
    assert await report(database, one, replace(one, status=DELIVERED), one) == [
        Applied(True, team.id),
        Applied(True, None),
        Applied(False, None),
    ]
    assert (await message(database, sent)).send_status == "DELIVERED"


async def test_a_hand_that_is_no_longer_the_last_one_changes_nothing(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team)
    [applied] = await report(database, Report(sent, FAILED, fence=7))
    assert not applied.is_news
    assert (await message(database, sent)).state == "QUEUED"


async def test_a_second_text_for_the_same_message_is_not_it(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team)
    await report(database, Report(sent, SENT, "SM1"))
    [applied] = await report(database, Report(sent, FAILED, "SM2"))
    assert not applied.is_news


async def test_messages_of_others_are_left_alone(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team)
    await rows(database, "delete from outbound_text")
    [unknown, spokes] = await report(database, Report(999, DELIVERED), Report(sent, DELIVERED))
    assert not unknown.is_news and not spokes.is_news
    assert await value(database, "select send_status from message") == "SENDING"


async def test_the_credits_of_a_deleted_message_are_given_back(database: Database) -> None:
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    await rows(database, "delete from message")
    await report(database, Report(sent, NOT_ATTEMPTED))
    assert await entries(database, sent) == [("SEND", -2), ("GIVE_BACK", 2)]


async def test_several_teams_and_kinds_in_one_batch_keep_every_chain(database: Database) -> None:
    teams = [await make_team(database, contacts=4, credits=50) for _ in range(3)]
    reports = []
    for team in reversed(teams):
        sends = [make_send(team, position, cost=3) for position in range(4)]
        async with database.pool.connection() as connection:
            written = await write_sends(connection, sends)
        first, second, third, fourth = (w.message_id or 0 for w in written)
        reports += [
            Report(fourth, FAILED),
            Report(first, SENT, "a", segments=1),
            Report(second, SENT, "b", segments=5),
            Report(third, SENT, "c", segments=3),
        ]
    await report(database, *[replace(r, service_id=f"SM{r.message_id}") for r in reports])
    for team in teams:
        assert (await books(database, team.id)).balance == 50 - 1 - 5 - 3


async def raced(url: str, batches: Sequence[Sequence[Report]]) -> None:
    """Each batch on a connection of its own, all at once."""
    async with open_database(url, send_pool_size=len(batches)) as crowd:
        ready = asyncio.Barrier(len(batches))

        async def one(batch: Sequence[Report]) -> None:
            async with crowd.pool.connection() as connection:
                await ready.wait()
                await apply_reports(connection, batch)

        await asyncio.gather(*(one(batch) for batch in batches))


async def test_duplicate_reports_race_to_one_settlement_and_one_give_back(
    database: Database, database_url: str
) -> None:
    """Eight at a time, each over the same texts in another order, while the team is refilled."""
    team = await make_team(database, contacts=20, credits=100)
    async with database.pool.connection() as connection:
        written = await write_sends(connection, [make_send(team, p, cost=3) for p in range(20)])
    ids = [w.message_id or 0 for w in written]
    counted = [Report(i, SENT, f"SM{i}", segments=2) for i in ids]
    failed = [Report(i, FAILED, f"SM{i}") for i in ids[::2]]
    turned = [counted[shift:] + counted[:shift] for shift in range(8)]
    await asyncio.gather(raced(database_url, turned), add(database, team, 5))
    await raced(database_url, [failed[shift:] + failed[:shift] for shift in range(8)])
    assert (await books(database, team.id)).balance == 100 + 5 - 10 * 2
    kinds = await rows(
        database,
        "select kind, count(*), sum(amount) from credit_entry where message_id is not null"
        " group by kind order by kind",
    )
    assert [tuple(row) for row in kinds] == [
        ("GIVE_BACK", 10, 20),
        ("SEND", 20, -60),
        ("SETTLEMENT", 20, 20),
    ]


async def test_counts_and_failures_of_the_same_texts_race_without_harm(
    database: Database, database_url: str
) -> None:
    team = await make_team(database, contacts=20, credits=100)
    async with database.pool.connection() as connection:
        written = await write_sends(connection, [make_send(team, p, cost=3) for p in range(20)])
    ids = [w.message_id or 0 for w in written]
    counted = [Report(i, SENT, f"SM{i}", segments=2) for i in ids]
    failed = [Report(i, FAILED, f"SM{i}") for i in reversed(ids)]
    await raced(database_url, [counted, failed] * 4)
    assert (await books(database, team.id)).balance == 100


ADOPTED = "select array_agg(message_id) from outbound_text where service_id = 'SM1'"


async def test_a_providers_text_belongs_to_one_message(database: Database) -> None:
    team = await make_team(database, contacts=2, credits=5)
    first, second = [await accept(database, team, position=p) for p in range(2)]
    one, other = Report(first, SENT, "SM1"), Report(second, DELIVERED, "SM1", segments=2)
    refused = Applied(is_news=False, moved_team_id=None, is_anothers=True)
    assert await report(database, one, other) == [Applied(True, None), refused]
    assert await report(database, other) == [refused]
    assert (await message(database, second)).state == "QUEUED"
    assert await report(database, replace(other, service_id="SM2")) == [Applied(True, team.id)]


async def test_a_text_that_only_a_message_has_belongs_to_it(database: Database) -> None:
    """One of Spoke's, or one of ours from before we kept the provider's id in the queue."""
    team = await make_team(database, contacts=2, credits=5)
    old, new = [await accept(database, team, position=p) for p in range(2)]
    await report(database, Report(old, SENT, "SM1"))
    await rows(database, "update outbound_text set service_id = null")
    [refused] = await report(database, Report(new, SENT, "SM1"))
    assert refused.is_anothers
    assert not (await report(database, Report(old, FAILED, "SM2")))[0].is_news
    assert (await report(database, Report(old, DELIVERED, "SM1")))[0].is_news
    assert await value(database, ADOPTED) == [old]


async def test_a_providers_text_belongs_to_one_message_whoever_races(
    database: Database, database_url: str
) -> None:
    team = await make_team(database, contacts=8, credits=8)
    ids = [await accept(database, team, position=p) for p in range(8)]
    await raced(database_url, [[Report(i, SENT, "SM1")] for i in ids])
    states = "select count(*) from outbound_text where state = %(state)s"
    assert await value(database, states, state="DONE") == 1
    assert await value(database, states, state="QUEUED") == 7
    [owner] = await value(database, ADOPTED)
    assert await value(database, "select array_agg(id) from message where service_id <> ''") == [
        owner
    ]


async def test_which_of_two_texts_for_a_message_is_it_is_known_under_its_lock(
    database: Database,
) -> None:
    """Taken twice: the first's failure waits for the row that the second's answer is changing."""
    team = await make_team(database, credits=5)
    sent = await accept(database, team, cost=2)
    async with database.pool.connection() as connection, connection.transaction():
        await apply_reports(connection, [Report(sent, SENT, "SM2")])
        late = asyncio.create_task(report(database, Report(sent, FAILED, "SM1")))
        await until_waiting(database, 1)
    assert await late == [Applied(is_news=False, moved_team_id=None)]
    found = await message(database, sent)
    assert (found.send_status, found.service_id) == ("SENT", "SM2")
    assert await entries(database, sent) == [("SEND", -2)]
