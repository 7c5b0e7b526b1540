"""The usage roll-up is what messages and ledger entries say, whoever writes them meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.database import Database, open_database
from server.worker import Pace, run_worker
from services.delivery_reports import apply_reports
from services.errors import InvalidInput
from services.providers import DeliveryStatus, Report
from services.send_statement import Outcome, Send, Written, write_sends
from services.send_writer import SendWriter
from services.settings import Settings
from services.usage_day import UsageChange, rebuild_usage, verify_usage
from tests.conftest import SECRET
from tests.world import (
    Team,
    books,
    held_back,
    holding,
    make_send,
    make_team,
    rows,
    switch,
    until_waiting,
    value,
    with_settings,
)

FIGURES = ("texts", "segments", "media_texts", "failed", "credits_used")
SUMS = ", ".join(f"coalesce(sum({name}), 0)::int as {name}" for name in FIGURES)
NOTHING = (0, 0, 0, 0, 0)
ADD_CAMPAIGN = """
with made_campaign as (
  insert into all_campaign (organization_id, title, is_started, is_archived)
  values (%(team)s, 'Sunday', true, false) returning id
),
made_assignment as (
  insert into assignment (user_id, campaign_id) select %(texter)s, id from made_campaign
  returning id, campaign_id
)
insert into campaign_contact (campaign_id, assignment_id, cell)
select campaign_id, id, '+12025559999' from made_assignment returning id, assignment_id, campaign_id
"""
TEXT_BY_SPOKE = """
insert into message (campaign_contact_id, assignment_id, user_id, contact_number, is_from_contact,
  text, service, send_status, created_at, num_segments, num_media)
select %(contact)s, %(assignment)s, %(texter)s, '+12025550000', %(inbound)s, 'Hi!', 'twilio',
  %(status)s, %(at)s, %(segments)s, %(media)s
from generate_series(1, %(texts)s) returning id
"""


async def write(database: Database, sends: Sequence[Send]) -> list[int]:
    """Ids of the messages, all of which are accepted."""
    async with database.pool.connection() as connection:
        written = await write_sends(connection, sends)
    return [one.message_id for one in written if one.message_id is not None]


async def add_campaign(database: Database, team: Team) -> Team:
    """The same team in another campaign, with one contact."""
    [made] = await rows(database, ADD_CAMPAIGN, **team.names)
    return replace(
        team,
        campaign_id=made.campaign_id,
        assignment_id=made.assignment_id,
        contact_ids=(made.id,),
        cells=("+12025559999",),
    )


async def text_by_spoke(
    database: Database,
    team: Team,
    *,
    texts: int = 1,
    days_ago: int = 0,
    at: datetime | None = None,
    inbound: bool = False,
    status: str = "SENT",
    segments: int | None = None,
    media: int | None = None,
) -> list[int]:
    """As Spoke's own workers write them. Ids of the messages."""
    chosen = {"texts": texts, "inbound": inbound, "status": status}
    found = await rows(
        database,
        TEXT_BY_SPOKE,
        **team.names,
        **chosen,
        segments=segments,
        media=media,
        at=at or datetime.now(UTC) - timedelta(days=days_ago),
    )
    return [row.id for row in found]


async def used(database: Database, team: Team, *, ours: bool = True) -> Any:
    """By this campaign, on all days: FIGURES."""
    [found] = await rows(
        database,
        f"select {SUMS} from usage_day"
        " where team_id = %(team)s and campaign_id = %(campaign)s and is_ours = %(ours)s",
        **team.names,
        ours=ours,
    )
    return found


async def until_used(database: Database, team: Team, texts: int) -> None:
    give_up = time.monotonic() + 10
    while (found := await used(database, team, ours=False)).texts != texts:
        assert time.monotonic() < give_up, found
        await asyncio.sleep(0.02)


async def rebuild(
    database: Database, *, days: int | None = 7, with_ours: bool = False
) -> Sequence[UsageChange]:
    async with database.sessions.begin() as session:
        return await rebuild_usage(session, days=days, with_ours=with_ours)


async def verify(database: Database, *, days: int | None = None) -> Sequence[UsageChange]:
    async with database.sessions() as session:
        return await verify_usage(session, days=days)


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, send_pool_size=16) as database:
        yield database


# What we accept


