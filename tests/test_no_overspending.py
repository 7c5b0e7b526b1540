"""However many send at once, a team never sends more than it has, and never less than it could.

Real connections, all open before they are let go together.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from psycopg import AsyncConnection

from models.database import Database, open_database
from services.access import Role
from services.errors import InsufficientCredits
from services.send_statement import Outcome, Send, write_sends
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import Settings
from tests.world import Team, add, books, make_member, make_send, make_team, of_cost

CONNECTIONS = 64
ROUNDS = 20
GENEROUS_SECONDS = 30


@dataclass
class Tally:
    """How many sends of each cost were accepted and refused."""

    accepted: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    @property
    def spent(self) -> int:
        return sum(cost * times for cost, times in self.accepted.items())


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, send_pool_size=CONNECTIONS) as database:
        yield database


async def all_at_once(
    crowd: Database, act: Callable[[AsyncConnection, int], Awaitable[None]]
) -> None:
    """Runs `act` on each connection of the pool, with a number, from the same moment on."""
    ready = asyncio.Barrier(CONNECTIONS)

    async def one(number: int) -> None:
        async with crowd.pool.connection() as connection:
            await ready.wait()
            await act(connection, number)

    async with asyncio.timeout(GENEROUS_SECONDS):
        await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))


async def spend(crowd: Database, team: Team, costs: Callable[[int], list[int]]) -> Tally:
    """Each connection texts a contact of its own, one text for each of its `costs`."""
    tally = Tally()

    async def act(connection: AsyncConnection, number: int) -> None:
        for cost in costs(number):
            [written] = await write_sends(connection, [make_send(team, number, cost=cost)])
            assert written.outcome in (Outcome.ACCEPTED, Outcome.INSUFFICIENT)
            is_accepted = written.outcome is Outcome.ACCEPTED
            (tally.accepted if is_accepted else tally.refused)[cost] += 1

    await all_at_once(crowd, act)
    return tally


async def test_uniform_sends_stop_exactly_at_the_balance(
    database: Database, crowd: Database
) -> None:
    """A fresh team in each round: of K credits, floor(K / c) texts of cost c can be paid."""
    for round_ in range(ROUNDS):
        cost = round_ % 3 + 1
        credits = 31 + round_
        team = await make_team(database, contacts=CONNECTIONS, credits=credits)
        tally = await spend(crowd, team, lambda _, cost=cost: [cost])  # type: ignore[misc]
        assert tally.accepted[cost] == credits // cost
        assert tally.refused[cost] == CONNECTIONS - credits // cost
        figures = await books(database, team.id, everybodys=False)
        assert (figures.balance, figures.texts) == (credits % cost, credits // cost)
        assert (figures.exhaustions, figures.reason) == (
            1,
            "SHORT" if credits % cost else "EXHAUSTED",
        )


@pytest.mark.long
async def test_mixed_sends_leave_less_than_the_cheapest_that_was_refused(
    database: Database, crowd: Database
) -> None:
    """One team, filled up again in each round; what a round left is there in the next."""
    team = await make_team(database, contacts=CONNECTIONS, credits=0)
    remaining = bought = spent = 0
    for round_ in range(ROUNDS):
        refill = 50 + round_
        await add(database, team, refill)
        bought += refill
        tally = await spend(crowd, team, lambda n: [n % 3 + 1])
        remaining += refill - tally.spent
        spent += tally.spent
        assert 0 <= remaining < min(tally.refused), "not one credit was kept without need"
        figures = await books(database, team.id, everybodys=False)
        assert (figures.balance, figures.purchased, figures.spent) == (remaining, bought, spent)
        assert figures.exhaustions == round_ + 1


async def test_refills_amid_sends_are_spent_to_the_last_credit(
    database: Database, crowd: Database
) -> None:
    team = await make_team(database, contacts=CONNECTIONS, credits=10)
    refills = [7] * 20

    async def refill() -> None:
        for amount in refills:
            await add(database, team, amount)

    filling = asyncio.create_task(refill())
    during = await spend(crowd, team, lambda _: [1, 1])
    await filling
    after = await spend(crowd, team, lambda _: [1, 1])
    assert during.spent + after.spent == 10 + sum(refills)
    figures = await books(database, team.id)
    assert (figures.balance, figures.spent) == (0, 10 + sum(refills))


async def test_forced_sends_alone_go_below_zero(database: Database, crowd: Database) -> None:
    """Every fourth is an opt-out confirmation. None of them is refused, whatever the others do."""
    team = await make_team(database, contacts=CONNECTIONS, credits=20)
    outcomes: dict[int, Outcome] = {}

    async def act(connection: AsyncConnection, number: int) -> None:
        [written] = await write_sends(connection, [make_send(team, number, forced=number % 4 == 0)])
        outcomes[number] = written.outcome

    await all_at_once(crowd, act)
    accepted = {number for number, outcome in outcomes.items() if outcome is Outcome.ACCEPTED}
    forced = set(range(0, CONNECTIONS, 4))
    assert forced <= accepted
    assert 20 - len(forced) <= len(accepted - forced) <= 20
    assert (await books(database, team.id)).balance == 20 - len(accepted) <= 0


async def test_batches_of_many_processes_do_not_overspend(
    database: Database, crowd: Database
) -> None:
    """Each connection sends batches over two teams, and what a bigger send hid, once more."""
    teams = [await make_team(database, contacts=CONNECTIONS * 2, credits=100) for _ in range(2)]
    tallies = {team.id: Tally() for team in teams}

    async def act(connection: AsyncConnection, number: int) -> None:
        sends: list[Send] = [
            make_send(team, number * 2 + n, cost=(number + n) % 3 + 1)
            for n in range(2)
            for team in (teams if number % 2 else teams[::-1])
        ]
        while sends:
            written = await write_sends(connection, sends)
            for send, one in zip(sends, written, strict=True):
                tally = tallies[send.team_id]
                if one.outcome is Outcome.ACCEPTED:
                    tally.accepted[send.cost] += 1
                elif one.outcome is Outcome.INSUFFICIENT:
                    tally.refused[send.cost] += 1
            sends = [
                send
                for send, one in zip(sends, written, strict=True)
                if one.outcome is Outcome.NEXT_BATCH
            ]

    await all_at_once(crowd, act)
    for team in teams:
        tally = tallies[team.id]
        figures = await books(database, team.id)
        assert sum((tally.accepted + tally.refused).values()) == CONNECTIONS * 2
        assert (figures.spent, figures.texts) == (tally.spent, tally.accepted.total())
        assert 0 <= figures.balance < min(tally.refused)


@pytest.mark.parametrize(
    ("credits", "costs"),
    [(40, [1]), (41, [2]), (60, [1, 2, 3]), (7, [3, 3, 3, 1])],
    ids=["ones", "twos", "mixed", "hidden-ones"],
)
async def test_texters_on_three_servers_share_one_balance(
    database: Database, database_url: str, settings: Settings, credits: int, costs: list[int]
) -> None:
    """Each server has a writer on a pool of its own, as three processes would have."""
    team = await make_team(database, contacts=96, credits=credits)
    supervolunteer = await make_member(database, team.id, Role.SUPERVOLUNTEER)
    tally = Tally()
    async with AsyncExitStack() as stack:
        pools = [
            (await stack.enter_async_context(open_database(database_url, send_pool_size=16))).pool
            for _ in range(3)
        ]
        writers = [SendWriter(pool, settings) for pool in pools]

        async def text(number: int) -> None:
            actor = team.texter if number % 2 else supervolunteer
            cost = costs[number // 3 % len(costs)]
            draft = make_draft(
                actor,
                contact_id=team.contact_ids[number],
                text=of_cost(cost),
                assignment_id=team.assignment_id,
            )
            try:
                sent_to = await send_message(writers[number % 3], settings, actor, draft)
            except InsufficientCredits:
                tally.refused[cost] += 1
            else:
                assert sent_to == draft.contact_id
                tally.accepted[cost] += 1

        async with asyncio.timeout(GENEROUS_SECONDS):
            await asyncio.gather(*(text(number) for number in range(96)))
    left = credits - tally.spent
    assert 0 <= left < min(tally.refused)
    assert sum((tally.accepted + tally.refused).values()) == 96
    if len(costs) == 1:
        assert tally.accepted.total() == credits // costs[0]
    figures = await books(database, team.id)
    assert (figures.balance, figures.texts, figures.exhaustions) == (
        left,
        tally.accepted.total(),
        1,
    )
