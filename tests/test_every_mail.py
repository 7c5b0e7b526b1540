"""Every kind of mail under every behaviour of SendGrid: at most one to each person per occasion."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select

from models.database import Database
from models.notices import CreditNotice
from server.worker import MOST_ATTEMPTS
from services.notices import NoticeState
from services.settings import Settings
from tests.mailing import (
    OWNER,
    PACE,
    SUPERADMIN,
    TOLD,
    Team,
    add,
    mail_settings,
    make_team,
    no_more_mail,
    send,
    switch,
    until,
    workers,
)
from tests.sendgrid_twin import (
    ACCEPTED,
    BAD_REQUEST,
    BREAKS,
    HANGS,
    SERVER_ERROR,
    Answer,
    SendGridTwin,
    sendgrid_twin,
    too_many,
)


@pytest.fixture
def twin() -> Iterator[SendGridTwin]:
    with sendgrid_twin() as twin:
        yield twin


@pytest.fixture
def settings(tmp_path: Path, twin: SendGridTwin) -> Settings:
    return mail_settings(tmp_path, twin)


async def run_low(database: Database, settings: Settings, team: Team) -> None:
    await add(database, settings, team, 5)
    for contact in range(4):
        assert await send(database, settings, team, contact=contact)


async def turn_on(database: Database, settings: Settings, team: Team) -> None:
    await switch(database, team, enabled=False)
    await switch(database, team, enabled=True)


async def be_refused_64_times(database: Database, settings: Settings, team: Team) -> None:
    sends = [send(database, settings, team, contact=contact) for contact in range(64)]
    assert not any(await asyncio.gather(*sends))


@dataclass(frozen=True)
class Kind:
    """`watched`: somebody who gets it, and whose mail SendGrid will treat so or so."""

    happen: Callable[[Database, Settings, Team], Awaitable[None]]
    told: frozenset[str]
    watched: str


@dataclass(frozen=True)
class Behaviour:
    """`calls`: how often SendGrid is asked to send the watched mail until it comes to `state`."""

    answers: Callable[[], list[Answer]]
    calls: int
    state: NoticeState


KINDS = {
    "exhausted": Kind(be_refused_64_times, frozenset(TOLD), OWNER),
    "running low": Kind(run_low, frozenset(TOLD), OWNER),
    "set-up": Kind(turn_on, frozenset({SUPERADMIN}), SUPERADMIN),
}
BEHAVIOURS = {
    "accepts": Behaviour(lambda: [ACCEPTED], 1, NoticeState.SENT),
    "too many, once": Behaviour(lambda: [too_many(reset_in_seconds=1)], 2, NoticeState.SENT),
    "broken, twice": Behaviour(lambda: [SERVER_ERROR] * 2, 3, NoticeState.SENT),
    "broken, for good": Behaviour(lambda: [SERVER_ERROR] * 20, MOST_ATTEMPTS, NoticeState.FAILED),
    "refuses": Behaviour(lambda: [BAD_REQUEST], 1, NoticeState.FAILED),
    "no such key": Behaviour(lambda: [Answer(401)], 1, NoticeState.FAILED),
    "time-out": Behaviour(lambda: [HANGS], 1, NoticeState.UNKNOWN),
    "breaks off": Behaviour(lambda: [BREAKS], 1, NoticeState.UNKNOWN),
}


async def notices_by_team(database: Database) -> dict[int, dict[str, CreditNotice]]:
    """And by address; of each team something has happened but once."""
    async with database.sessions() as session:
        rows = list(await session.scalars(select(CreditNotice)))
    return {
        team_id: {row.address: row for row in rows if row.team_id == team_id}
        for team_id in {row.team_id for row in rows}
    }


async def until_all_settled(database: Database, count: int) -> None:
    """Nothing is to be done any more for that many notices."""

    async def settled() -> bool:
        found = await notices_by_team(database)
        states = [row.state for team in found.values() for row in team.values()]
        return len(states) == count and not {"QUEUED", "SENDING"} & set(states)

    await until(settled, seconds=120)


@pytest.mark.long
async def test_at_most_one_mail_for_each_person(
    database: Database, database_url: str, settings: Settings, twin: SendGridTwin
) -> None:
    """Each kind under each behaviour happens to a team, which is named after both; all at once."""
    cases = {
        f"{behaviour}, {kind}": (BEHAVIOURS[behaviour], KINDS[kind])
        for behaviour, kind in product(BEHAVIOURS, KINDS)
    }
    teams = {name: await make_team(database, name) for name in cases}
    for name, (_, kind) in cases.items():
        await kind.happen(database, settings, teams[name])
    for name, (behaviour, kind) in cases.items():
        twin.will_answer(kind.watched, *behaviour.answers(), about=name)
    pace = replace(PACE, first_retry=0.0001)
    async with workers(settings, database_url, count=2, pace=pace):
        await until_all_settled(database, sum(len(kind.told) for _, kind in cases.values()))
        await no_more_mail(twin)
    found = await notices_by_team(database)
    for name, (behaviour, kind) in cases.items():
        mails = [mail for mail in twin.received if mail.subject.startswith(name)]
        asked = Counter(address for mail in mails for address in mail.to)
        assert asked == {**dict.fromkeys(kind.told, 1), kind.watched: behaviour.calls}, name
        rows = found[teams[name].id]
        expected = dict.fromkeys(kind.told, NoticeState.SENT) | {kind.watched: behaviour.state}
        assert {address: row.state for address, row in rows.items()} == expected, name
        assert rows[kind.watched].attempts == behaviour.calls, name
        was_sent = behaviour.state == NoticeState.SENT
        assert (rows[kind.watched].error is None) == was_sent, name


@pytest.mark.long
async def test_a_provider_that_nobody_reaches_fails_no_send(
    database: Database, database_url: str, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = settings.model_copy(update={"sendgrid_host": nowhere})
    teams = {name: await make_team(database, name) for name in KINDS}
    for name, kind in KINDS.items():
        await kind.happen(database, settings, teams[name])
    async with workers(settings, database_url, pace=replace(PACE, first_retry=0.0001)):
        await until_all_settled(database, sum(len(kind.told) for kind in KINDS.values()))
        failed = await notices_by_team(database)
        for name in KINDS:
            await add(database, settings, teams[name], 1)
            assert await send(database, settings, teams[name], contact=63), name
    for name, kind in KINDS.items():
        rows = failed[teams[name].id]
        assert {address: (row.state, row.attempts) for address, row in rows.items()} == (
            dict.fromkeys(kind.told, ("FAILED", MOST_ATTEMPTS))
        ), name