async def test_a_text_counts_when_it_is_accepted(database: Database) -> None:
    team = await make_team(database, contacts=4, credits=10)
    sends = [
        make_send(team, 0, cost=2),
        make_send(team, 1, cost=3, segments=1, media=1),
        make_send(team, 2, cost=6),
        make_send(team, 3, forced=True),
    ]
    assert len(await write(database, sends)) == 3
    assert await used(database, team) == (3, 4, 1, 0, 6)
    await books(database, team.id)


async def test_texts_without_credits_count_and_cost_nothing(database: Database) -> None:
    never = await make_team(database, contacts=2)
    off = await make_team(database, contacts=2, credits=5)
    await switch(database, off, enabled=False)
    await write(database, [make_send(team, n, cost=2) for team in (never, off) for n in range(2)])
    for team in (never, off):
        assert await used(database, team) == (2, 4, 0, 0, 0)


async def test_each_campaign_of_a_batch_has_its_own(database: Database) -> None:
    team = await make_team(database, contacts=3, credits=10)
    sunday = await add_campaign(database, team)
    other = await make_team(database, contacts=1, credits=10)
    sends = [make_send(team, n) for n in range(3)]
    await write(database, [make_send(other, cost=2), *sends, make_send(sunday, cost=3)])
    assert await used(database, team) == (3, 3, 0, 0, 3)
    assert await used(database, sunday) == (1, 3, 0, 0, 3)
    assert await used(database, other) == (1, 2, 0, 0, 2)


async def test_a_send_that_finds_its_assignment_later_counts_for_the_contacts_campaign(
    database: Database,
) -> None:
    team = await make_team(database)
    await rows(database, "update campaign_contact set assignment_id = null")
    await write(database, [make_send(team, contact_assignment_id=None)])
    assert await used(database, team) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
async def test_days_are_utc_whatever_a_connection_thinks(
    database: Database, database_url: str, zone: str
) -> None:
    """At any moment two of these zones have different dates."""
    team = await make_team(database, credits=3)
    async with open_database(with_settings(database_url, f"timezone={zone}")) as elsewhere:
        [message_id] = await write(elsewhere, [make_send(team, cost=3)])
        async with elsewhere.pool.connection() as connection:
            report = Report(message_id, DeliveryStatus.DELIVERED, "SM1", segments=2)
            await apply_reports(connection, [report])
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        await text_by_spoke(elsewhere, team, at=midnight)
        await text_by_spoke(elsewhere, team, at=midnight - timedelta(microseconds=1))
        await rebuild(elsewhere, days=1)
        [yesterday] = await verify(elsewhere)
        assert yesterday.day == midnight.date() - timedelta(days=1)
    found = await rows(database, "select day, texts from usage_day order by is_ours")
    assert found == [(midnight.date(), 1), (midnight.date(), 1)]
    assert await verify(database) == [yesterday]


async def test_the_day_is_that_of_the_transaction_as_created_at_is(database: Database) -> None:
    """Both are now(), which a test can't move: they must not come from different clocks."""
    team = await make_team(database, contacts=2)
    async with database.pool.connection() as connection, connection.transaction():
        for position in range(2):
            await write_sends(connection, [make_send(team, position)])
            await asyncio.sleep(0.01)
    found = await value(database, "select count(distinct created_at) from message")
    assert found == 1
    assert await verify(database) == []


async def test_teams_in_any_order_do_not_deadlock_without_accounts(
    database: Database, crowd: Database
) -> None:
    """Nothing else that they lock is shared."""
    teams = [await make_team(database, contacts=16) for _ in range(4)]

    async def sender(position: int) -> None:
        order = teams[position % 4 :] + teams[: position % 4]
        order = order[::-1] if position % 2 else order
        for _ in range(10):
            await write(crowd, [make_send(team, position) for team in order])

    await asyncio.gather(*map(sender, range(16)))
    for team in teams:
        assert await used(database, team) == (160, 160, 0, 0, 0)


