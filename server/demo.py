"""Demo data: one account with twelve teams, made through the services. What they texted before they
had credits is history, as an installed Spoke would have it. What they texted with credits is dated
back, so that usage and its pace are those of two weeks; the ledger keeps when it was booked.

Everybody's password is known: it exists only in the embedded database, or where an operator asked
for it on an empty one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact
from models.database import driver_connection
from models.messages import Message
from models.notices import CreditNotice
from models.organizations import Organization
from models.scripts import CannedResponse, InteractionStep
from models.tags import Tag
from models.users import Membership, User
from services import clock
from services.access import Actor, Role
from services.credits import add_credits, remove_credit_purchase, set_credits_enabled
from services.delivery_reports import apply_reports
from services.errors import InvalidInput
from services.occasions import make_notices
from services.passwords import hash_password
from services.providers import DeliveryStatus, Report
from services.running_low import teams_to_warn, warn_team
from services.segments import cost_of
from services.send_statement import Outcome, Send, write_sends
from services.settings import Settings
from services.usage_day import rebuild_usage

PASSWORD = "spoke-demo-1"
PEOPLE = {
    "superadmin": "Sam Superadmin",
    "owner": "Olivia Owner",
    "admin": "Adam Admin",
    "supervolunteer": "Sofia Supervolunteer",
    "texter": "Terry Texter",
    "suspended": "Susan Suspended",
    "texter2": "Tomoko Texter",
}
EMAILS = [f"{name}@example.org" for name in PEOPLE]

SHORT_TEXT = "Hi {firstName}, will you join us on Saturday?"
LONG_TEXT = SHORT_TEXT + " We meet at the library at ten, and there is something to do for all." * 4
PICNIC_TEXT = "Hi {firstName}, will you come to our picnic on Sunday?"
ANSWERS = {
    "Yes": "Wonderful, see you there!",
    "Maybe": "Good to hear. Shall I write to you on Friday?",
    "No": "Thank you for telling me. Have a nice weekend!",
}
CANNED_RESPONSES = {
    "Where is it?": "At the library, 2 Main Street.",
    "Who are you?": "I'm a volunteer and live nearby.",
}
TAGS = {
    "Call back": "They want to talk to somebody.",
    "Other language": "They need somebody who speaks their language.",
}
UNASSIGNED = 20
REQUESTS = {
    "textRequestFormEnabled": True,
    "textRequestType": "UNSENT",
    "textRequestMaxCount": 10,
}
"""Everybody may ask for first texts, so many at once."""
HISTORY_DAYS = 14
_DATE_BACK = """
update message set created_at = created_at - id % :days * interval '1 day'
where id in (select message_id from outbound_text)
"""
NAMES = ("Ana", "Ben", "Chloe", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jamal")


@dataclass(frozen=True, slots=True)
class DemoTeam:
    """`sent` of the `contacts` have got `body`, before `removed` purchases were removed; `refused`
    more would have. `texted_before`: by Spoke alone."""

    name: str
    contacts: int
    enabled: bool = True
    purchases: Sequence[int] = ()
    sent: int = 0
    body: str = SHORT_TEXT
    removed: int = 0
    refused: int = 0
    texted_before: bool = True


TEAMS = (
    DemoTeam("North Valley Field", contacts=60, purchases=[25]),
    DemoTeam("Harbor Tenants Union", contacts=30, purchases=[10], sent=10),
    DemoTeam("Student Climate Network", contacts=20, enabled=False),
    DemoTeam("Riverside Housing Coalition", 40, purchases=[250, 150], sent=40, body=LONG_TEXT),
    DemoTeam("Eastside Transit Riders", 25, purchases=[74], sent=24, body=LONG_TEXT, refused=1),
    DemoTeam(
        "Prairie Farmers Alliance", 20, purchases=[60, 20], sent=12, body=LONG_TEXT, removed=1
    ),
    DemoTeam("Lakeshore Nurses United", 16, purchases=[25, 25, 10], sent=16, body=LONG_TEXT),
    DemoTeam("Downtown Library Friends", 10, enabled=False, purchases=[300]),
    DemoTeam("Hillside Voter Project", 30, purchases=[20_000], sent=30),
    DemoTeam("Mesa Water Protectors", 12, texted_before=False),
    DemoTeam("Old Mill Neighbors", 12, purchases=[15], sent=12),
    DemoTeam("Youth Vote Collective", 18, purchases=[1_000_000, 250_000], sent=18, body=LONG_TEXT),
)


async def seed(session: AsyncSession, settings: Settings) -> None:
    """All in the caller's transaction. Raises InvalidInput where there are people already."""
    if await has_people(session):
        raise InvalidInput("Demo data goes into an empty database only: this one has users.")
    superadmin, *members, texter2 = await _make_people(session)
    actor = Actor(superadmin.id, superadmin.display_name, is_superadmin=True)
    organizations = []
    for number, team in enumerate(TEAMS, start=1):
        staff = {1: dict(zip(reversed(Role), members, strict=True))}.get(number, {})
        organizations.append(
            await _make_team(session, settings, actor, number, team, staff, texter2)
        )
    await _date_back(session)
    for organization, team in zip(organizations, TEAMS, strict=True):
        if team.texted_before:
            await _make_history(session, organization, texter2)
    await _make_unassigned(session, organizations[0])
    await rebuild_usage(session, days=None, with_ours=True)
    await _as_if_told(session, settings)


