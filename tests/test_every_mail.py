"""Every kind of mail under every behaviour of SendGrid: at most one to each person per occasion."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest

from models.database import Database
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
    notices,
    send,
    switch,
    until_settled,
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


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_team(database)


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


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param(
            BEHAVIOURS[behaviour],
            KINDS[kind],
            id=f"{behaviour}-{kind}",
            marks=() if kind == "exhausted" or behaviour == "broken, twice" else pytest.mark.long,
        )
        for behaviour, kind in product(BEHAVIOURS, KINDS)
    ],
)
async def test_at_most_one_mail_for_each_person(
    database: Database,
    database_url: str,
    settings: Settings,
    team: Team,
    twin: SendGridTwin,
    kind: Kind,
    behaviour: Behaviour,
) -> None:
    twin.will_answer(kind.watched, *behaviour.answers())
    await kind.happen(database, settings, team)
    pace = replace(PACE, first_retry=0.0001)
    async with workers(settings, database_url, count=2, pace=pace):
        await until_settled(database, {kind.watched: behaviour.state}, told=kind.told)
        await no_more_mail(twin)
    asked = Counter(address for mail in twin.received for address in mail.to)
    assert asked == {**dict.fromkeys(kind.told, 1), kind.watched: behaviour.calls}
    rows = await notices(database)
    assert rows[kind.watched].attempts == behaviour.calls
    assert (rows[kind.watched].error is None) == (behaviour.state == NoticeState.SENT)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_a_provider_that_nobody_reaches_fails_no_send(
    database: Database, database_url: str, settings: Settings, team: Team, kind: Kind
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = settings.model_copy(update={"sendgrid_host": nowhere})
    await kind.happen(database, settings, team)
    async with workers(settings, database_url, pace=replace(PACE, first_retry=0.0001)):
        await until_settled(database, dict.fromkeys(kind.told, "FAILED"), told=kind.told)
        failed = await notices(database)
        await add(database, settings, team, 1)
        assert await send(database, settings, team, contact=63)
    assert {row.attempts for row in failed.values()} == {MOST_ATTEMPTS}