async def test_a_team_whose_usage_is_held_delays_only_itself(
    database: Database, settings: Settings
) -> None:
    """As one whose account is held."""
    held, other = [await make_team(database, contacts=10) for _ in range(2)]
    await write(database, [make_send(team) for team in (held, other)])
    writer = SendWriter(database.pool, settings)

    def send(team: Team, position: int) -> Awaitable[Written]:
        return asyncio.ensure_future(writer.write(make_send(team, position), campaign_id=1))

    lock = "select from usage_day where team_id = %(team)s for update"
    async with holding(database, lock, team=held.id):
        waiting = [send(held, n) for n in range(1, 10)]
        async with asyncio.timeout(2):
            together = await asyncio.gather(*(send(other, n) for n in range(1, 10)))
    assert {one.outcome for one in together} == {Outcome.ACCEPTED}
    assert {one.outcome for one in await asyncio.gather(*waiting)} == {Outcome.ACCEPTED}
    for team in (held, other):
        assert await used(database, team) == (10, 10, 0, 0, 0)


async def test_a_busy_row_is_changed_in_its_place(database: Database) -> None:
    """No index is touched, and what it was before is cleared away as it goes."""
    team = await make_team(database, contacts=1)
    async with database.pool.connection() as connection:
        for _ in range(400):
            await write_sends(connection, [make_send(team)])
        await connection.execute("select pg_stat_force_next_flush()")
    [found] = await rows(
        database,
        "select n_tup_upd, n_tup_hot_upd, pg_relation_size(relid) as size"
        " from pg_stat_user_tables where relname = 'usage_day'",
    )
    assert (found.n_tup_upd, found.n_tup_hot_upd) == (399, 399)
    assert found.size == 8192


# What Spoke's own workers send


async def test_texts_of_spoke_come_in_with_the_rebuild(database: Database) -> None:
    team = await make_team(database, credits=5)
    await write(database, [make_send(team, cost=2)])
    await text_by_spoke(database, team, texts=3)
    await text_by_spoke(database, team, segments=4, media=1, status="DELIVERED")
    await text_by_spoke(database, team, segments=0, status="ERROR")
    await text_by_spoke(database, team, status="NOT_ATTEMPTED")
    await text_by_spoke(database, team, inbound=True, segments=2)
    assert await used(database, team, ours=False) == NOTHING
    await rebuild(database)
    assert await used(database, team, ours=False) == (6, 8, 1, 2, 0)
    assert await used(database, team) == (1, 2, 0, 0, 2)
    assert await verify(database) == []


async def test_a_rebuild_finds_what_has_changed_since_the_last(database: Database) -> None:
    team = await make_team(database)
    [first, second] = await text_by_spoke(database, team, texts=2)
    assert len(await rebuild(database)) == 1
    assert await rebuild(database) == []
    await rows(
        database,
        "update message set send_status = 'ERROR', num_segments = 3 where id = %(id)s",
        id=first,
    )
    [change] = await rebuild(database)
    assert (change.texts, change.segments, change.failed) == (0, 2, 1)
    await rows(database, "delete from message where id = %(id)s", id=second)
    assert len(await rebuild(database)) == 1
    assert await used(database, team, ours=False) == (1, 3, 0, 1, 0)


async def test_a_rebuild_leaves_older_days_alone(database: Database) -> None:
    team = await make_team(database)
    for days_ago in (0, 6, 7, 100):
        await text_by_spoke(database, team, days_ago=days_ago)
    await rebuild(database, days=7)
    assert (await used(database, team, ours=False))[0] == 2
    assert [change.day for change in await verify(database)] == [
        datetime.now(UTC).date() - timedelta(days=days_ago) for days_ago in (100, 7)
    ]
    assert await verify(database, days=7) == []
    assert len(await verify(database, days=8)) == 1
    await rebuild(database, days=None)
    assert (await used(database, team, ours=False))[0] == 4
    assert await verify(database) == []


@pytest.mark.parametrize("days", [0, -1, 36_501])
async def test_days_must_be_some(database: Database, days: int) -> None:
    for work in (rebuild, verify):
        with pytest.raises(InvalidInput, match="days must be from 1"):
            await work(database, days=days)


async def test_the_worker_rebuilds(
    database: Database, database_url: str, settings: Settings
) -> None:
    team = await make_team(database)
    await text_by_spoke(database, team, texts=2)
    pace = Pace(rebuild_usage=0.05)
    worker = asyncio.create_task(run_worker(settings, database_url, SECRET, pace=pace))
    try:
        await until_used(database, team, 2)
        await text_by_spoke(database, team, texts=3)
        await until_used(database, team, 5)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


