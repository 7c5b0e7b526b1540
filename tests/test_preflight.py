"""The pre-flight: what a campaign's first texts will need, who counts it, and when."""

import asyncio
import gc
import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from models.database import Database, open_database
from server.estimate_worker import make_estimates
from server.worker import Pace, run_worker
from services.access import Role
from services.first_texts import Figures, count_credits, dearest_name, extrapolated
from services.preflight import (
    LEASE,
    MOST_REQUESTS,
    Claim,
    Estimate,
    claim_estimate,
    estimates_of_campaigns,
    put_off,
    record_estimate,
    renew_claim,
)
from services.segments import cost_of
from services.settings import Settings, load_settings
from tests.api import ADD, Api
from tests.conftest import SECRET
from tests.world import SETTINGS, Team, make_member, make_team, rows, value

# 160 characters where the name is four long and of GSM-7: then one segment.
TO_NAME = "Hi {lastName}" + "!" * 153
NUNEZ, PENA, PENAS = "Núñez", "Peña", "Peñas"


async def write_script(database: Database, team: Team, *options: str) -> None:
    await rows(
        database,
        "insert into interaction_step (campaign_id, script_options)"
        " values (%(campaign)s, %(options)s)",
        options=list(options),
        **team.names,
    )


async def change_contact(database: Database, team: Team, position: int, **fields: Any) -> None:
    changes = ", ".join(f"{name} = %({name})s" for name in fields)
    await rows(
        database,
        f"update campaign_contact set {changes} where id = %(id)s",
        id=team.contact_ids[position],
        **fields,
    )