async def _make_people(session: AsyncSession) -> list[User]:
    """One hash for all of them, whose password everybody knows: it takes a quarter of a second."""
    password_hash = await hash_password(PASSWORD)
    people = [
        User(
            auth0_id=password_hash,
            email=f"{name}@example.org",
            first_name=full_name.split()[0],
            last_name=full_name.split()[1],
            cell=f"+1202555{9000 + number}",
            is_superadmin=name == "superadmin",
        )
        for number, (name, full_name) in enumerate(PEOPLE.items())
    ]
    session.add_all(people)
    await session.flush()
    return people


async def has_people(session: AsyncSession) -> bool:
    return await session.scalar(select(User.id).limit(1)) is not None


async def has_demo_people(session: AsyncSession) -> bool:
    return await session.scalar(select(User.id).where(User.email.in_(EMAILS)).limit(1)) is not None


async def _make_team(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    number: int,
    team: DemoTeam,
    staff: dict[Role, User],
    texter2: User,
) -> Organization:
    organization = Organization(name=team.name, uuid=f"demo-{number}", features="{}")
    session.add(organization)
    await session.flush()
    for role, user in (staff or {Role.TEXTER: texter2}).items():
        if number <= 3:
            session.add(Membership(user_id=user.id, organization_id=organization.id, role=role))
    texter = staff.get(Role.TEXTER, texter2)
    assignment, contacts = await _make_campaign(session, number, team, organization, texter)
    purchases = [
        await add_credits(
            session, settings, actor, team_id=organization.id, amount=amount, note="Spring campaign"
        )
        for amount in team.purchases
    ]
    await set_credits_enabled(session, actor, team_id=organization.id, enabled=team.enabled)
    await _send(session, settings, organization.id, texter, assignment, contacts, team)
    for purchase in purchases[: team.removed]:
        await remove_credit_purchase(session, actor, purchase_id=purchase.id)
    return organization


async def _make_campaign(
    session: AsyncSession, number: int, team: DemoTeam, organization: Organization, texter: User
) -> tuple[Assignment, list[CampaignContact]]:
    """A started campaign with a script, textable around the clock, all of it one texter's."""
    campaign = Campaign(
        organization_id=organization.id,
        title=f"{team.name}: Saturday",
        description="Invite everybody to Saturday's meeting",
        is_started=True,
        is_archived=False,
        is_approved=True,
        due_by=clock.now() + timedelta(days=365),
        texting_hours_start=0,
        texting_hours_end=24,
    )
    session.add(campaign)
    await session.flush()
    await _make_script(session, team, campaign)
    assignment = Assignment(user_id=texter.id, campaign_id=campaign.id, max_contacts=team.contacts)
    session.add(assignment)
    await session.flush()
    contacts = [
        CampaignContact(
            campaign_id=campaign.id,
            assignment_id=assignment.id,
            first_name=NAMES[position % len(NAMES)],
            last_name=f"Contact {position + 1}",
            cell=f"+1202{number + 200}{position:04}",
            custom_fields='{"city": "Springfield"}',
        )
        for position in range(team.contacts)
    ]
    session.add_all(contacts)
    await session.flush()
    return assignment, contacts


async def _make_script(session: AsyncSession, team: DemoTeam, campaign: Campaign) -> None:
    """A question, what to say to each answer, other things to say, and tags to sort by."""
    first = InteractionStep(
        campaign_id=campaign.id,
        question="Will you come?",
        script_options=[team.body, f"{{texterFirstName}} here. {team.body}"],
    )
    session.add(first)
    await session.flush()
    session.add_all(
        InteractionStep(
            campaign_id=campaign.id,
            parent_interaction_id=first.id,
            answer_option=answer,
            script_options=[reply],
        )
        for answer, reply in ANSWERS.items()
    )
    session.add_all(
        CannedResponse(campaign_id=campaign.id, title=title, text=reply, display_order=place)
        for place, (title, reply) in enumerate(CANNED_RESPONSES.items(), start=1)
    )
    session.add_all(
        Tag(organization_id=campaign.organization_id, title=title, description=description)
        for title, description in TAGS.items()
    )
    await session.flush()