# At the same time


@pytest.mark.long
async def test_rebuilds_and_reports_while_texts_are_sent_leave_the_exact_sum(
    database: Database, crowd: Database
) -> None:
    """We send, providers report, Spoke sends, and a drift that somebody left is mended."""
    teams = [await make_team(database, contacts=20, credits=10_000) for _ in range(2)]
    teams += [await make_team(database, contacts=20) for _ in range(2)]
    await write(database, [make_send(team, n) for team in teams for n in range(5)])
    await rows(database, "update usage_day set texts = texts + 7, segments = segments - 3")
    first, *_ = teams
    await rows(database, "delete from usage_day where team_id = %(team)s", team=first.id)
    done = asyncio.Event()

    async def send(position: int) -> None:
        for n in range(15):
            sends = [make_send(team, position, cost=2 + n % 2) for team in teams]
            message_ids = await write(crowd, sends)
            statuses = list(DeliveryStatus)
            reports = [
                Report(m, statuses[(n + number) % 5], f"SM{m}", segments=1 + n % 3)
                for number, m in enumerate(message_ids)
            ]
            async with crowd.pool.connection() as connection:
                await apply_reports(connection, reports)

    async def send_by_spoke() -> None:
        while not done.is_set():
            for team in teams:
                [message_id] = await text_by_spoke(database, team)
                await rows(
                    database,
                    "update message set num_segments = 2, send_status = 'ERROR' where id = %(id)s",
                    id=message_id,
                )

    async def rebuild_again_and_again() -> None:
        while not done.is_set():
            await rebuild(crowd, with_ours=True)

    others = [send_by_spoke(), rebuild_again_and_again(), rebuild_again_and_again()]
    async with asyncio.TaskGroup() as group:
        for other in others:
            group.create_task(other)
        await asyncio.gather(*(send(position) for position in range(10)))
        done.set()
    await rebuild(database)
    assert await verify(database) == []
    for team in teams:
        texts, _, _, _, credits_used = await used(database, team)
        assert texts == 155
        spent = "select coalesce(-sum(amount), 0) from credit_entry where message_id is not null"
        assert credits_used == await value(database, f"{spent} and team_id = {team.id}")


async def test_rebuilds_at_the_same_time_mend_once(database: Database) -> None:
    team = await make_team(database)
    await text_by_spoke(database, team, texts=3)
    lock = "lock table all_campaign in access exclusive mode"
    found = await held_back(database, [rebuild(database) for _ in range(3)], lock)
    assert sorted(len(changes) for changes in found) == [0, 0, 1]  # type: ignore[arg-type]
    assert await used(database, team, ours=False) == (3, 3, 0, 0, 0)


async def test_a_report_that_waited_for_another_goes_on_from_it(database: Database) -> None:
    team = await make_team(database, credits=5)
    [message_id] = await write(database, [make_send(team, cost=3)])
    counted = Report(message_id, DeliveryStatus.SENT, "SM1", segments=2)
    failed = Report(message_id, DeliveryStatus.FAILED, "SM1")

    async def fail() -> None:
        async with database.pool.connection() as connection:
            await apply_reports(connection, [failed])

    async with database.pool.connection() as connection, connection.transaction():
        await apply_reports(connection, [counted])
        failing = asyncio.create_task(fail())
        await until_waiting(database, 1)
    await failing
    assert await used(database, team) == (1, 0, 0, 1, 0)
    await books(database, team.id)


@pytest.mark.long
async def test_nothing_drifts_in_the_middle_of_sending(database: Database, crowd: Database) -> None:
    """What is looked at is one snapshot."""
    team = await make_team(database, contacts=10, credits=10_000)

    async def send(position: int) -> None:
        for _ in range(30):
            [message_id] = await write(crowd, [make_send(team, position, cost=2)])
            async with crowd.pool.connection() as connection:
                sid = f"SM{message_id}"
                report = Report(message_id, DeliveryStatus.DELIVERED, sid, segments=1)
                await apply_reports(connection, [report])

    sending = [asyncio.create_task(send(position)) for position in range(10)]
    looks = 0
    while not all(task.done() for task in sending):
        assert await verify(database) == []
        looks += 1
    await asyncio.gather(*sending)
    assert looks > 5
    assert await used(database, team) == (300, 300, 0, 0, 300)


