"""Mail about running low: when it comes, to whom, how often, and what never brings it.

Of 20 credits that were bought, the thresholds are 4 and 1.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from models.credits import CreditAccount, CreditWarning
from models.database import Database
from models.notices import CreditMailMute, CreditNotice
from models.users import User
from services.access import Actor
from services.credits import (
    add_credits,
    remove_credit_purchase,
    set_low_credits_threshold,
    set_running_low_mail,
)
from services.errors import Forbidden, InvalidInput, NotFound, ServiceError
from services.mail import Mail, compose
from services.mutes import Reader, reader_of
from services.notices import claim_notice
from services.occasions import make_notices
from services.running_low import teams_to_warn, warn_team
from services.settings import CreditsVisibleTo, Settings, SettingsError, load_settings
from tests.conftest import SECRET
from tests.mailing import (
    ADMIN,
    OWNER,
    PACE,
    SUPERADMIN,
    TOLD,
    Team,
    add,
    both,
    exhaust,
    mail_settings,
    make_team,
    no_more_mail,
    notices,
    send,
    states,
    switch,
    until,
    until_settled,
    worker_process,
    workers,
)
from tests.sendgrid_twin import HANGS, SendGridTwin, sendgrid_twin

RUNNING_LOW = "North Valley Field is running low on credits"
RUN_OUT = "North Valley Field has run out of credits"
SHORT = "North Valley Field is short of credits"
LOCK_ACCOUNT = text("select from credit_account where team_id = :team for update")


@pytest.fixture
def twin() -> Iterator[SendGridTwin]:
    with sendgrid_twin() as twin:
        yield twin


@pytest.fixture
def settings(tmp_path: Path, twin: SendGridTwin) -> Settings:
    return mail_settings(tmp_path, twin)


@pytest.fixture
async def team(database: Database, settings: Settings) -> Team:
    """With 20 credits."""
    team = await make_team(database)
    await add(database, settings, team, 20)
    return team


async def spend(database: Database, settings: Settings, team: Team, *costs: int) -> None:
    """Texts of so many segments, to a contact each."""
    for contact, cost in enumerate(costs):
        assert await send(database, settings, team, contact=contact, body="x" * 153 * cost)


async def look(database: Database, settings: Settings) -> None:
    """As the worker does each second."""
    async with database.sessions.begin() as session:
        for team_id in await teams_to_warn(session, settings):
            await warn_team(session, settings, team_id)


async def warnings(database: Database, settings: Settings) -> list[tuple[int, int]]:
    """What was left and the threshold, of each warning so far; after another look."""
    await look(database, settings)
    async with database.sessions() as session:
        rows = await session.scalars(select(CreditWarning).order_by(CreditWarning.id))
        return [(row.remaining, row.threshold) for row in rows]


async def told(database: Database, settings: Settings) -> list[int]:
    async with database.sessions.begin() as session:
        return await make_notices(session, settings)


async def set_threshold(
    database: Database, settings: Settings, team: Team, credits: int | None
) -> None:
    async with database.sessions.begin() as session:
        await set_low_credits_threshold(
            session, settings, team.superadmin, team_id=team.id, credits=credits
        )


async def set_mail(database: Database, team: Team, *, enabled: bool) -> None:
    async with database.sessions.begin() as session:
        await set_running_low_mail(session, team.superadmin, team_id=team.id, enabled=enabled)


async def mute(database: Database, team: Team, address: str) -> None:
    async with database.sessions.begin() as session:
        session.add(CreditMailMute(team_id=team.id, address=address))


async def give_back(database: Database, team: Team, credits: int) -> None:
    """As for texts that failed."""
    async with database.sessions.begin() as session:
        await session.execute(
            update(CreditAccount)
            .where(CreditAccount.team_id == team.id)
            .values(balance=CreditAccount.balance + credits)
        )


async def come_down(database: Database, team: Team, remaining: int) -> None:
    async with database.sessions.begin() as session:
        await session.execute(
            update(CreditAccount).where(CreditAccount.team_id == team.id).values(balance=remaining)
        )


def subjects(twin: SendGridTwin) -> Counter[tuple[str, str]]:
    """How often each address got which subject."""
    return Counter((to, mail.body["subject"]) for mail in twin.received for to in mail.to)


def once_each(*subjects: str) -> dict[tuple[str, str], int]:
    return {(address, subject): 1 for address in TOLD for subject in subjects}


# When, and how often


async def test_each_threshold_brings_one_mail_to_each_person(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    async with workers(settings, database_url, count=2):
        await spend(database, settings, team, 8, 7)
        await no_more_mail(twin)
        assert not twin.received
        await spend(database, settings, team, 1)
        await until(lambda: len(twin.received) == 3)
        await spend(database, settings, team, 1, 1)
        await no_more_mail(twin)
        await until_settled(database)
        assert subjects(twin) == once_each(RUNNING_LOW)
        await spend(database, settings, team, 1)
        await until(lambda: len(twin.received) == 6)
        await no_more_mail(twin)
    assert [len(twin.received_by(address)) for address in TOLD] == [2, 2, 2]


async def test_one_send_over_two_thresholds_brings_one_mail(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    async with workers(settings, database_url, count=2):
        await spend(database, settings, team, 9, 10)
        await until(lambda: len(twin.received) == 3)
        await no_more_mail(twin)
        await until_settled(database)
    assert subjects(twin) == once_each(RUNNING_LOW)
    assert await warnings(database, settings) == [(1, 1)]


async def test_64_sends_at_once_bring_one_mail_to_each_person(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    await add(database, settings, team, 50)
    async with workers(settings, database_url, count=2):
        sends = [send(database, settings, team, contact=number) for number in range(64)]
        assert all(await asyncio.gather(*sends))
        await until_settled(database)
        await no_more_mail(twin)
    found = await warnings(database, settings)
    assert [threshold for _, threshold in found] == [
        14
    ]  # of 70; the other one is 3, and 6 are left
    assert subjects(twin) == once_each(RUNNING_LOW)


async def test_each_warning_is_made_once_when_many_workers_race(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 8, 8)

    async def warn() -> None:
        async with database.sessions.begin() as session:
            await warn_team(session, settings, team.id)

    await asyncio.gather(*(warn() for _ in range(8)))
    assert await warnings(database, settings) == [(4, 4)]
    made = await asyncio.gather(*(told(database, settings) for _ in range(8)))
    assert sum(len(ids) for ids in made) == 3


async def test_running_out_at_once_brings_that_mail_alone(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    await spend(database, settings, team, 10)
    async with workers(settings, database_url):
        await spend(database, settings, team, 10)
        await until(lambda: len(twin.received) == 3)
        await no_more_mail(twin)
        await until_settled(database)
        # What comes back of failed texts is no news.
        await give_back(database, team, 1)
        await no_more_mail(twin)
    assert subjects(twin) == once_each(RUN_OUT)


async def test_being_short_brings_that_mail_alone(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    await spend(database, settings, team, 10, 9)
    assert not await send(database, settings, team, contact=2, body="x" * 200)
    async with workers(settings, database_url):
        await until(lambda: len(twin.received) == 3)
        await no_more_mail(twin)
    assert subjects(twin) == once_each(SHORT)


async def test_credits_given_back_arm_nothing(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 8, 8)
    assert await warnings(database, settings) == [(4, 4)]
    await give_back(database, team, 10)
    assert await warnings(database, settings) == [(4, 4)]
    await spend(database, settings, team, 10)
    assert await warnings(database, settings) == [(4, 4)]


async def test_adding_arms_what_the_team_is_above_again(
    database: Database, settings: Settings, team: Team
) -> None:
    await set_threshold(database, settings, team, 10)
    await spend(database, settings, team, 8, 9)
    assert await warnings(database, settings) == [(3, 4)]
    await add(database, settings, team, 5)  # of 25, 5 and 1, and its own 10; 8 are left
    assert await warnings(database, settings) == [(3, 4)]
    await spend(database, settings, team, 3)
    assert await warnings(database, settings) == [(3, 4), (5, 5)]
    await add(database, settings, team, 75)  # of 100, 20 and 5, and 10; 80 are left
    await spend(database, settings, team, 10, 10, 10, 10, 10, 10)
    assert await warnings(database, settings) == [(3, 4), (5, 5), (20, 20)]


async def test_a_crossing_just_before_an_addition_is_not_lost(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 10, 7)
    await add(database, settings, team, 1)
    assert await warnings(database, settings) == [(4, 4)]


@pytest.mark.long
@pytest.mark.parametrize("left", [40, 50, 51, 100, 190])
async def test_a_team_that_is_refilled_in_time_is_warned_each_time(
    database: Database, settings: Settings, left: int
) -> None:
    """However often: what it bought since it was empty would grow for ever."""
    team = await make_team(database)
    await add(database, settings, team, 1000)
    found = 0
    for _ in range(25):
        for remaining in (200, 50):
            await come_down(database, team, max(remaining, left))
            await look(database, settings)
        await come_down(database, team, left)
        before, found = found, len(await warnings(database, settings))
        assert found > before
        assert left > 50 or found == before + 2
        await add(database, settings, team, 1000)


async def test_at_the_lowest_percentage_it_counts_anew(
    database: Database, settings: Settings, team: Team
) -> None:
    """From what the team has then: what it had left, and what was added."""
    await spend(database, settings, team, 10, 9)
    assert await warnings(database, settings) == [(1, 1)]
    await add(database, settings, team, 19)  # 4 and 1 are thresholds again, of 39 it would be 7
    await spend(database, settings, team, 10, 5)
    assert await warnings(database, settings) == [(1, 1)]
    await spend(database, settings, team, 1)
    assert await warnings(database, settings) == [(1, 1), (4, 4)]


async def test_what_was_bought_counts_anew_once_the_team_was_empty(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 10, 10)
    await add(database, settings, team, 10)  # 2 is the only threshold
    await spend(database, settings, team, 7)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 1)
    assert await warnings(database, settings) == [(2, 2)]


async def test_it_counts_anew_too_when_something_was_given_back_meanwhile(
    database: Database, settings: Settings, team: Team
) -> None:
    """Else what was bought would add up for ever, as there are always some texts that fail."""
    await spend(database, settings, team, 10, 10)
    await give_back(database, team, 1)
    await add(database, settings, team, 10)
    await spend(database, settings, team, 8)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 1)
    assert await warnings(database, settings) == [(2, 2)]


async def test_after_being_short_it_counts_anew(
    database: Database, settings: Settings, team: Team
) -> None:
    """A team whose texts cost two may never be quite empty."""
    await spend(database, settings, team, 10, 9)
    assert not await send(database, settings, team, contact=2, body="x" * 200)
    await add(database, settings, team, 10)
    await spend(database, settings, team, 8)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 1)
    assert await warnings(database, settings) == [(2, 2)]


async def test_a_removal_may_bring_a_team_down_and_counts_as_never_bought(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 10)
    await add(database, settings, team, 100)
    purchase = "select max(id) from credit_purchase where amount = 20"
    async with database.sessions.begin() as session:
        purchase_id = await session.scalar(text(purchase))
        await remove_credit_purchase(session, team.superadmin, purchase_id=purchase_id)
    assert await warnings(database, settings) == []  # 90 of 100
    await spend(database, settings, team, 10, 10, 10, 10, 10, 10, 9)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 1)
    assert await warnings(database, settings) == [(20, 20)]
    await add(database, settings, team, 40)
    async with database.sessions.begin() as session:
        purchase_id = await session.scalar(text("select max(id) from credit_purchase"))
        await remove_credit_purchase(session, team.superadmin, purchase_id=purchase_id)
    assert await warnings(database, settings) == [(20, 20), (20, 20)]


async def test_a_team_without_credits_is_not_warned(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 8, 8)
    await switch(database, team, enabled=False)
    assert await warnings(database, settings) == []


@pytest.mark.parametrize(
    ("percentages", "expected"), [("50", [10]), ("0", []), ("90,50,20,5,1", [18, 10, 4, 1])]
)
async def test_the_percentages_are_a_setting(
    database: Database, settings: Settings, team: Team, percentages: str, expected: list[int]
) -> None:
    settings = settings.model_copy(update={"low_credits_percentages": percentages})
    for contact in range(19):
        assert await send(database, settings, team, contact=contact)
        await look(database, settings)
    found = await warnings(database, settings)
    assert found == [(threshold, threshold) for threshold in expected]


async def test_another_list_of_percentages_counts_from_how_many_were_told(
    database: Database, settings: Settings, team: Team
) -> None:
    """As docs/operations.md says: more of them are told at once, of fewer one is not told."""
    more = settings.model_copy(update={"low_credits_percentages": "50,20,5"})
    fewer = settings.model_copy(update={"low_credits_percentages": "20"})
    await spend(database, settings, team, 10)
    assert await warnings(database, settings) == []
    assert await warnings(database, more) == [(10, 10)]
    await spend(database, settings, team, 6)
    assert await warnings(database, fewer) == [(10, 10)]
    await add(database, fewer, team, 6)  # 2 is the threshold: 20 % are the lowest now
    await spend(database, settings, team, 8)
    assert await warnings(database, fewer) == [(10, 10), (2, 2)]


@pytest.mark.parametrize("percentages", ["20;5", "100", "20,", "-5", "5.5", "1,2,3,4,5,6"])
def test_percentages_that_are_none_are_refused(percentages: str) -> None:
    with pytest.raises(SettingsError, match="LOW_CREDITS_PERCENTAGES"):
        load_settings(low_credits_percentages=percentages)


# A number of the team's own


async def test_a_threshold_in_credits_counts_besides(
    database: Database, settings: Settings, team: Team
) -> None:
    await set_threshold(database, settings, team, 10)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 10)
    assert await warnings(database, settings) == [(10, 10)]
    await spend(database, settings, team, 6)
    assert await warnings(database, settings) == [(10, 10), (4, 4)]


@pytest.mark.parametrize("threshold", [10, 15, None])
async def test_setting_a_threshold_brings_no_mail(
    database: Database, settings: Settings, team: Team, threshold: int | None
) -> None:
    await set_threshold(database, settings, team, 12)
    await spend(database, settings, team, 10)
    assert await warnings(database, settings) == [(10, 12)]
    await set_threshold(database, settings, team, threshold)
    assert await warnings(database, settings) == [(10, 12)]
    await spend(database, settings, team, 6)
    assert await warnings(database, settings) == [(10, 12), (4, 4)]


async def test_buying_less_than_the_threshold_brings_no_mail(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database)
    await set_threshold(database, settings, team, 1000)
    await add(database, settings, team, 50)
    await add(database, settings, team, 50)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 10, 10, 10, 10, 10, 10, 10, 10)
    assert await warnings(database, settings) == [(20, 20)]


async def assert_refused(
    database: Database, change: Callable[[Any], Awaitable[None]], error: type[ServiceError]
) -> None:
    """And nothing is changed."""
    accounts = text("select row_to_json(a)::text from credit_account a")
    async with database.sessions() as session:
        before = list(await session.scalars(accounts))
    with pytest.raises(error):
        async with database.sessions.begin() as session:
            await change(session)
    async with database.sessions() as session:
        assert list(await session.scalars(accounts)) == before


@pytest.mark.parametrize("credits", [0, -1])
async def test_a_threshold_is_a_number_of_credits(
    database: Database, settings: Settings, team: Team, credits: int
) -> None:
    await assert_refused(
        database,
        lambda session: set_low_credits_threshold(
            session, settings, team.superadmin, team_id=team.id, credits=credits
        ),
        InvalidInput,
    )


async def test_thresholds_and_mail_of_no_team_are_not_found(
    database: Database, settings: Settings, team: Team
) -> None:
    superadmin, missing = team.superadmin, team.id + 1000
    await assert_refused(
        database,
        lambda session: set_low_credits_threshold(
            session, settings, superadmin, team_id=missing, credits=5
        ),
        NotFound,
    )
    await assert_refused(
        database,
        lambda session: set_running_low_mail(session, superadmin, team_id=missing, enabled=False),
        NotFound,
    )


# Who wants it


async def test_owners_turn_it_off_for_everybody_and_on_again(
    database: Database, settings: Settings, team: Team
) -> None:
    await set_mail(database, team, enabled=False)
    await spend(database, settings, team, 8, 8)
    assert await warnings(database, settings) == []
    await set_mail(database, team, enabled=True)
    assert await warnings(database, settings) == []
    await spend(database, settings, team, 3)
    assert await warnings(database, settings) == [(1, 1)]


async def test_only_owners_and_superadmins_turn_it_off(
    database: Database, settings: Settings, team: Team
) -> None:
    async with database.sessions() as session:
        admin_id = await session.scalar(select(User.id).where(User.email == ADMIN))
        owner_id = await session.scalar(select(User.id).where(User.email == OWNER))
    assert admin_id and owner_id
    admin, owner = Actor(admin_id, "", is_superadmin=False), Actor(owner_id, "", False)
    await assert_refused(
        database,
        lambda session: set_running_low_mail(session, admin, team_id=team.id, enabled=False),
        Forbidden,
    )
    await assert_refused(
        database,
        lambda session: set_low_credits_threshold(
            session, settings, owner, team_id=team.id, credits=5
        ),
        Forbidden,
    )
    async with database.sessions.begin() as session:
        await set_running_low_mail(session, owner, team_id=team.id, enabled=False)
    await spend(database, settings, team, 8, 8)
    assert await warnings(database, settings) == []


async def test_who_muted_it_gets_none_and_the_others_do(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    """Of this team, and of this kind."""
    other = await make_team(database, "Harbor Tenants Union")
    await add(database, settings, other, 20)
    await mute(database, team, OWNER)
    async with workers(settings, database_url):
        await spend(database, settings, team, 8, 8)
        await spend(database, settings, other, 8, 8)
        await until(lambda: len(twin.received) == 5)
        await spend(database, settings, team, 4)
        await until(lambda: len(twin.received) == 8)
        await no_more_mail(twin)
    other_low = RUNNING_LOW.replace("North Valley Field", "Harbor Tenants Union")
    expected = once_each(RUNNING_LOW, RUN_OUT, other_low)
    del expected[OWNER, RUNNING_LOW]
    assert subjects(twin) == expected


OVERTAKEN: dict[str, Callable[[Database, Settings, Team], Awaitable[None]]] = {
    "exhausted": lambda database, settings, team: spend(database, settings, team, 4),
    "short": lambda database, settings, team: _short(database, settings, team),
    "refilled": lambda database, settings, team: add(database, settings, team, 20),
    "off": lambda database, settings, team: switch(database, team, enabled=False),
    "unwanted": lambda database, settings, team: set_mail(database, team, enabled=False),
    "muted": lambda database, settings, team: _all_mute(database, team),
    "exhausted, then given back": lambda database, settings, team: _ran_out(
        database, settings, team
    ),
}


async def _short(database: Database, settings: Settings, team: Team) -> None:
    assert not await send(database, settings, team, contact=9, body="x" * 153 * 5)


async def _all_mute(database: Database, team: Team) -> None:
    for address in TOLD:
        await mute(database, team, address)


async def _ran_out(database: Database, settings: Settings, team: Team) -> None:
    await spend(database, settings, team, 4)
    await give_back(database, team, 2)


@pytest.mark.parametrize("overtake", OVERTAKEN.values(), ids=OVERTAKEN)
async def test_what_is_overtaken_before_notices_are_made_brings_none(
    database: Database,
    settings: Settings,
    team: Team,
    overtake: Callable[[Database, Settings, Team], Awaitable[None]],
) -> None:
    await spend(database, settings, team, 8, 8)
    assert await warnings(database, settings) == [(4, 4)]
    await overtake(database, settings, team)
    await told(database, settings)
    async with database.sessions() as session:
        low = select(CreditNotice.id).where(CreditNotice.occasion == "RUNNING_LOW")
        assert (await session.scalars(low)).all() == []
    assert await told(database, settings) == []


@pytest.mark.parametrize("overtake", OVERTAKEN.values(), ids=OVERTAKEN)
async def test_what_is_overtaken_while_it_is_queued_is_not_sent(
    database: Database,
    settings: Settings,
    team: Team,
    overtake: Callable[[Database, Settings, Team], Awaitable[None]],
) -> None:
    await spend(database, settings, team, 8, 8)
    await look(database, settings)
    queued = await told(database, settings)
    assert len(queued) == 3
    await overtake(database, settings, team)
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in queued]
    assert claims == [None, None, None]
    async with database.sessions() as session:
        rows = await session.scalars(select(CreditNotice).where(CreditNotice.id.in_(queued)))
        assert [(row.state, row.attempts) for row in rows] == [("OBSOLETE", 0)] * 3


async def _some_come_back(database: Database, settings: Settings, team: Team) -> None:
    await give_back(database, team, 5)


async def _too_few_are_added(database: Database, settings: Settings, team: Team) -> None:
    """The team stays below its threshold, which is not armed."""
    await add(database, settings, team, 2)
    await give_back(database, team, 5)


@pytest.mark.parametrize("change", [_some_come_back, _too_few_are_added])
@pytest.mark.parametrize("when", ["before notices are made", "while they are queued"])
async def test_credits_that_come_back_overtake_nothing(
    database: Database,
    settings: Settings,
    team: Team,
    change: Callable[[Database, Settings, Team], Awaitable[None]],
    when: str,
) -> None:
    """They arm no threshold: nobody would hear of this one again."""
    await set_threshold(database, settings, team, 10)
    await spend(database, settings, team, 8, 5)
    assert await warnings(database, settings) == [(7, 10)]
    queued = await told(database, settings) if "queued" in when else []
    await change(database, settings, team)
    queued += await told(database, settings)
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in queued]
    assert len(claims) == 3 and all(claims)


async def test_an_addition_overtakes_what_it_had_to_wait_for(
    database: Database, settings: Settings, team: Team
) -> None:
    """Whichever transaction began first, the one that had the account first was first."""
    await spend(database, settings, team, 8, 8)
    async with database.sessions.begin() as session:
        await session.execute(text("select 1"))
        await look(database, settings)
        await add_credits(session, settings, team.superadmin, team_id=team.id, amount=20)
    assert await told(database, settings) == []


async def test_an_addition_overtakes_nothing_that_had_to_wait_for_it(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 6)
    async with database.sessions.begin() as session:
        await session.execute(text("select 1"))
        await add(database, settings, team, 5)
        await spend(database, settings, team, 10, 4)  # 5 are left, of 25
        await warn_team(session, settings, team.id)
    await give_back(database, team, 10)
    assert len(await told(database, settings)) == 3


async def test_the_next_threshold_overtakes_the_one_before(
    database: Database, settings: Settings, team: Team
) -> None:
    """Else a mail that had to wait would tell of more than the one that came before it."""
    await spend(database, settings, team, 8, 8)
    await look(database, settings)
    waiting = await told(database, settings)
    await spend(database, settings, team, 3)
    assert await warnings(database, settings) == [(4, 4), (1, 1)]
    newer = await told(database, settings)
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in waiting + newer]
    assert [claim is not None for claim in claims] == [False] * 3 + [True] * 3


async def test_of_two_that_nobody_was_told_of_the_newer_is_told(
    database: Database, settings: Settings, team: Team
) -> None:
    other = await make_team(database, "Harbor Tenants Union")
    await add(database, settings, other, 20)
    await spend(database, settings, other, 8, 8)
    await spend(database, settings, team, 8, 8)
    await look(database, settings)
    await spend(database, settings, team, 3)
    await look(database, settings)
    assert len(await told(database, settings)) == 6
    async with database.sessions() as session:
        rows = await session.scalars(select(CreditNotice.occasion_id))
        newest = await session.scalars(select(CreditWarning.id).where(CreditWarning.threshold == 1))
        assert Counter(rows)[newest.one()] == 3


async def test_what_is_still_true_is_sent(
    database: Database, settings: Settings, team: Team
) -> None:
    await spend(database, settings, team, 8, 8)
    await look(database, settings)
    queued = await told(database, settings)
    await spend(database, settings, team, 3)
    await give_back(database, team, 3)
    async with database.sessions.begin() as session:
        claims = [await claim_notice(session, settings, notice_id) for notice_id in queued]
    assert all(claims)


# Beside sends


async def test_a_team_that_sends_without_pause_is_warned_meanwhile(
    database: Database, settings: Settings, team: Team
) -> None:
    """Its account is locked all the time: who passes over locked ones would never get it."""
    await spend(database, settings, team, 8, 8)
    is_over = asyncio.Event()

    async def keep_it_locked() -> None:
        while not is_over.is_set():
            async with database.sessions.begin() as session:
                await session.execute(LOCK_ACCOUNT, {"team": team.id})
                await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as senders:
        for _ in range(3):
            senders.create_task(keep_it_locked())
        await asyncio.sleep(0.2)
        assert await warnings(database, settings) == [(4, 4)]
        is_over.set()


async def test_sends_go_on_while_the_worker_looks(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    """All are accepted, and the mail comes before the last of them."""
    await add(database, settings, team, 1000)
    await set_threshold(database, settings, team, 1010)
    pace = replace(PACE, look=0.01)
    contacts = itertools.cycle(range(64))
    async with workers(settings, database_url, count=2, pace=pace):
        while len(twin.received) < 3:
            sends = [send(database, settings, team, contact=next(contacts)) for _ in range(8)]
            assert all(await asyncio.gather(*sends))
        await until_settled(database)
    assert subjects(twin) == once_each(RUNNING_LOW)


async def test_a_held_account_delays_neither_other_teams_nor_for_ever(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    other = await make_team(database, "Harbor Tenants Union")
    await add(database, settings, other, 20)
    await spend(database, settings, team, 8, 8)
    await spend(database, settings, other, 8, 8)
    async with workers(settings, database_url, pace=replace(PACE, lock=0.1)):
        async with database.sessions.begin() as session:
            await session.execute(LOCK_ACCOUNT, {"team": team.id})
            await until(lambda: len(twin.received) == 3)
            assert {subject for _, subject in subjects(twin)} == {
                "Harbor Tenants Union is running low on credits"
            }
            await exhaust_others(database, settings, other)
            await until(lambda: len(twin.received) == 6)
        await until(lambda: len(twin.received) == 9)


async def exhaust_others(database: Database, settings: Settings, team: Team) -> None:
    await spend(database, settings, team, 4)


async def test_a_dead_provider_never_delays_a_send(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    for address in TOLD:
        twin.will_answer(address, HANGS)
    await spend(database, settings, team, 8, 8)
    async with workers(settings, database_url, pace=replace(PACE, answer=10)):
        await until(lambda: len(twin.received) == 3)
        async with asyncio.timeout(3):
            await spend(database, settings, team, 1, 1, 1)
        assert set((await states(database)).values()) == {"SENDING"}
        twin.let_go()


@pytest.mark.long
async def test_what_a_killed_worker_had_in_hand_is_not_sent_again(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    twin.will_answer(OWNER, HANGS)
    await spend(database, settings, team, 8, 8)

    async def only_one_hangs() -> bool:
        return Counter((await states(database)).values()) == {"SENT": 2, "SENDING": 1}

    with worker_process(settings, database_url):
        await until(only_one_hangs)
    async with workers(settings, database_url, pace=replace(PACE, given_up_for_dead=1)):
        await until_settled(database, {OWNER: "UNKNOWN"})
        await no_more_mail(twin)
    assert subjects(twin) == once_each(RUNNING_LOW)


# What it says


async def mails(database: Database, settings: Settings, team: Team) -> dict[str, Mail]:
    await spend(database, settings, team, 8, 8)
    await look(database, settings)
    async with database.sessions.begin() as session:
        claims = [
            await claim_notice(session, settings, notice_id)
            for notice_id in await make_notices(session, settings)
        ]
    composed = [compose(settings, SECRET, notice) for notice in claims if notice]
    return {mail.to: mail for mail in composed}


@pytest.mark.parametrize(
    ("visible_to", "with_figures"),
    [
        ("SUPERADMIN", {SUPERADMIN}),
        ("OWNER", {SUPERADMIN, OWNER}),
        ("ADMIN", {SUPERADMIN, OWNER, ADMIN}),
    ],
)
async def test_figures_are_for_those_who_may_see_them_and_thresholds_for_superadmins(
    database: Database, settings: Settings, team: Team, visible_to: str, with_figures: set[str]
) -> None:
    settings = settings.model_copy(update={"credits_visible_to": CreditsVisibleTo(visible_to)})
    found = await mails(database, settings, team)
    assert found.keys() == TOLD
    for address, mail in found.items():
        assert mail.subject == RUNNING_LOW
        for body in both(mail):
            assert ("4 credits left." in body) == (address in with_figures)
            assert ("Warning threshold: 4 credits." in body) == (address == SUPERADMIN)
            if address not in with_figures:
                rest = re.sub(r"\d{4}-\d\d-\d\d, \d\d:\d\d UTC|https://\S+", "", body)
                assert not re.search(r"\d", rest)


async def test_it_says_that_nothing_stops_yet_and_who_can_help(
    database: Database, settings: Settings, team: Team
) -> None:
    found = await mails(database, settings, team)
    for mail in found.values():
        for body in both(mail):
            assert "Nothing yet. Once the credits are used up, every text is refused" in body
            assert "What still works" not in body
            assert ("as a superadmin you can add credits" in body) == (mail.to == SUPERADMIN)
            assert ("Please ask one." in body) == (mail.to != SUPERADMIN)


async def test_the_way_out_is_in_this_mail_alone(
    database: Database, database_url: str, settings: Settings, team: Team, twin: SendGridTwin
) -> None:
    async with workers(settings, database_url):
        await spend(database, settings, team, 8, 8)
        await until(lambda: len(twin.received) == 3)
        await spend(database, settings, team, 4)
        await until(lambda: len(twin.received) == 6)
    for mail in twin.received:
        headers, [address] = mail.body["headers"], mail.to
        if mail.body["subject"] == RUN_OUT:
            assert headers == {"Auto-Submitted": "auto-generated"}
            assert "running-low-mail" not in str(mail.body)
            continue
        assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = headers["List-Unsubscribe"].removeprefix("<").removesuffix(">")
        assert link.startswith("https://spoke.example.org/running-low-mail?reader=")
        assert link in mail.text and f'href="{link}"' in mail.html
        reader = reader_of(link.partition("reader=")[2], SECRET)
        assert reader == Reader(team.id, address)
        assert mail.body["tracking_settings"]["subscription_tracking"] == {"enable": False}


async def test_the_link_is_whole_in_a_file(
    database: Database, database_url: str, settings: Settings, team: Team
) -> None:
    settings = settings.model_copy(
        update={"sendgrid_api_key": None, "base_url": f"https://{'a-long-name.' * 8}example.org"}
    )
    await spend(database, settings, team, 8, 8)
    async with workers(settings, database_url):
        await until_settled(database)
    files = list((settings.spoke_data_dir / "outbox").iterdir())
    assert len(files) == 3
    for file in files:
        assert "RUNNING_LOW" in file.name
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        link = mail["List-Unsubscribe"].removeprefix("<").removesuffix(">")
        assert f"List-Unsubscribe: <{link}>\n".encode() in file.read_bytes()
        assert reader_of(link.partition("reader=")[2], SECRET) == Reader(team.id, mail["To"])
        plain = mail.get_body(("plain",))
        assert plain and link in plain.get_content()
    assert len(await notices(database)) == 3


async def test_it_is_no_news_to_a_team_that_has_nothing(
    database: Database, settings: Settings
) -> None:
    team = await make_team(database)
    await set_threshold(database, settings, team, 5)
    await exhaust(database, settings, team)
    assert await warnings(database, settings) == []
