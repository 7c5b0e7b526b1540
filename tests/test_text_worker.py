"""Accepted texts reach their provider: once, in order, and what becomes of them is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import OperationalError
from structlog.testing import capture_logs

from models.database import Database
from server.circuit_breaker import FAILURES_IN_A_ROW
from server.text_worker import (
    MOST_IN_HAND,
    MOST_LOOKED_UP,
    Outcome,
    TextPace,
    TextWorker,
    text_worker,
)
from services import clock
from services.bell import Bell
from services.errors import NotFound
from services.outbound_texts import (
    Resolution,
    claim_for_look_up,
    claim_texts,
    list_unknown,
    mark_abandoned,
    mark_unknown,
    put_back,
    resolve_unknown,
)
from services.providers import (
    DeliveryStatus,
    MessagingService,
    NotSent,
    OutcomeUnclear,
    OutgoingText,
    Provider,
    Report,
)
from services.send_statement import write_sends
from services.settings import Settings, load_settings
from tests.conftest import SECRET
from tests.world import (
    Team,
    add_messaging_service,
    books,
    holding,
    make_send,
    make_team,
    rows,
    value,
)

QUICK = TextPace(look=0.05, after_trouble=0.05, find_abandoned=0.05, look_up=0.05)
NOW = timedelta()


async def accept(database: Database, team: Team, *positions: int, **changes: Any) -> list[int]:
    """Texts to the contacts at these positions, each in a batch of its own."""
    ids = []
    for position in positions:
        async with database.pool.connection() as connection:
            [written] = await write_sends(connection, [make_send(team, position, **changes)])
        assert written.message_id is not None
        ids.append(written.message_id)
    return ids


async def until(
    database: Database, statement: str, expected: Any, *, seconds: float = 10, **values: Any
) -> None:
    give_up = time.monotonic() + seconds
    while (found := await value(database, statement, **values)) != expected:
        assert time.monotonic() < give_up, f"{found}, not {expected}"
        await asyncio.sleep(0.02)


async def eventually(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)


def told(logged: Sequence[Mapping[str, Any]], event: str) -> list[Mapping[str, Any]]:
    return [line for line in logged if line["event"] == event]


async def claim(database: Database, most: int = 100, **chosen: Any) -> list[int]:
    async with database.pool.connection() as connection:
        return [text.message_id for text in await claim_texts(connection, most=most, **chosen)]


COUNT = "select count(*) from message where send_status = %(status)s"
STATES = "select array_agg(state order by message_id) from outbound_text"


class Stub:
    """A provider that ends each attempt as it is told, and otherwise takes the text."""

    def __init__(self, *, texts_per_second: float | None = None) -> None:
        self.texts_per_second = texts_per_second
        self.handed_over: list[int] = []
        self.outcome_of: Callable[[OutgoingText], Outcome | None] = lambda text: None

    async def send(self, text: OutgoingText) -> Outcome:
        self.handed_over.append(text.message_id)
        taken = Report(text.message_id, DeliveryStatus.SENT, f"SM{text.message_id}")
        return self.outcome_of(text) or taken

    async def look_up(self, text: OutgoingText, since: datetime) -> Sequence[Report]:
        return []

    async def sent_since(
        self, service: MessagingService, since: datetime
    ) -> AsyncIterator[Sequence[Report]]:
        return
        yield []


def use_provider(monkeypatch: pytest.MonkeyPatch, stub: Stub) -> Stub:
    """For all texts."""

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Mapping[str, Provider]]:
        yield {"fakeservice": stub, "twilio": stub}

    monkeypatch.setattr("server.text_worker.open_providers", opened)
    return stub


async def test_texts_become_sent_and_a_moment_later_delivered(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=25, credits=25)
    await accept(database, team, *range(25))
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, COUNT, 25, status="SENT")
        await until(database, COUNT, 25, status="DELIVERED")
    found = await rows(database, "select id, service_id, num_segments from message")
    assert all(row.service_id == f"fakeservice-{row.id}" for row in found)
    assert all(row.num_segments == 1 for row in found)
    assert await value(database, "select count(*) from outbound_text where state = 'DONE'") == 25
    assert (await books(database, team.id)).balance == 0


async def test_deliveries_under_way_are_recorded_before_the_worker_ends(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, credits=1)
    await accept(database, team, 0)
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, COUNT, 1, status="SENT")
    assert await value(database, COUNT, status="DELIVERED") == 1


async def test_refused_texts_give_their_credits_back(database: Database) -> None:
    team = await make_team(database, contacts=10, credits=30)
    await accept(database, team, *range(10), cost=3)
    async with text_worker(database.pool, load_settings(fakeservice_failures=1), SECRET, QUICK):
        await until(database, COUNT, 10, status="ERROR")
    assert (await books(database, team.id)).balance == 30
    assert await value(database, "select error_codes from message limit 1") == ["30008"]


async def test_a_text_that_is_too_late_is_not_sent_and_gives_its_credits_back(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=2, credits=5)
    await accept(database, team, 0, send_before=datetime.now(UTC) - timedelta(seconds=1))
    await accept(database, team, 1)
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, COUNT, 1, status="NOT_ATTEMPTED")
        await until(database, COUNT, 1, status="DELIVERED")
    assert (await books(database, team.id)).balance == 4


async def test_the_credits_of_a_text_that_was_deleted_come_back(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, credits=5)
    await accept(database, team, 0)
    await rows(database, "delete from message")
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, "select balance from credit_account", 5)
    assert await value(database, STATES) == ["DONE"]


async def test_a_conversation_is_sent_in_its_order(database: Database, settings: Settings) -> None:
    team = await make_team(database, contacts=2)
    first, second = await accept(database, team, 0, 0)
    [other] = await accept(database, team, 1)
    assert await claim(database) == [first, other]
    assert await claim(database) == []
    async with database.pool.connection() as connection:
        await put_back(connection, first, fence=1)
    assert await claim(database) == [first]
    async with database.pool.connection() as connection:
        await mark_unknown(connection, first, fence=2, reason="Nobody knows.")
    assert await claim(database) == []
    async with database.pool.connection() as connection:
        await resolve_unknown(connection, first, Resolution.SENT)
    assert await claim(database) == [second]


async def test_a_long_conversation_goes_out_quickly_and_in_order(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database)
    ids = await accept(database, team, *[0] * 30)
    started = time.monotonic()
    async with text_worker(database.pool, settings, SECRET, TextPace(look=10)) as worker:
        worker.wake()
        await until(database, "select count(*) from outbound_text where state = 'DONE'", 30)
    assert time.monotonic() - started < 5
    handed = await rows(database, "select message_id from outbound_text order by handed_at")
    assert [row.message_id for row in handed] == ids


async def test_claims_of_many_workers_share_the_texts(database: Database) -> None:
    team = await make_team(database, contacts=60)
    ids = await accept(database, team, *range(60))
    found = await asyncio.gather(*(claim(database, 10) for _ in range(6)))
    taken = sorted(message_id for claimed in found for message_id in claimed)
    assert taken == sorted(set(taken))
    while more := await claim(database, 10):
        taken += more
    assert sorted(taken) == ids


async def test_a_conversation_keeps_its_order_while_it_is_being_claimed(database: Database) -> None:
    """A second worker doesn't take the second text while the first is just taking the first."""
    team = await make_team(database)
    [first, _] = await accept(database, team, 0, 0)
    async with database.pool.connection() as connection, connection.transaction():
        [taken] = await claim_texts(connection, most=10)
        assert taken.message_id == first
        assert await claim(database) == []
    assert await claim(database) == []


