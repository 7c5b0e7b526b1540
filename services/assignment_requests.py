"""Texters' requests for texts. Whether somebody approves them, or nobody has to, says Spoke's
membership."""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.assignment_requests import AssignmentRequest
from models.campaigns import Assignment, Campaign
from models.contacts import CampaignContact
from models.users import Membership
from services.access import Actor, Role, require_role
from services.errors import Forbidden, InvalidInput, NotFound, RequestPending, SenderSuspended
from services.hand_outs import FIRST_TEXTS, Target, hand_out, targets_of_organizations
from services.organization_settings import RequestAutoApprove
from services.settings import Settings

MOST_TEXTS = 10_000
CREATED = "Created"
NOTHING_THERE = "No texts available at the moment"
"""What Spoke's client knows as answers."""


@dataclass(frozen=True, slots=True)
class FoundContact:
    found: bool


async def current_request(
    session: AsyncSession, *, user_id: int, organization_id: int
) -> AssignmentRequest | None:
    """The one that nobody has decided yet, if any."""
    found: AssignmentRequest | None = await session.scalar(
        select(AssignmentRequest)
        .where(
            AssignmentRequest.user_id == user_id,
            AssignmentRequest.organization_id == organization_id,
            AssignmentRequest.status == "pending",
        )
        .order_by(AssignmentRequest.id)
        .limit(1)
    )
    return found


async def request_texts(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    organization_id: int,
    count: int,
    group_id: int,
) -> str:
    """For members. Returns CREATED or NOTHING_THERE.

    With AUTO_HANDLE_REQUESTS, who is approved by themselves gets contacts at once, those of this
    group first; who must not get any is rejected. All other requests wait for somebody's approval.
    Raises Forbidden, InvalidInput, RequestPending, SenderSuspended.
    """
    _require_number(count, "count")
    approval = await _lock_approval(session, actor, organization_id)
    if await current_request(session, user_id=actor.user_id, organization_id=organization_id):
        raise RequestPending
    [targets] = await targets_of_organizations(session, actor, [organization_id])
    if not targets:
        return NOTHING_THERE
    request = AssignmentRequest(
        user_id=actor.user_id,
        organization_id=organization_id,
        amount=count,
        preferred_team_id=group_id,
    )
    session.add(request)
    if settings.auto_handle_requests and approval == RequestAutoApprove.AUTO_APPROVE:
        await hand_out(session, actor, _preferred(targets, group_id), count)
        request.status = "approved"
    elif settings.auto_handle_requests and approval == RequestAutoApprove.DO_NOT_APPROVE:
        request.status = "rejected"
    return CREATED


def _preferred(targets: list[Target], group_id: int) -> list[Target]:
    """That one first, if it is there."""
    return sorted(targets, key=lambda target: target.group_id != group_id)


async def find_new_contacts(
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
    *,
    assignment_id: int,
    number: int,
) -> FoundContact:
    """Fills one's own assignment up to `number` contacts without a first text, and to no more than
    it may hold. Only for whose requests need nobody's approval: others ask by `request_texts`.

    Raises Forbidden, InvalidInput, NotFound, SenderSuspended.
    """
    _require_number(number, "numberContacts")
    assignment = await session.get(Assignment, assignment_id)
    if assignment is None:
        raise NotFound("There is no such assignment.")
    if assignment.user_id != actor.user_id:
        raise Forbidden("Invalid assignment")
    campaign = await session.get_one(Campaign, assignment.campaign_id)
    approval = await _lock_approval(session, actor, campaign.organization_id)
    if not settings.auto_handle_requests or approval != RequestAutoApprove.AUTO_APPROVE:
        return FoundContact(found=False)
    [targets] = await targets_of_organizations(session, actor, [campaign.organization_id])
    given = await hand_out(
        session,
        actor,
        [target for target in targets if target.kind == FIRST_TEXTS],
        await _room(session, assignment, number),
        campaign_id=campaign.id,
    )
    return FoundContact(found=given > 0)


async def _room(session: AsyncSession, assignment: Assignment, number: int) -> int:
    """How many are missing."""
    mine = CampaignContact.assignment_id == assignment.id
    waiting = (CampaignContact.message_status == "needsMessage") & (
        CampaignContact.is_opted_out.is_(False)
    )
    held, to_text = (
        await session.execute(
            select(func.count(), func.count().filter(waiting)).where(
                mine, CampaignContact.archived.is_(False)
            )
        )
    ).one()
    room = number - to_text
    if assignment.max_contacts is not None:
        room = min(room, assignment.max_contacts - held)
    return max(room, 0)


def _require_number(number: int, name: str) -> None:
    if not 1 <= number <= MOST_TEXTS:
        raise InvalidInput(f"{name} must be from 1 to {MOST_TEXTS:,}.")


async def _lock_approval(session: AsyncSession, actor: Actor, organization_id: int) -> str:
    """One's requests are handled one after the other: two at once don't give twice as much."""
    found = await session.execute(
        select(Membership.role, Membership.request_status)
        .where(Membership.user_id == actor.user_id, Membership.organization_id == organization_id)
        .with_for_update(key_share=True)
    )
    membership = found.one_or_none()
    if membership is None:
        raise Forbidden
    if membership.role == Role.SUSPENDED:
        raise SenderSuspended("You don't have the permission to request texts")
    return str(membership.request_status)


async def release_my_replies(session: AsyncSession, actor: Actor, *, organization_id: int) -> None:
    """Gives back one's conversations there that wait for an answer, for others to take. For
    members. Raises Forbidden."""
    await require_role(session, actor, organization_id, Role.TEXTER)
    await session.execute(_RELEASE, {"user_id": actor.user_id, "organization_id": organization_id})


# In the order in which others lock contacts, too.
_RELEASE = text("""
with mine as (
  select contact.id from assignment
  join campaign on campaign.id = assignment.campaign_id
  join campaign_contact contact on contact.assignment_id = assignment.id
  where assignment.user_id = :user_id and campaign.organization_id = :organization_id
    and contact.message_status = 'needsResponse' and contact.archived = false
  order by contact.id
  for no key update of contact
)
update campaign_contact set assignment_id = null where id in (select id from mine)
""")