async def test_a_rebuild_makes_no_send_wait_while_it_reads(database: Database) -> None:
    """Somebody keeps it reading: it holds no row that a send needs."""
    team = await make_team(database, contacts=2)
    await write(database, [make_send(team)])
    await rows(database, "update usage_day set texts = 5")
    lock = "lock table all_campaign in access exclusive mode"
    async with holding(database, lock):
        rebuilding = asyncio.create_task(rebuild(database, with_ours=True))
        await asyncio.sleep(0.2)
        async with asyncio.timeout(1):
            await write(database, [make_send(team, 1)])
        assert not rebuilding.done()
    assert len(await rebuilding) == 1
    assert await used(database, team) == (2, 2, 0, 0, 0)


# Drift


async def test_drift_is_told_and_mended(database: Database) -> None:
    team = await make_team(database, contacts=2, credits=5)
    await write(database, [make_send(team, n, cost=2) for n in range(2)])
    wrong = "texts = 1, segments = 9, media_texts = 1, failed = -1, credits_used = 0"
    await rows(database, f"update usage_day set {wrong}")
    [drift] = await verify(database)
    assert drift == UsageChange(
        team.id, datetime.now(UTC).date(), team.campaign_id, True, 1, -5, -1, 1, 4
    )
    assert str(replace(drift, day=date(2026, 11, 22))) == (
        f"team {team.id}, campaign {team.campaign_id}, 2026-11-22 (UTC), texts that we accepted: "
        "to be right, texts +1, segments -5, media_texts -1, failed +1, credits_used +4"
    )
    await rebuild(database)
    assert await verify(database) == [drift], "not without being asked for it"
    assert await rebuild(database, with_ours=True) == [drift]
    assert await verify(database) == []


async def test_a_report_about_a_text_that_was_not_counted_goes_through(database: Database) -> None:
    """Usage must not be in the way of credits."""
    team = await make_team(database, credits=5)
    [message_id] = await write(database, [make_send(team, cost=3)])
    await rows(database, "delete from usage_day")
    async with database.pool.connection() as connection:
        await apply_reports(connection, [Report(message_id, DeliveryStatus.FAILED, "SM1")])
    assert await used(database, team) == (0, -3, 0, 1, -3)
    await rebuild(database, with_ours=True)
    assert await used(database, team) == (1, 0, 0, 1, 0)
    assert (await books(database, team.id)).balance == 5


@pytest.mark.parametrize(
    ("reports", "figures"),
    [
        ([("SENT", None)], (1, 3, 0, 0, 3)),
        ([("DELIVERED", 2)], (1, 2, 0, 0, 2)),
        ([("SENT", 4), ("DELIVERED", 2)], (1, 4, 0, 0, 4)),
        ([("UNDELIVERED", None)], (1, 3, 0, 1, 3)),
        ([("UNDELIVERED", 2), ("SENT", 2)], (1, 2, 0, 1, 2)),
        ([("UNDELIVERED", None), ("SENT", 2)], (1, 2, 0, 1, 2)),
        ([("FAILED", None)], (1, 0, 0, 1, 0)),
        ([("SENT", 2), ("FAILED", None), ("FAILED", None)], (1, 0, 0, 1, 0)),
        ([("NOT_ATTEMPTED", None)], (1, 0, 0, 1, 0)),
    ],
)
async def test_usage_follows_what_the_provider_reports(
    database: Database, reports: list[tuple[str, int | None]], figures: Any
) -> None:
    team = await make_team(database, credits=5)
    [message_id] = await write(database, [make_send(team, cost=3)])
    for status, segments in reports:
        async with database.pool.connection() as connection:
            report = Report(message_id, DeliveryStatus(status), "SM1", segments=segments)
            await apply_reports(connection, [report])
    assert await used(database, team) == figures
    await books(database, team.id)


async def test_a_report_that_changes_no_figure_touches_none(database: Database) -> None:
    team = await make_team(database, credits=5)
    [message_id] = await write(database, [make_send(team)])
    version = "select xmin::text from usage_day"
    before = await value(database, version)
    for status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED):
        async with database.pool.connection() as connection:
            await apply_reports(connection, [Report(message_id, status, "SM1", segments=1)])
    assert await value(database, version) == before