async def test_a_text_that_was_put_back_waits_until_it_is_due(database: Database) -> None:
    team = await make_team(database)
    [text] = await accept(database, team, 0)
    await claim(database)
    async with database.pool.connection() as connection:
        await put_back(connection, text, fence=1, wait=timedelta(minutes=1))
    assert await claim(database) == []
    await rows(database, "update outbound_text set due_at = now()")
    assert await claim(database) == [text]


async def test_a_late_hand_overwrites_nothing(database: Database) -> None:
    """Its lease ended, the text was looked for, put back, and is in another hand now."""
    team = await make_team(database)
    [text] = await accept(database, team, 0)
    await claim(database, lease=NOW)
    async with database.pool.connection() as connection:
        assert await mark_abandoned(connection) == [text]
        [due] = await claim_for_look_up(connection, most=10, after=NOW)
        await put_back(connection, text, fence=due.fence)
        [taken] = await claim_texts(connection, most=10)
        await put_back(connection, text, fence=1)
        await mark_unknown(connection, text, fence=1, reason="Late.")
    [row] = await rows(database, "select state, fence from outbound_text")
    assert (row.state, row.fence, taken.fence) == ("SENDING", 2, 2)


async def test_texts_of_a_vanished_worker_are_unknown_and_listed(database: Database) -> None:
    team = await make_team(database, contacts=2, credits=5)
    gone, alive = await accept(database, team, 0, 1)
    assert await claim(database, 1, lease=NOW) == [gone]
    assert await claim(database, 1) == [alive]
    async with database.pool.connection() as connection:
        assert await mark_abandoned(connection) == [gone]
        [listed] = await list_unknown(connection)
        assert (listed.message_id, listed.team_id) == (gone, team.id)
        assert listed.contact_number == team.cells[0]
        assert await claim_for_look_up(connection, most=10) == []
    assert (await books(database, team.id)).balance == 3


