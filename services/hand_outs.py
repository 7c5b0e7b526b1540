"""Handing contacts that nobody has to texters who ask for some.

By Spoke's rules: a campaign must be started, with auto-assignment on; first texts are handed out
until its due date and not while Spoke sends them by itself; and only what can still be texted for
some minutes. An organization chooses a kind for everybody's pool, without which nothing is handed
out; besides there are groups of texters (Spoke's table `team`) with a kind and campaigns of their
own. Conversations that an escalation tag has taken from their texter go to groups with that tag.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.organizations import Organization
from models.users import Membership
from services.access import Actor, Role
from services.organization_settings import features_of

EVERYBODY = -1
"""In place of a group's id: the pool of the whole organization. As in Spoke."""
FIRST_TEXTS = "UNSENT"
REPLIES = "UNREPLIED"


class Target(NamedTuple):
    """Something there is to text. `kind`: FIRST_TEXTS or REPLIES; `most`: contacts at once, of
    which 0 are none."""

    organization_id: int
    group_id: int
    group_title: str
    kind: str
    most: int

    @property
    def max_request_count(self) -> int | None:
        return self.most or None


async def targets_of_organizations(
    session: AsyncSession, actor: Actor, organization_ids: Sequence[int]
) -> list[list[Target]]:
    """For each organization what the actor may ask for, that of the most important group first.

    Nothing for who isn't a member, or is suspended there. Two statements."""
    organizations = await session.scalars(
        select(Organization)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(
            Organization.id.in_(organization_ids),
            Membership.user_id == actor.user_id,
            Membership.role != Role.SUSPENDED,
        )
    )
    pools = [pool for o in organizations if (pool := _everybodys(o.id, features_of(o)))]
    found: dict[int, list[Target]] = defaultdict(list)
    if pools:
        rows = await session.execute(_TARGETS, _columns(pools) | {"user_id": actor.user_id})
        for row in rows:
            found[row.organization_id].append(Target(*row))
    return [found[organization_id] for organization_id in organization_ids]


class _Pool(NamedTuple):
    """What everybody in an organization may ask for, once it is enabled."""

    organization_id: int
    kind: str
    most: int
    is_enabled: bool


def _everybodys(organization_id: int, features: Mapping[str, Any]) -> _Pool | None:
    """None: the organization hasn't chosen, so nothing is handed out there, to groups neither."""
    kind = features.get("textRequestType")
    if kind not in (FIRST_TEXTS, REPLIES):
        return None
    most = features.get("textRequestMaxCount")
    return _Pool(
        organization_id,
        kind,
        most if isinstance(most, int) and 0 < most < 2**31 else 0,
        features.get("textRequestFormEnabled") is True,
    )


def _columns(pools: Sequence[_Pool]) -> dict[str, list[Any]]:
    return {name: [getattr(pool, name) for pool in pools] for name in _Pool._fields}


async def hand_out(
    session: AsyncSession,
    actor: Actor,
    targets: Sequence[Target],
    number: int,
    *,
    campaign_id: int | None = None,
) -> int:
    """Gives the actor so many contacts at most, of the first target as long as there are any.
    Returns how many. `campaign_id`: of this one alone.

    A contact goes to one texter, however many ask at once, and nobody waits: what somebody has
    locked is passed over.
    """
    number = min(number, targets[0].most) if targets else 0
    given = 0
    for target in targets:
        if given == number:
            break
        wanted = {
            **target._asdict(),
            "user_id": actor.user_id,
            "campaign_id": campaign_id,
            "number": min(number - given, target.most),
        }
        given += len((await session.execute(_HAND_OUT, wanted)).all())
    return given