async def _send(
    session: AsyncSession,
    settings: Settings,
    team_id: int,
    texter: User,
    assignment: Assignment,
    contacts: Sequence[CampaignContact],
    team: DemoTeam,
) -> None:
    """By the one send statement; then as if a provider had delivered and reported them."""
    sends = []
    for contact in contacts[: team.sent + team.refused]:
        body = team.body.replace("{firstName}", contact.first_name)
        cost = cost_of(body, mms_credits=settings.mms_credits)
        sends.append(
            Send(
                team_id=team_id,
                contact_id=contact.id,
                contact_assignment_id=assignment.id,
                assignment_id=assignment.id,
                user_id=texter.id,
                contact_number=contact.cell,
                text=body,
                cost=cost.credits,
                segments=cost.segments,
                media=cost.media,
                send_before=clock.now() + timedelta(days=1),
            )
        )
    if not sends:
        return
    connection = await driver_connection(session)
    written = await write_sends(connection, sends)
    accepted = [w.outcome is Outcome.ACCEPTED for w in written]
    assert accepted == [True] * team.sent + [False] * team.refused
    message_ids = [w.message_id for w in written if w.message_id is not None]
    reports = [
        Report(
            message_id,
            DeliveryStatus.DELIVERED,
            f"fakeservice-{message_id}",
            segments=send.segments,
            response={"status": "delivered"},
        )
        for message_id, send in zip(message_ids, sends, strict=False)
    ]
    await apply_reports(connection, reports)


async def _date_back(session: AsyncSession) -> None:
    """What was sent is spread over the last days, today included."""
    await session.execute(text(_DATE_BACK), {"days": HISTORY_DAYS})


async def _make_history(session: AsyncSession, organization: Organization, texter: User) -> None:
    """A campaign that is over, texted by Spoke's own workers in the days before today."""
    campaign = Campaign(
        organization_id=organization.id,
        title=f"{organization.name}: Petition",
        description="Ask everybody to sign",
        is_started=True,
        is_archived=True,
        is_approved=True,
    )
    session.add(campaign)
    await session.flush()
    assignment = Assignment(user_id=texter.id, campaign_id=campaign.id)
    session.add(assignment)
    await session.flush()
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    times = [
        today - timedelta(days=days_ago) + timedelta(hours=17, minutes=number)
        for days_ago in range(HISTORY_DAYS, 0, -1)
        for number in range((days_ago * 7 + organization.id * 5) % 13)
    ]
    contacts = [
        CampaignContact(
            campaign_id=campaign.id,
            assignment_id=assignment.id,
            first_name=NAMES[position % len(NAMES)],
            last_name=f"Signer {position + 1}",
            cell=f"+1203{organization.id + 200}{position:04}",
            message_status="messaged",
            archived=True,
        )
        for position in range(len(times))
    ]
    session.add_all(contacts)
    await session.flush()
    session.add_all(
        Message(
            campaign_contact_id=contact.id,
            assignment_id=assignment.id,
            user_id=texter.id,
            contact_number=contact.cell,
            is_from_contact=False,
            text=SHORT_TEXT.replace("{firstName}", contact.first_name),
            service="fakeservice",
            send_status="ERROR" if position % 19 == 18 else "DELIVERED",
            created_at=time,
            num_segments=1,
            num_media=0,
        )
        for position, (contact, time) in enumerate(zip(contacts, times, strict=True))
    )


async def _make_unassigned(session: AsyncSession, organization: Organization) -> None:
    """A campaign whose contacts are nobody's yet: its texters may ask for some."""
    organization.features = json.dumps(REQUESTS)
    campaign = Campaign(
        organization_id=organization.id,
        title=f"{organization.name}: Sunday",
        description="Invite everybody to Sunday's picnic",
        is_started=True,
        is_archived=False,
        is_approved=True,
        is_autoassign_enabled=True,
        texting_hours_start=0,
        texting_hours_end=24,
    )
    session.add(campaign)
    await session.flush()
    session.add(InteractionStep(campaign_id=campaign.id, script_options=[PICNIC_TEXT]))
    session.add_all(
        CampaignContact(
            campaign_id=campaign.id,
            first_name=NAMES[position % len(NAMES)],
            last_name=f"Neighbor {position + 1}",
            cell=f"+1204201{position:04}",
        )
        for position in range(UNASSIGNED)
    )
    await session.flush()


async def _as_if_told(session: AsyncSession, settings: Settings) -> None:
    """The mails that all this occasioned count as sent."""
    await session.flush()
    for team_id in await teams_to_warn(session, settings):
        await warn_team(session, settings, team_id)
    await make_notices(session, settings)
    await session.execute(update(CreditNotice).values(state="SENT", attempts=1, sent_at=func.now()))