async def test_a_look_up_comes_again_only_after_a_while(database: Database) -> None:
    team = await make_team(database)
    [text] = await accept(database, team, 0)
    await claim(database, lease=NOW)
    async with database.pool.connection() as connection:
        await mark_abandoned(connection)
        [due] = await claim_for_look_up(connection, most=10, after=NOW)
        assert due.message_id == text
        assert await claim_for_look_up(connection, most=10, after=NOW) == []


async def test_what_a_provider_never_got_is_sent_after_the_look_up(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, credits=5)
    await accept(database, team, 0)
    await claim(database, lease=NOW)
    pace = TextPace(look=0.05, find_abandoned=0.05, look_up=0.05, look_up_after=NOW)
    async with text_worker(database.pool, settings, SECRET, pace) as worker:
        await worker.find_abandoned()
        assert await value(database, STATES) == ["UNKNOWN"]
        await worker.look_up()
        await until(database, COUNT, 1, status="DELIVERED")
    assert await value(database, "select fence from outbound_text") == 2


async def test_look_ups_go_on_while_there_are_many(database: Database, settings: Settings) -> None:
    count = 2 * MOST_LOOKED_UP + 1
    team = await make_team(database, contacts=count)
    await accept(database, team, *range(count))
    await claim(database, lease=NOW)
    async with text_worker(database.pool, settings, SECRET, TextPace(look_up_after=NOW)) as worker:
        await worker.find_abandoned()
        assert [await worker.look_up() for _ in range(3)] == [True, True, False]
    assert "UNKNOWN" not in await value(database, STATES)


async def test_what_a_provider_never_got_is_given_back_when_it_is_too_late(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, credits=5)
    await accept(database, team, 0)
    await claim(database, lease=NOW)
    await rows(database, "update message set send_before = now()")
    async with text_worker(database.pool, settings, SECRET, TextPace(look_up_after=NOW)) as worker:
        await worker.find_abandoned()
        await worker.look_up()
    assert await value(database, COUNT, status="NOT_ATTEMPTED") == 1
    assert (await books(database, team.id)).balance == 5