_OF_GROUP = """exists (
  select from campaign_team
  where campaign_team.campaign_id = campaign.id and campaign_team.team_id = target.group_id
)"""
_ESCALATION = """
  select from campaign_contact_tag join tag on tag.id = campaign_contact_tag.tag_id
  where campaign_contact_tag.campaign_contact_id = contact.id and not tag.is_assignable
"""
_MINE = """
  select from team_escalation_tags
  join team on team.id = team_escalation_tags.team_id and team.is_assignment_enabled
  join user_team on user_team.team_id = team.id and user_team.user_id = :user_id
  where team_escalation_tags.tag_id = tag.id
"""
# A campaign after the other, and of each no more contacts than are needed: in one join, PostgreSQL
# would look through all that are nobody's.
_CAMPAIGNS = f"""
select campaign.*, takes.others, takes.escalated from campaign
cross join lateral (
  select
    case target.group_id when {EVERYBODY} then not campaign.limit_assignment_to_teams
      else {_OF_GROUP} end as others,
    target.kind = '{REPLIES}' and target.group_id <> {EVERYBODY}
      and (not campaign.limit_assignment_to_teams or {_OF_GROUP}) as escalated
) takes
where (takes.others or takes.escalated) and campaign.organization_id = target.organization_id
  and campaign.is_started and campaign.is_archived is not true and campaign.is_autoassign_enabled
  and (target.kind = '{REPLIES}' or campaign.autosend_status is distinct from 'sending')
  and (target.kind = '{REPLIES}' or campaign.due_by is null or now() <= date_trunc(
    'day', (campaign.due_by + interval '1 day') at time zone campaign.timezone
  ) at time zone campaign.timezone)
order by campaign.id
"""
# After midnight it is early again: the hour some minutes from now says nothing by itself.
_CONTACTS = f"""
select contact.id from campaign_contact contact
cross join lateral (
  select now() at time zone coalesce(nullif(contact.timezone, ''), campaign.timezone) as now
) there
where contact.campaign_id = campaign.id
  and contact.archived = false and contact.assignment_id is null and contact.is_opted_out = false
  and contact.message_status =
    case target.kind when '{REPLIES}' then 'needsResponse' else 'needsMessage' end
  and extract(hour from there.now) >= campaign.texting_hours_start
  and extract(hour from there.now) < campaign.texting_hours_end
  and extract(hour from there.now + interval '1 minute' *
    case target.kind when '{REPLIES}' then 2 else 10 end) < campaign.texting_hours_end
  and case when exists ({_ESCALATION})
    then campaign.escalated and not exists ({_ESCALATION} and not exists ({_MINE}))
    else campaign.others end
"""

_TARGETS = text(f"""
with pool as (
  select * from unnest(cast(:organization_id as int[]), cast(:kind as text[]),
    cast(:most as int[]), cast(:is_enabled as boolean[]))
    as pool (organization_id, kind, most, is_enabled)
),
target as (
  select organization_id, team.id as group_id, title as group_title, assignment_type as kind,
    greatest(coalesce(max_request_count, 0), 0) as most,
    coalesce(assignment_priority, 500)::float as priority
  from pool join team using (organization_id) join user_team on user_team.team_id = team.id
  where user_team.user_id = :user_id and is_assignment_enabled and assignment_type is not null
  union all
  select organization_id, {EVERYBODY}, 'General', kind, most, 'infinity' from pool where is_enabled
)
select target.organization_id, group_id, group_title, kind, most from target
cross join lateral (
  select from ({_CAMPAIGNS}) campaign cross join lateral ({_CONTACTS} limit 1) somebody limit 1
) something
order by priority, group_id
""")

_HAND_OUT = text(f"""
with target as (
  select cast(:organization_id as int) as organization_id, cast(:group_id as int) as group_id,
    cast(:kind as text) as kind
),
taken as (
  select somebody.id, campaign.id as campaign_id
  from target cross join lateral ({_CAMPAIGNS}) campaign
  cross join lateral (
    {_CONTACTS} limit :number for no key update of contact skip locked
  ) somebody
  where campaign.id = coalesce(cast(:campaign_id as int), campaign.id)
  limit :number
),
assigned as (
  insert into assignment (user_id, campaign_id)
  select distinct cast(:user_id as int), campaign_id from taken
  on conflict (user_id, campaign_id) do update set updated_at = now()
  returning id, campaign_id
)
update campaign_contact set assignment_id = assigned.id
from taken join assigned using (campaign_id)
where campaign_contact.id = taken.id
returning campaign_contact.id
""")