async def name_contacts(database: Database, team: Team, names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        await change_contact(database, team, position, last_name=name)


async def count(
    database: Database, team: Team, settings: Settings = SETTINGS, **limits: int
) -> Figures:
    async with database.sessions.begin() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return await count_credits(
            session, settings, campaign_id=team.campaign_id, team_id=team.id, **limits
        )


async def credits_for(database: Database, team: Team, settings: Settings = SETTINGS) -> int:
    return (await count(database, team, settings)).credits


async def test_names_decide_what_each_text_costs(database: Database) -> None:
    team = await make_team(database, contacts=4)
    await write_script(database, team, TO_NAME)
    costs = {PENA: 1, PENAS: 2, NUNEZ: 3, "": 1}
    await name_contacts(database, team, list(costs))
    figures = await count(database, team)
    assert figures == Figures(
        contacts=4,
        credits=sum(costs.values()),
        margin=0,
        sampled=None,
        dearest_contact_id=team.contact_ids[2],
    )


async def test_each_contact_counts_with_its_dearest_option(database: Database) -> None:
    team = await make_team(database, contacts=3)
    # Two segments for everybody, or one, three and one.
    await write_script(database, team, "x" * 161, TO_NAME, "  ")
    await name_contacts(database, team, [PENA, NUNEZ, PENA])
    assert await credits_for(database, team) == 2 + 3 + 2


async def test_custom_fields_and_variables_count(database: Database) -> None:
    team = await make_team(database, contacts=2)
    await write_script(database, team, "{town} {cv:place}" + "!" * 147)
    await change_contact(database, team, 0, custom_fields='{"town": "Salem"}')
    await change_contact(database, team, 1, custom_fields='{"town": "Salems"}')
    add = (
        "insert into campaign_variable (campaign_id, display_order, name, value, deleted_at)"
        " values (%(campaign)s, 1, 'cv:place', %(value)s, %(deleted_at)s)"
    )
    await rows(database, add, value="x" * 300, deleted_at="2026-01-01", **team.names)
    await rows(database, add, value="Library", deleted_at=None, **team.names)
    assert await credits_for(database, team) == 1 + 2


async def test_custom_fields_may_hold_anything(database: Database) -> None:
    """Half of a surrogate pair is what cutting an emoji leaves of it."""
    team = await make_team(database)
    await write_script(database, team, "{town}" + "x" * 66)
    costs = {
        r'{"town": "caf\ud83d"}': 1,
        r'{"town": "cafe\ud83d"}': 2,
        r'{"\ud83d": "Salem"}': 1,
        "null": 1,
        "[]": 1,
        "Salem": 1,
    }
    for stored, cost in costs.items():
        await change_contact(database, team, 0, custom_fields=stored)
        assert await credits_for(database, team) == cost, stored


async def test_texts_count_as_they_go_out(database: Database) -> None:
    """Curly apostrophes straight, pictures at their price, and nothing beyond the longest."""
    texts = {
        "It’s" + "!" * 156: 1,
        "Look! [https://example.org/a.png]" + "é" * 300: 3,
        "x" * 5000: math.ceil(1600 / 153),
    }
    for text, cost in texts.items():
        team = await make_team(database)
        await write_script(database, team, text)
        assert await credits_for(database, team) == cost, text


async def test_without_a_script_each_text_is_a_credit(database: Database) -> None:
    team = await make_team(database, contacts=3)
    assert await credits_for(database, team) == 3
    await write_script(database, team, "", "\n")
    assert await credits_for(database, team) == 3


async def test_the_first_script_is_the_one_that_begins(database: Database) -> None:
    team = await make_team(database)
    await write_script(database, team, "x" * 161)
    add = (
        "insert into interaction_step (campaign_id, parent_interaction_id, is_deleted,"
        " script_options, created_at)"
        " select %(campaign)s, parent, gone, array[repeat('x', 1000)], now() + since from"
        " (select id from interaction_step) root (id), lateral (values"
        " (root.id, false, interval '1 s'), (null, true, '1 s'), (null, false, '-1 s'))"
        " step (parent, gone, since)"
    )
    await rows(database, add, **team.names)
    assert await credits_for(database, team) == 2


async def test_only_contacts_still_to_be_texted_count(database: Database) -> None:
    team = await make_team(database, contacts=9)
    other = await make_team(database, contacts=9)
    await write_script(database, team, "Hi!")
    for position, status in enumerate(["messaged", "convo", "needsResponse", "closed"]):
        await change_contact(database, team, position, message_status=status)
    await change_contact(database, team, 4, is_opted_out=True)
    await change_contact(database, team, 5, archived=True)
    await change_contact(database, team, 6, is_opted_out=None)
    opt_out = "insert into opt_out (cell, organization_id) values (%(cell)s, %(team_id)s)"
    await rows(database, opt_out, cell=team.cells[7], team_id=team.id)
    await rows(database, opt_out, cell=team.cells[8], team_id=other.id)
    assert await credits_for(database, team) == 2
    shared = load_settings(optouts_share_all_orgs=True)
    assert await credits_for(database, team, shared) == 1


async def test_an_archived_campaign_needs_nothing(database: Database) -> None:
    team = await make_team(database, contacts=3)
    await write_script(database, team, "Hi!")
    await rows(
        database, "update all_campaign set is_archived = true where id = %(campaign)s", **team.names
    )
    assert await count(database, team) == Figures(0, 0, 0, None, None)


async def rename(database: Database, user_id: int, first_name: str) -> None:
    await rows(
        database,
        'update "user" set first_name = %(name)s where id = %(id)s',
        name=first_name,
        id=user_id,
    )


async def test_texts_bear_the_name_of_who_sends_them(database: Database) -> None:
    """Of contacts that nobody has taken, the dearest name that the campaign's texters have."""
    team = await make_team(database, contacts=2)
    await write_script(database, team, "{texterFirstName}" + "x" * 153)
    await rename(database, team.texter.user_id, "Jo")
    member = await make_member(database, team.id, Role.TEXTER)
    await rename(database, member.user_id, "Maximilian")
    assert await credits_for(database, team) == 2
    await change_contact(database, team, 0, assignment_id=None)
    assert await credits_for(database, team) == 2
    assign = "insert into assignment (user_id, campaign_id) values (%(member)s, %(campaign)s)"
    await rows(database, assign, member=member.user_id, **team.names)
    assert await credits_for(database, team) == 3
    await rename(database, team.texter.user_id, "Łuk")
    assert await credits_for(database, team) == 3 + 3


@pytest.mark.parametrize(
    ("names", "dearest"),
    [
        (["Jo", "Maximilian", "Max"], "Maximilian"),
        (["Maximilian", "Łukasz", "Zoë"], "Łukasz"),
        (["Sébastian", "ÇEM", "FRANÇOIS"], "FRANÇOIS"),  # François: ç is not of GSM-7, but Ç is
        (["Łukasz", "\N{GRINNING FACE}" * 4], "\N{GRINNING FACE}" * 4),
    ],
)
def test_the_dearest_name_is_the_one_that_makes_texts_longest(
    names: list[str], dearest: str
) -> None:
    assert dearest_name([(name, "") for name in names]) == (dearest, "")
    assert dearest_name([("Jo", name) for name in names]) == ("Jo", dearest)


async def test_where_nobody_texts_yet_members_names_count(database: Database) -> None:
    team = await make_team(database, contacts=1)
    await write_script(database, team, "{texterFirstName}" + "x" * 153)
    await change_contact(database, team, 0, assignment_id=None)
    await rows(database, "delete from assignment")
    assert await credits_for(database, team) == 1
    suspended = await make_member(database, team.id, Role.SUSPENDED)
    await rename(database, suspended.user_id, "Maximilian")
    assert await credits_for(database, team) == 1
    admin = await make_member(database, team.id, Role.ADMIN)
    await rename(database, admin.user_id, "Maximilian")
    assert await credits_for(database, team) == 2
    await rows(database, "delete from user_organization")
    assert await credits_for(database, team) == 1


async def test_three_thousand_contacts_are_counted_one_by_one(database: Database) -> None:
    team = await make_team(database, contacts=3000)
    await write_script(database, team, TO_NAME)
    names = [PENA, PENAS, NUNEZ, "Ng"]
    await rows(
        database,
        "update campaign_contact set last_name = (%(names)s::text[])[1 + id %% 4]",
        names=names,
    )
    expected = sum(
        cost_of(TO_NAME.replace("{lastName}", names[contact_id % 4]), mms_credits=3).credits
        for contact_id in team.contact_ids
    )
    figures = await count(database, team)
    assert (figures.contacts, figures.credits, figures.margin) == (3000, expected, 0)
    assert figures.sampled is None


async def test_a_sample_tells_how_far_it_may_be_off(database: Database) -> None:
    team = await make_team(database, contacts=1000)
    await write_script(database, team, TO_NAME)
    await rows(
        database,
        "update campaign_contact set last_name = case when id %% 5 = 0 then %(name)s else '' end",
        name=NUNEZ,
    )
    exact = await count(database, team)
    assert exact.credits == 1400
    found = [await count(database, team, most_counted=999, sample=200) for _ in range(10)]
    assert {(one.contacts, one.sampled) for one in found} == {(1000, 200)}
    assert len({one.credits for one in found}) > 1
    assert all(0 < one.margin < 500 for one in found)
    # That five of ten are outside the margin happens less than once in 10,000 runs.
    assert sum(abs(one.credits - 1400) <= one.margin for one in found) > 5


POPULATIONS = {
    "as many of one as of two": {1: 50_000, 2: 50_000},
    "a few of two": {1: 99_000, 2: 1_000},
    "hardly any of two": {1: 99_990, 2: 10},
    "very few of ten": {1: 99_900, 10: 100},
    "all kinds": {1: 40_000, 2: 30_000, 3: 20_000, 4: 9_000, 11: 1_000},
    "all the same": {2: 100_000},
    "nearly all of them looked at": {1: 1_500, 2: 600},
}


@pytest.mark.long
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_margin_holds_95_times_in_100(name: str) -> None:
    population = Counter(POPULATIONS[name])
    contacts, truth = population.total(), sum(k * n for k, n in population.items())
    kinds, sizes = list(population), list(population.values())
    chance = random.Random(4711)
    rounds, held = 400, 0
    for _ in range(rounds):
        sample = Counter(chance.sample(kinds, 2000, counts=sizes))
        credits, margin = extrapolated(sample, contacts, dearest=max(kinds))
        held += abs(credits - truth) <= margin
    # Three standard deviations below 95 %: 90 % would not pass.
    assert held >= 0.918 * rounds


@pytest.mark.parametrize(
    ("counts", "contacts", "expected"),
    [
        ({}, 0, (0, 0)),
        ({1: 1}, 1, (1, 0)),
        ({1: 3, 2: 4}, 7, (11, 0)),
    ],
)
def test_nothing_is_uncertain_where_all_were_looked_at(
    counts: dict[int, int], contacts: int, expected: tuple[int, int]
) -> None:
    assert extrapolated(Counter(counts), contacts, dearest=24) == expected


async def ask(database: Database, team: Team) -> Estimate | None:
    async with database.reads() as session:
        [found] = await estimates_of_campaigns(session, [team.campaign_id])
        return found


async def claim(database: Database) -> Claim | None:
    async with database.sessions.begin() as session:
        return await claim_estimate(session)


async def record(database: Database, claim: Claim, credits: int) -> bool:
    figures = Figures(1, credits, 0, None, None)
    async with database.sessions.begin() as session:
        return await record_estimate(session, claim, figures)


async def known(database: Database, team: Team) -> Estimate:
    found = await ask(database, team)
    assert found is not None
    return found


async def test_asking_makes_the_worker_count(database: Database) -> None:
    team = await make_team(database, contacts=2)
    await write_script(database, team, "x" * 161)
    assert await claim(database) is None
    assert await ask(database, team) is None
    assert await ask(database, team) is None
    await make_estimates(database, SETTINGS)
    found = await known(database, team)
    assert (found.campaign_id, found.team_id) == (team.campaign_id, team.id)
    assert (found.contacts, found.credits_needed, found.credits_needed_margin) == (2, 4, 0)
    assert (found.is_sampled, found.is_computing) == (False, False)
    assert 0 <= found.age_seconds < 60
    assert await claim(database) is None


CHANGES = {
    "the script": "update interaction_step set script_options = array['x']",
    "a deleted script": "update interaction_step set is_deleted = true",
    "no script": "delete from interaction_step",
    "a newer script": "insert into interaction_step (campaign_id, script_options)"
    " values (%(campaign)s, array['x'])",
    "a variable": "insert into campaign_variable (campaign_id, display_order, name, value)"
    " values (%(campaign)s, 1, 'cv:x', 'y')",
    "the campaign": "update all_campaign set title = 'Sunday' where id = %(campaign)s",
    "no contacts": "delete from campaign_contact",
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_changed_campaign_is_counted_anew(database: Database, name: str) -> None:
    team = await make_team(database)
    await write_script(database, team, "x" * 161)
    await ask(database, team)
    await make_estimates(database, SETTINGS)
    before = await known(database, team)
    assert not before.is_computing
    await rows(database, CHANGES[name], **team.names)
    while_counting = await known(database, team)
    assert while_counting.is_computing
    assert while_counting.credits_needed == before.credits_needed == 2
    assert while_counting.computed_at == before.computed_at
    await make_estimates(database, SETTINGS)
    after = await known(database, team)
    assert not after.is_computing
    assert after.computed_at > before.computed_at


async def test_old_figures_are_shown_with_their_age_until_there_are_new_ones(
    database: Database,
) -> None:
    team = await make_team(database, contacts=3)
    await ask(database, team)
    await make_estimates(database, SETTINGS)
    await change_contact(database, team, 0, message_status="messaged")
    age = "update campaign_estimate set computed_at = now() - %(age)s::interval"
    await rows(database, age, age=timedelta(minutes=9))
    assert not (await known(database, team)).is_computing
    await rows(database, age, age=timedelta(minutes=11))
    found = await known(database, team)
    assert (found.contacts, found.is_computing) == (3, True)
    assert 660 <= found.age_seconds < 720
    await make_estimates(database, SETTINGS)
    found = await known(database, team)
    assert (found.contacts, found.is_computing) == (2, False)


async def test_any_number_of_askers_make_one_count(database: Database) -> None:
    team = await make_team(database)
    other = await make_team(database)
    assert await asyncio.gather(*(ask(database, team) for _ in range(10))) == [None] * 10
    assert await asyncio.gather(*(ask(database, other) for _ in range(10))) == [None] * 10
    claims = await asyncio.gather(*(claim(database) for _ in range(10)))
    assert Counter(one and one.campaign_id for one in claims) == {
        team.campaign_id: 1,
        other.campaign_id: 1,
        None: 8,
    }
    # While it is counted too.
    assert await asyncio.gather(*(ask(database, team) for _ in range(10))) == [None] * 10
    assert await claim(database) is None


async def test_many_campaigns_are_asked_for_at_once(database: Database) -> None:
    teams = [await make_team(database) for _ in range(3)]
    ids = [team.campaign_id for team in teams]
    for _ in range(2):
        async with database.reads() as session:
            found = await estimates_of_campaigns(session, [ids[2], ids[0], 999_999, ids[1]])
        await make_estimates(database, SETTINGS)
    assert [one and one.campaign_id for one in found] == [ids[2], ids[0], None, ids[1]]


ARCHIVE = "update all_campaign set is_archived = true where id = %(campaign)s"


async def test_archived_campaigns_need_nothing_and_nobody_counts_them(database: Database) -> None:
    team = await make_team(database, contacts=3)
    await rows(database, ARCHIVE, **team.names)
    found = await known(database, team)
    assert (found.campaign_id, found.team_id) == (team.campaign_id, team.id)
    assert (found.contacts, found.credits_needed, found.credits_needed_margin) == (0, 0, 0)
    assert (found.is_sampled, found.is_computing, found.dearest_contact_id) == (False, False, None)
    assert await claim(database) is None


async def test_what_was_counted_before_a_campaign_was_archived_is_forgotten(
    database: Database,
) -> None:
    team = await make_team(database, contacts=3)
    await ask(database, team)
    await make_estimates(database, SETTINGS)
    assert (await known(database, team)).contacts == 3
    await rows(database, ARCHIVE, **team.names)
    found = await known(database, team)
    assert (found.contacts, found.credits_needed, found.is_computing) == (0, 0, False)
    assert await claim(database) is None
    await rows(database, ARCHIVE.replace("true", "false"), **team.names)
    found = await known(database, team)
    assert (found.contacts, found.is_computing) == (3, True)


CAMPAIGNS = """
insert into all_campaign (organization_id)
select %(team)s from generate_series(1, %(most)s + 10) returning id
"""


async def test_one_question_makes_few_counts(database: Database) -> None:
    """The others come when it is asked again: first those without figures."""
    team = await make_team(database)
    await ask(database, team)
    await make_estimates(database, SETTINGS)
    await rows(database, "update campaign_estimate set computed_at = now() - interval '1 day'")
    made = await rows(database, CAMPAIGNS, most=MOST_REQUESTS, **team.names)
    ids = [team.campaign_id, *(row.id for row in made)]
    requested = "select campaign_id from campaign_estimate where requested_at is not null"

    async def ask_for_all() -> set[int]:
        async with database.reads() as session:
            found = await estimates_of_campaigns(session, ids)
        assert [one and one.is_computing for one in found] == [True] + [None] * (len(ids) - 1)
        return {row.campaign_id for row in await rows(database, requested)}

    first = await ask_for_all()
    assert len(first) == MOST_REQUESTS and team.campaign_id not in first
    assert await ask_for_all() == set(ids)


async def test_campaigns_without_figures_are_counted_first(database: Database) -> None:
    old, older, new = [await make_team(database) for _ in range(3)]
    for team in (older, old):
        await ask(database, team)
        await make_estimates(database, SETTINGS)
    await rows(database, "update campaign_estimate set computed_at = now() - interval '1 day'")
    for team in (older, old, new):
        await ask(database, team)
    claims = [await claim(database) for _ in range(4)]
    assert [one and one.campaign_id for one in claims] == [
        new.campaign_id,
        older.campaign_id,
        old.campaign_id,
        None,
    ]


async def test_what_a_dead_worker_owed_another_counts(database: Database) -> None:
    team = await make_team(database)
    await ask(database, team)
    dead = await claim(database)
    assert dead is not None
    await make_estimates(database, SETTINGS)
    assert await ask(database, team) is None
    await rows(
        database, "update campaign_estimate set lease_until = now() - interval '1 millisecond'"
    )
    heir = await claim(database)
    assert heir is not None
    assert heir.campaign_id == dead.campaign_id
    # The dead one comes back, before and after.
    assert not await record(database, dead, credits=666)
    assert await ask(database, team) is None
    assert await record(database, heir, credits=7)
    assert not await record(database, dead, credits=666)
    assert (await known(database, team)).credits_needed == 7


async def test_a_living_worker_renews_its_claim(database: Database) -> None:
    team = await make_team(database, contacts=3000)
    await write_script(database, team, "x" * 1000)
    await ask(database, team)
    counting = asyncio.create_task(make_estimates(database, SETTINGS, renew_seconds=0.01))
    until, renewals = "select lease_until from campaign_estimate", set()
    while not counting.done():
        renewals.add(await value(database, until))
        await asyncio.sleep(0.01)
    await counting
    # At first there is none, and at last again.
    assert len(renewals - {None}) > 2
    assert (await known(database, team)).credits_needed == 3000 * 7


async def test_a_renewed_claim_lasts_a_lease(database: Database) -> None:
    await ask(database, await make_team(database))
    taken = await claim(database)
    assert taken is not None
    left = "select lease_until - now() from campaign_estimate"
    assert LEASE - timedelta(seconds=10) < await value(database, left) <= LEASE
    await rows(database, "update campaign_estimate set lease_until = now()")
    async with database.sessions.begin() as session:
        await renew_claim(session, taken)
    assert LEASE - timedelta(seconds=10) < await value(database, left) <= LEASE
    await rows(database, "update campaign_estimate set fence = fence + 1, lease_until = now()")
    async with database.sessions.begin() as session:
        await renew_claim(session, taken)
    assert await value(database, left) <= timedelta()


async def test_a_worker_that_is_stopped_leaves_its_count_to_others(database: Database) -> None:
    team = await make_team(database, contacts=3000)
    await write_script(database, team, "x" * 1000)
    await ask(database, team)
    counting = asyncio.create_task(make_estimates(database, SETTINGS))
    while not await value(database, "select lease_until is not null from campaign_estimate"):
        assert not counting.done()
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    assert counting.cancelled()
    assert await ask(database, team) is None
    await rows(database, "update campaign_estimate set lease_until = now()")
    await make_estimates(database, SETTINGS)
    assert (await known(database, team)).contacts == 3000


async def test_a_campaign_that_cannot_be_counted_delays_no_other(database: Database) -> None:
    broken, other = [await make_team(database) for _ in range(2)]
    for team in (broken, other):
        await write_script(database, team, TO_NAME)
        await ask(database, team)
    await rows(database, "alter table campaign_contact alter last_name drop not null")
    await change_contact(database, broken, 0, last_name=None)
    with capture_logs() as logs:
        await make_estimates(database, SETTINGS)
    assert (await known(database, other)).credits_needed == 1
    [line] = logs
    assert (line["event"], line["campaign_id"]) == ("estimate_failed", broken.campaign_id)
    assert line["log_level"] == "error" and line["exc_info"]
    # It is tried again, but not at once.
    assert await ask(database, broken) is None
    assert await claim(database) is None
    await change_contact(database, broken, 0, last_name="")
    await rows(database, "update campaign_estimate set lease_until = now()")
    await make_estimates(database, SETTINGS)
    assert (await known(database, broken)).credits_needed == 1


async def test_what_is_put_off_comes_behind_the_others(database: Database) -> None:
    first, second = [await make_team(database) for _ in range(2)]
    for team in (first, second):
        await ask(database, team)
    taken = await claim(database)
    assert taken is not None and taken.campaign_id == first.campaign_id
    async with database.sessions.begin() as session:
        await put_off(session, taken)
    await rows(database, "update campaign_estimate set lease_until = now()")
    claims = [await claim(database) for _ in range(3)]
    assert [one and one.campaign_id for one in claims] == [
        second.campaign_id,
        first.campaign_id,
        None,
    ]
    # Who was taken for dead puts nothing off.
    left = "select lease_until from campaign_estimate where campaign_id = %(campaign)s"
    before = await value(database, left, **first.names)
    async with database.sessions.begin() as session:
        await put_off(session, taken)
    assert await value(database, left, **first.names) == before


async def test_a_change_while_counting_is_counted_after_it(database: Database) -> None:
    team = await make_team(database)
    await write_script(database, team, "x")
    await ask(database, team)
    under_way = await claim(database)
    assert under_way is not None
    await rows(database, CHANGES["the campaign"], **team.names)
    assert await ask(database, team) is None
    assert await record(database, under_way, credits=1)
    assert (await known(database, team)).is_computing
    assert await claim(database) is not None


PREFLIGHT = """
query($id: String!) {
  campaign(id: $id) {
    creditEstimate {
      contacts creditsNeeded creditsNeededMargin isSampled computedAt ageSeconds isComputing
      remaining enough
    }
  }
}
"""
# Team 1 of the demo has 60 contacts, 25 credits and a script of one segment.


async def test_the_running_worker_answers(api: Api, demo_url: str, settings: Settings) -> None:
    answer = (await api("superadmin", PREFLIGHT, id="1")).ok
    assert answer == {"campaign": {"creditEstimate": None}}
    pace = Pace(look=0.05, find_stranded=0.2, heartbeat=0.2)
    working = asyncio.create_task(run_worker(settings, demo_url, SECRET, pace=pace))
    try:
        async with asyncio.timeout(20):
            while not (found := answer["campaign"]["creditEstimate"]):
                await asyncio.sleep(0.05)
                answer = (await api("superadmin", PREFLIGHT, id="1")).ok
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert found.pop("computedAt")
    assert found.pop("ageSeconds") < 60
    assert found == {
        "contacts": 60,
        "creditsNeeded": 60,
        "creditsNeededMargin": 0,
        "isSampled": False,
        "isComputing": False,
        "remaining": 25,
        "enough": False,
    }


@pytest.fixture
async def counted(api: Api, demo_url: str, settings: Settings) -> None:
    """Campaigns 1, 2 and 3 of the demo."""
    for campaign_id in ("1", "2", "3"):
        await api("superadmin", PREFLIGHT, id=campaign_id)
    async with open_database(demo_url) as database:
        await make_estimates(database, settings)


@pytest.mark.parametrize(
    ("stored", "names"),
    [
        (r'{"town": "caf\ud83d", "zip": 5}', ["town", "zip"]),
        (r'{"caf\ud83d": "Salem"}', ["caf\ufffd"]),
        ("null", []),
        ("[1, 2]", []),
        ("Salem", []),
    ],
)
async def test_a_campaigns_page_shows_its_fields_whatever_they_hold(
    api: Api, demo_url: str, stored: str, names: list[str]
) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("update campaign_contact set custom_fields = %s", [stored])
    answer = (await api("superadmin", '{ campaign(id: "1") { customFields } }')).ok
    assert answer["campaign"]["customFields"] == names


async def is_enough(api: Api, campaign_id: str = "1") -> bool:
    answer = (await api("superadmin", PREFLIGHT, id=campaign_id)).ok
    enough: bool = answer["campaign"]["creditEstimate"]["enough"]
    return enough


@pytest.mark.usefixtures("counted")
async def test_enough_is_as_of_now(api: Api) -> None:
    assert not await is_enough(api)
    await api("superadmin", ADD, t="1", n=34)
    assert not await is_enough(api)
    await api("superadmin", ADD, t="1", n=1)
    assert await is_enough(api)
    assert (await api.send("texter", 1)).ok
    assert not await is_enough(api)


@pytest.mark.usefixtures("counted")
async def test_without_credits_on_there_is_always_enough(api: Api) -> None:
    # Team 3 has credits off and none.
    assert await is_enough(api, "3")
    await api("owner", 'mutation { setCreditsEnabled(teamId: "1", enabled: false) { id } }')
    assert await is_enough(api)


@pytest.mark.usefixtures("counted")
async def test_who_needs_nothing_has_enough(api: Api, demo_url: str) -> None:
    # Team 2 has used up its credits; 20 contacts wait for more.
    assert not await is_enough(api, "2")
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("update campaign_estimate set contacts = 0, credits = 0")
        assert await is_enough(api, "2")
        connection.execute("update credit_account set balance = -300")
        assert await is_enough(api, "2")
        connection.execute("update campaign_estimate set contacts = 1, credits = 1")
        assert not await is_enough(api, "2")


@pytest.mark.usefixtures("counted")
async def test_the_margin_must_be_covered_too(api: Api, demo_url: str) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("update campaign_estimate set credits = 20, margin = 5")
        assert await is_enough(api)
        connection.execute("update campaign_estimate set credits = 20, margin = 6")
        assert not await is_enough(api)


CALCULATOR = """
query($id: ID, $text: String, $recipients: Int, $replies: Float! = 0, $media: Boolean! = false) {
  estimateCredits(campaignId: $id, text: $text, recipients: $recipients,
                  repliesPerRecipient: $replies, media: $media) {
    text recipients credits creditsPerText encoding charactersForcingUcs2
    campaignEstimate { contacts creditsNeeded isComputing }
  }
}
"""


async def test_the_calculator_takes_a_campaign(api: Api, demo_url: str, settings: Settings) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("update campaign_contact set first_name = 'Zoé' where id in (7, 8)")
        connection.execute("update campaign_contact set first_name = 'ZOÁ' where id = 9")
        connection.execute(
            "update interaction_step set script_options = array[%s, 'Hi {firstName}']",
            ["Hi {firstName}, it’s {texterFirstName}" + "!" * 60],
        )
    assert (await api("superadmin", CALCULATOR, id="1")).ok == {"estimateCredits": None}
    async with open_database(demo_url) as database:
        await make_estimates(database, settings)
    answer = (await api("superadmin", CALCULATOR, id="1", replies=0.01)).ok
    assert answer["estimateCredits"] == {
        "text": "Hi Zoá, it's Terry" + "!" * 60,
        "recipients": 60,
        "credits": 59 + 2 + 1,
        "creditsPerText": 2,
        "encoding": "UCS_2",
        "charactersForcingUcs2": ["á"],
        "campaignEstimate": {"contacts": 60, "creditsNeeded": 61, "isComputing": False},
    }


@pytest.mark.usefixtures("counted")
async def test_the_calculator_shows_a_script_as_written_where_nobody_waits(
    api: Api, demo_url: str
) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute(
            "update campaign_estimate set contacts = 0, credits = 0, dearest_contact_id = null"
        )
    answer = (await api("superadmin", CALCULATOR, id="1", replies=1)).ok["estimateCredits"]
    text = "Hi {firstName}, will you join us on Saturday?"
    assert (answer["text"], answer["recipients"], answer["credits"]) == (text, 0, 0)


@pytest.mark.usefixtures("counted")
async def test_the_calculator_needs_a_script(api: Api, demo_url: str) -> None:
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("delete from interaction_step")
    answer = await api("superadmin", CALCULATOR, id="1")
    assert (answer.codes, answer.data) == (["BAD_USER_INPUT"], {"estimateCredits": None})
    assert answer.errors[0]["message"] == "This campaign has no script yet."


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"text": "Hi!"},
        {"recipients": 2},
        {"id": "1", "text": "Hi!"},
        {"id": "1", "recipients": 2},
        {"id": "1", "media": True},
        {"id": "1", "replies": -1},
        {"id": "first"},
    ],
)
async def test_the_calculator_takes_a_text_or_a_campaign(api: Api, wrong: dict[str, Any]) -> None:
    answer = await api("superadmin", CALCULATOR, **wrong)
    assert (answer.codes, answer.data) == (["BAD_USER_INPUT"], {"estimateCredits": None})


async def test_the_calculator_knows_which_campaigns_there_are(api: Api, demo_url: str) -> None:
    assert (await api("superadmin", CALCULATOR, id="987654")).codes == ["NOT_FOUND"]
    with psycopg.connect(demo_url, autocommit=True) as connection:
        connection.execute("update all_campaign set is_template = true where id = 1")
    assert (await api("superadmin", CALCULATOR, id="1")).codes == ["NOT_FOUND"]


@pytest.mark.long
async def test_a_count_that_is_stopped_at_any_moment_leaves_nothing_open(
    database: Database,
) -> None:
    """Warnings are errors here, also those of what is thrown away while it is open."""
    team = await make_team(database, contacts=3)
    await write_script(database, team, "Hi")
    for moment in range(100):
        counting = asyncio.create_task(count(database, team))
        await asyncio.sleep(moment * 0.0003)
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
    gc.collect()
    assert (await count(database, team)).contacts == 3