async def test_a_text_for_a_provider_that_is_not_there_stays_queued(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database)
    await accept(database, team, 0, service="pigeons")
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, "select fence from outbound_text", 1)
        await until(database, STATES, ["QUEUED"])
    assert await value(database, "select due_at > now() from outbound_text")


async def test_a_worker_whose_clock_is_wrong_sends_all_the_same(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a text may still go out, its database says."""
    wrong = timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + wrong)
    team = await make_team(database, contacts=2, credits=2)
    await accept(database, team, 0)
    await accept(database, team, 1, send_before=datetime.now(UTC) - timedelta(seconds=1))
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, "select count(*) from outbound_text where state = 'DONE'", 2)
    found = await rows(database, "select send_status from message order by id")
    assert [row.send_status for row in found] == ["DELIVERED", "NOT_ATTEMPTED"]


async def test_a_text_whose_lease_would_end_too_soon_waits_a_little(
    database: Database, settings: Settings
) -> None:
    """Or it would be taken in hand again at once, and again."""
    team = await make_team(database)
    await accept(database, team, 0)
    pace = replace(QUICK, lease=timedelta(seconds=10), hand_over=15)
    async with text_worker(database.pool, settings, SECRET, pace):
        await until(database, "select fence >= 1 and state = 'QUEUED' from outbound_text", True)
        found = await rows(
            database, "select due_at - handed_at as wait from outbound_text where state = 'QUEUED'"
        )
    assert all(row.wait >= timedelta(seconds=1) for row in found)


@pytest.mark.long
async def test_an_outage_leaves_few_texts_unknown(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in hand when it began, and a probe now and then: all others wait until it is over."""
    provider = use_provider(monkeypatch, Stub())
    provider.outcome_of = lambda text: OutcomeUnclear("Twilio answers 503.")
    count = 4 * MOST_IN_HAND
    team = await make_team(database, contacts=count)
    await accept(database, team, *range(count))
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, "select min(fence) > 0 from outbound_text", True)
        in_vain = len(provider.handed_over)
        provider.outcome_of = lambda text: None
        await until(
            database, "select count(*) from outbound_text where state = 'QUEUED'", 0, seconds=30
        )
    assert FAILURES_IN_A_ROW <= in_vain <= MOST_IN_HAND + 10
    states = await value(database, STATES)
    assert states.count("UNKNOWN") == in_vain
    assert states.count("DONE") == count - in_vain


