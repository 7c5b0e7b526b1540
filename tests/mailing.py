"""A team with people to tell, workers that tell them, and a twin of SendGrid that listens."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from html import unescape
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact
from models.database import Database
from models.notices import CreditNotice
from models.organizations import Organization
from models.users import Membership, User
from server.worker import Pace, run_worker
from services.access import Actor
from services.credits import add_credits, set_credits_enabled
from services.errors import InsufficientCredits
from services.mail import Mail
from services.send_writer import SendWriter
from services.sending import make_draft, send_message
from services.settings import Settings, load_settings
from tests.conftest import SECRET
from tests.sendgrid_twin import SendGridTwin
from tests.servers import started

KEY = "SG.only-for-the-tests"
PACE = Pace(
    look=0.05,
    after_trouble=0.1,
    find_stranded=0.2,
    first_retry=0.02,
    answer=3.0,
    heartbeat=0.2,
    stop=5.0,
)
SUPERADMIN, OWNER, ADMIN, TEXTER = (
    f"{name}@example.org" for name in ("sam", "olivia", "adam", "terry")
)
TOLD = {SUPERADMIN, OWNER, ADMIN}
SUSPENDED_HERE, SUSPENDED_EVERYWHERE = "susan@example.org", "simon@example.org"


@dataclass(frozen=True)
class Team:
    """A team with credits on and nothing left, its people, and contacts assigned to the texter."""

    id: int
    superadmin: Actor
    texter: Actor
    assignment_id: int
    contact_ids: Sequence[int]


def mail_settings(folder: Path, twin: SendGridTwin) -> Settings:
    return load_settings(
        spoke_data_dir=folder,
        sendgrid_api_key=KEY,
        sendgrid_host=twin.url,
        base_url="https://spoke.example.org",
    )


async def make_team(database: Database, name: str = "North Valley Field") -> Team:
    """Everybody has been told that credits were turned on. Another one has the same people."""
    async with database.sessions.begin() as session:
        people = await _people(session)
        team = Organization(name=name)
        session.add(team)
        await session.flush()
        # Spoke makes superadmins OWNER of every team.
        roles = {
            OWNER: "OWNER",
            ADMIN: "ADMIN",
            TEXTER: "TEXTER",
            SUSPENDED_HERE: "SUSPENDED",
            SUSPENDED_EVERYWHERE: "OWNER",
        }
        session.add_all(
            Membership(user_id=people[address].id, organization_id=team.id, role=role)
            for address, role in roles.items()
        )
        campaign = Campaign(
            organization_id=team.id,
            title="",
            is_started=True,
            texting_hours_start=0,
            texting_hours_end=24,
        )
        session.add(campaign)
        await session.flush()
        assignment = Assignment(user_id=people[TEXTER].id, campaign_id=campaign.id)
        session.add(assignment)
        await session.flush()
        contacts = [
            CampaignContact(
                campaign_id=campaign.id, assignment_id=assignment.id, cell=f"+1202555{number:04}"
            )
            for number in range(64)
        ]
        session.add_all(contacts)
        superadmin = Actor(people[SUPERADMIN].id, "Sam Superadmin", is_superadmin=True)
        await set_credits_enabled(session, superadmin, team_id=team.id, enabled=True)
        await session.flush()
        await session.execute(text("update credit_switch set notices_made_at = now()"))
        return Team(
            id=team.id,
            superadmin=superadmin,
            texter=Actor(people[TEXTER].id, "Terry Texter", is_superadmin=False),
            assignment_id=assignment.id,
            contact_ids=[contact.id for contact in contacts],
        )


async def _people(session: AsyncSession) -> dict[str, User]:
    """By address; made at the first call."""
    found = {user.email: user for user in await session.scalars(select(User))}
    if not found:
        found = {
            address: User(
                auth0_id="",
                first_name="",
                last_name="",
                cell="",
                email=address,
                is_superadmin=address == SUPERADMIN,
                is_suspended=address == SUSPENDED_EVERYWHERE,
            )
            for address in (SUPERADMIN, OWNER, ADMIN, TEXTER, SUSPENDED_HERE, SUSPENDED_EVERYWHERE)
        }
        session.add_all(found.values())
        await session.flush()
    return found


async def send(
    database: Database, settings: Settings, team: Team, *, contact: int = 0, body: str = "Hi!"
) -> bool:
    """Whether the text was accepted."""
    draft = make_draft(
        team.texter,
        contact_id=team.contact_ids[contact],
        text=body,
        assignment_id=team.assignment_id,
    )
    try:
        await send_message(SendWriter(database.pool, settings), settings, team.texter, draft)
    except InsufficientCredits:
        return False
    return True


async def exhaust(database: Database, settings: Settings, team: Team) -> None:
    assert not await send(database, settings, team)


async def add(database: Database, settings: Settings, team: Team, amount: int) -> None:
    async with database.sessions.begin() as session:
        await add_credits(session, settings, team.superadmin, team_id=team.id, amount=amount)


async def switch(database: Database, team: Team, *, enabled: bool) -> None:
    async with database.sessions.begin() as session:
        await set_credits_enabled(session, team.superadmin, team_id=team.id, enabled=enabled)


async def notices(database: Database) -> dict[str, CreditNotice]:
    """The newest of each address."""
    async with database.sessions() as session:
        rows = await session.scalars(select(CreditNotice).order_by(CreditNotice.id))
        return {row.address: row for row in rows}


async def states(database: Database) -> dict[str, str]:
    return {address: row.state for address, row in (await notices(database)).items()}


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not await _truth(condition()):
        assert time.monotonic() < deadline, "it didn't happen in time"
        await asyncio.sleep(0.05)


async def _truth(value: bool | Awaitable[bool]) -> bool:
    return value if isinstance(value, bool) else await value


async def until_settled(
    database: Database, expected: dict[str, str] | None = None, *, told: Collection[str] = TOLD
) -> None:
    """Nothing is to be done any more, and everybody's mail is SENT, but for those `expected`."""

    async def settled() -> bool:
        found = await states(database)
        return bool(found) and not set(found.values()) & {"QUEUED", "SENDING"}

    await until(settled)
    assert await states(database) == dict.fromkeys(told, "SENT") | (expected or {})


async def no_more_mail(twin: SendGridTwin) -> None:
    """After what could still bring one: some looks, retries and searches for stranded notices."""
    before = len(twin.received)
    await asyncio.sleep(0.3)
    assert len(twin.received) == before


@asynccontextmanager
async def workers(
    settings: Settings, url: str, *, count: int = 1, pace: Pace = PACE
) -> AsyncIterator[None]:
    running = [
        asyncio.create_task(run_worker(settings, url, SECRET, pace=pace)) for _ in range(count)
    ]
    try:
        yield
    finally:
        for worker in running:
            worker.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


def worker_process(settings: Settings, url: str) -> AbstractContextManager[BaseProcess]:
    """Killed at the end, if it still runs."""
    return started(
        "worker",
        DATABASE_URL=url,
        SESSION_SECRET=SECRET,
        SPOKE_DATA_DIR=str(settings.spoke_data_dir),
        SENDGRID_API_KEY=KEY,
        SENDGRID_HOST=settings.sendgrid_host,
        BASE_URL=settings.base_url,
    )


def both(mail: Mail) -> list[str]:
    """The text, and the words of the HTML, each with single spaces."""
    words = re.sub(r"<head>.*</head>|<[^>]+>", "", mail.html, flags=re.DOTALL)
    return [" ".join(unescape(part).split()) for part in (mail.text, words)]