async def test_a_service_that_is_not_let_in_keeps_no_other_waiting(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its texts use up no turns, and what is too late is given back all the same."""
    provider = use_provider(monkeypatch, Stub(texts_per_second=20))
    provider.outcome_of = lambda text: (
        NotSent("Twilio answers 401, 20003.", 300, pauses_service=True) if text.service else None
    )
    count = 3 * MOST_IN_HAND
    shut = await make_team(database, contacts=count, credits=count)
    await add_messaging_service(database, shut.id, "MG1", SECRET, account=("AC1", "token"))
    for position in range(count):
        hour = timedelta(hours=1 if position else -1)
        await accept(
            database,
            shut,
            position,
            messaging_service_sid="MG1",
            send_before=datetime.now(UTC) + hour,
        )
    fine = await make_team(database, contacts=5)
    await accept(database, fine, *range(5))
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(
            database,
            "select count(*) from outbound_text where state = 'DONE' and team_id = %(team)s",
            5,
            team=fine.id,
        )
        await until(database, COUNT, 1, status="NOT_ATTEMPTED")
    assert len(provider.handed_over) - 5 == 1
    found = await rows(
        database,
        "select team_id from outbound_text where state = 'QUEUED'"
        " and due_at > now() + interval '2 minutes'",
    )
    assert [row.team_id for row in found] == [shut.id] * (count - 1)


@pytest.mark.parametrize("is_too_late", [True, False])
async def test_an_account_that_somebody_holds_keeps_no_other_team_waiting(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, is_too_late: bool
) -> None:
    """More of its texts than a worker can have in hand want to give their credits back."""
    provider = use_provider(monkeypatch, Stub())
    count = MOST_IN_HAND + 20
    held = await make_team(database, contacts=count, credits=count)
    hours = timedelta(hours=-1 if is_too_late else 1)
    ids = set(await accept(database, held, *range(count), send_before=datetime.now(UTC) + hours))
    provider.outcome_of = lambda text: (
        Report(text.message_id, DeliveryStatus.FAILED, fence=text.fence)
        if text.message_id in ids
        else None
    )
    fine = await make_team(database, contacts=20, credits=20)
    await accept(database, fine, *range(20))
    done = "select count(*) from outbound_text where state = 'DONE' and team_id = %(team)s"
    account = "select from credit_account where team_id = %(team)s for update"
    async with text_worker(database.pool, settings, SECRET, QUICK):
        async with holding(database, account, team=held.id):
            await until(database, done, 20, team=fine.id)
            assert await value(database, done, team=held.id) == 0
        await rows(database, "update outbound_text set due_at = now() where state = 'QUEUED'")
        await until(database, done, count, team=held.id, seconds=30)
    assert (await books(database, held.id)).balance == count


async def test_an_idle_worker_hears_of_a_text_within_50_milliseconds(
    database: Database, database_url: str, settings: Settings
) -> None:
    team = await make_team(database, contacts=20)
    bell = Bell(database.pool)
    async with text_worker(database.pool, settings, SECRET, TextPace(look=60)) as worker:
        listening = asyncio.create_task(worker.listen(database_url))
        await asyncio.sleep(0.3)
        for position in range(20):
            await accept(database, team, position)
            bell.ring([team.id], texts=True)
            await until(
                database,
                "select count(*) from outbound_text where state = 'DONE'",
                position + 1,
                seconds=5,
            )
        listening.cancel()
        await bell.drain()
    waits = await rows(
        database, "select handed_at - created_at as wait from outbound_text order by 1"
    )
    assert waits[len(waits) // 2].wait < timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("resolution", "state", "status", "balance"),
    [
        (Resolution.SENT, "DONE", "SENT", 3),
        (Resolution.SEND_AGAIN, "QUEUED", "SENDING", 3),
        (Resolution.GIVE_BACK, "DONE", "NOT_ATTEMPTED", 5),
    ],
)
async def test_an_operator_settles_what_nobody_knows(
    database: Database, resolution: Resolution, state: str, status: str, balance: int
) -> None:
    team = await make_team(database, credits=5)
    [text] = await accept(database, team, 0, cost=2)
    async with database.pool.connection() as connection:
        with pytest.raises(NotFound):
            await resolve_unknown(connection, text, resolution)
    await claim(database, lease=NOW)
    async with database.pool.connection() as connection:
        await mark_abandoned(connection)
        await resolve_unknown(connection, text, resolution)
        with pytest.raises(NotFound):
            await resolve_unknown(connection, text, resolution)
    assert await value(database, STATES) == [state]
    assert await value(database, "select send_status from message") == status
    assert (await books(database, team.id)).balance == balance


async def test_a_worker_that_is_stopped_at_once_leaves_nothing_in_hand(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database, contacts=2 * MOST_IN_HAND)
    await accept(database, team, *range(2 * MOST_IN_HAND))
    for pause in (0, 0.001, 0.003, 0.01, 0.02):
        async with text_worker(database.pool, settings, SECRET, QUICK):
            await asyncio.sleep(pause)
        states = set(await value(database, STATES))
        assert states <= {"QUEUED", "DONE"}
    async with text_worker(database.pool, settings, SECRET, QUICK):
        await until(database, COUNT, 2 * MOST_IN_HAND, status="DELIVERED")
    assert await value(database, "select max(fence) from outbound_text") == 1


async def test_texts_that_wait_for_their_turn_go_back_when_the_worker_stops(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = use_provider(monkeypatch, Stub(texts_per_second=1))
    team = await make_team(database, contacts=20)
    await accept(database, team, *range(20))
    async with text_worker(database.pool, settings, SECRET, replace(QUICK, stop=20)):
        await until(database, "select count(*) from outbound_text where state = 'DONE'", 1)
        started = time.monotonic()
    assert time.monotonic() - started < 10  # all of them would take 20
    states = await value(database, STATES)
    assert states.count("DONE") == len(provider.handed_over) < 20
    assert set(states) == {"QUEUED", "DONE"}


@pytest.mark.long
async def test_a_database_that_goes_away_is_waited_for(
    database: Database, settings: Settings
) -> None:
    """Every connection is cut while texts go out. A claim whose answer was lost is in nobody's
    hands: its lease ends, and it is looked up."""
    team = await make_team(database, contacts=400, credits=400)
    await accept(database, team, *range(400))
    pace = TextPace(
        look=0.05,
        find_abandoned=0.05,
        look_up=0.05,
        look_up_after=NOW,
        lease=timedelta(seconds=2),
        hand_over=0.5,
    )
    async with text_worker(database.pool, settings, SECRET, pace) as worker:
        for _ in range(5):
            await asyncio.sleep(0.05)
            with suppress(OperationalError):
                await value(
                    database,
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()",
                )
        await asyncio.sleep(0.2)  # by now everybody has noticed
        while await value(database, "select count(*) from outbound_text where state <> 'DONE'"):
            await asyncio.sleep(0.1)
            await worker.find_abandoned()
            await worker.look_up()
    assert await value(database, COUNT, status="DELIVERED") == 400
    assert (await books(database, team.id)).balance == 0


@pytest.mark.long
async def test_an_outcome_waits_until_the_database_can_be_written(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failover, connections may lead to one that can only be read."""
    provider = use_provider(monkeypatch, Stub())
    team = await make_team(database, contacts=2, credits=2)
    [refused, _] = await accept(database, team, 0, 1)
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def send(text: OutgoingText) -> Outcome:
        asked.set()
        await may_answer.wait()
        if text.message_id == refused and text.fence == 1:
            return NotSent("Too many at once.", 0)
        return Report(text.message_id, DeliveryStatus.SENT, f"SM{text.message_id}")

    monkeypatch.setattr(provider, "send", send)
    only_read = "set default_transaction_read_only = {}"
    with capture_logs() as logged:
        async with AsyncExitStack() as stack:
            for _ in range(database.pool.max_size - 1):  # the worker has the one that is left
                await stack.enter_async_context(database.pool.connection())
            async with text_worker(database.pool, settings, SECRET, QUICK):
                await asked.wait()
                await rows(database, only_read.format("on"))
                may_answer.set()
                await eventually(lambda: len(told(logged, "text_not_recorded")) >= 4)
                await rows(database, only_read.format("off"))
                await until(database, "select count(*) from outbound_text where fence > 1", 1)
                await until(database, STATES, ["DONE", "DONE"])


async def test_keys_are_forgotten_after_a_week(database: Database, settings: Settings) -> None:
    team = await make_team(database, contacts=3)
    for position, age in enumerate(["6 days", "8 days", "8 days"]):
        [text] = await accept(
            database, team, position, idempotency_key=f"key-{position}", fingerprint="ab"
        )
        state = "QUEUED" if position == 2 else "DONE"
        await rows(
            database,
            "update outbound_text set state = %(state)s, created_at = now() - %(age)s::interval"
            " where message_id = %(id)s",
            id=text,
            age=age,
            state=state,
        )
    await TextWorker(database.pool, QUICK).forget_keys()
    kept = await rows(
        database, "select idempotency_key, fingerprint from outbound_text order by message_id"
    )
    assert [row.idempotency_key for row in kept] == ["key-0", None, "key-2"]
