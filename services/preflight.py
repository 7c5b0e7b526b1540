"""Before a campaign is texted: will the credits do?

Counting takes seconds, so whoever asks gets the last figures with their age, and a row says that
new ones are wanted. A worker claims it, counts (see first_texts.py) and records what it found.
However many ask, it is one row for a campaign, and one count at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Update, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.estimates import CampaignEstimate
from services import clock
from services.access import Actor, Role, has_role
from services.errors import Forbidden
from services.first_texts import Figures
from services.teams import Team, require_visible

MOST_AGE = timedelta(minutes=10)
MOST_REQUESTS = 20
"""For new counts, by one question: a list of campaigns must not take the worker for itself."""
LEASE = timedelta(minutes=1)
"""A worker that doesn't renew its claim for so long is taken for dead."""
PAUSE = timedelta(minutes=5)
"""Before a campaign that couldn't be counted is tried again."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`credits_needed` is off by `credits_needed_margin` at most, 95 times in 100; by nothing where
    each contact was looked at. `is_computing`: newer figures are on their way."""

    campaign_id: int
    team_id: int
    contacts: int
    credits_needed: int
    credits_needed_margin: int
    is_sampled: bool
    dearest_contact_id: int | None
    computed_at: datetime
    is_computing: bool

    @property
    def age_seconds(self) -> int:
        return max(0, int((clock.now() - self.computed_at).total_seconds()))

    def is_covered_by(self, team: Team) -> bool:
        """Even if all of the margin is needed too."""
        needed = self.credits_needed + self.credits_needed_margin
        return not team.credits_enabled or needed <= max(team.remaining, 0)


@dataclass(frozen=True, slots=True)
class Claim:
    """A count that a worker has taken on. `fence` tells it from those before and after it."""

    campaign_id: int
    team_id: int
    fence: int
    claimed_at: datetime
    fingerprint: str


def require_estimate_visible(actor: Actor, team: Team | None) -> Team:
    """For the team's SUPERVOLUNTEERs and above, and superadmins. Raises Forbidden, NotFound."""
    team = require_visible(actor, team)
    if not actor.is_superadmin and not has_role(team.role, Role.SUPERVOLUNTEER):
        raise Forbidden
    return team


async def estimates_of_campaigns(
    session: AsyncSession, campaign_ids: Sequence[int]
) -> list[Estimate | None]:
    """For each campaign the last figures, None where there are none yet. One statement.

    Asks for new ones where there are none, or they are old, or the campaign was changed since; for
    MOST_REQUESTS at most, those without figures first: the others come when they are asked for
    again. An archived campaign needs nothing, and isn't counted.
    """
    asked = {"campaign_ids": list(campaign_ids), "most_age": MOST_AGE}
    rows = await session.execute(_ASK, asked)
    found = {row.campaign_id: Estimate(*row) for row in rows if row.computed_at is not None}
    return [found.get(campaign_id) for campaign_id in campaign_ids]


async def claim_estimate(session: AsyncSession) -> Claim | None:
    """The oldest wish that no living worker sees to, if there is one; those for the first figures
    of a campaign come first."""
    row = (await session.execute(_CLAIM, {"lease": LEASE})).first()
    return Claim(*row) if row else None


async def renew_claim(session: AsyncSession, claim: Claim) -> None:
    await session.execute(_of_claim(claim).values(lease_until=func.now() + LEASE))


async def put_off(session: AsyncSession, claim: Claim) -> None:
    """Not at once, and then as the newest wish: what fails now may fail each time."""
    later = _of_claim(claim).values(requested_at=func.now(), lease_until=func.now() + PAUSE)
    await session.execute(later)


async def record_estimate(session: AsyncSession, claim: Claim, figures: Figures) -> bool:
    """False where another worker has taken it over. The figures are as old as the claim."""
    recorded = await session.scalar(
        _of_claim(claim)
        .values(
            requested_at=None,
            lease_until=None,
            computed_at=claim.claimed_at,
            contacts=figures.contacts,
            credits=figures.credits,
            margin=figures.margin,
            sampled=figures.sampled,
            dearest_contact_id=figures.dearest_contact_id,
            fingerprint=claim.fingerprint,
        )
        .returning(CampaignEstimate.campaign_id)
    )
    return recorded is not None


def _of_claim(claim: Claim) -> Update:
    """Changes nothing where another worker has taken it over."""
    return update(CampaignEstimate).where(
        CampaignEstimate.campaign_id == claim.campaign_id, CampaignEstimate.fence == claim.fence
    )


# What the figures of campaign c rest on, as far as that is quickly told: whether there are contacts
# at all, but not which. The figures don't grow older than MOST_AGE in any case.
_FINGERPRINT = """
encode(sha256(convert_to(jsonb_build_array(
  extract(epoch from c.updated_at),
  (
    select script_options from interaction_step step
    where step.campaign_id = c.id and parent_interaction_id is null and not is_deleted
    order by step.created_at desc, step.id desc limit 1
  ),
  (
    select jsonb_agg(jsonb_build_array(name, value) order by variable.id)
    from campaign_variable variable
    where variable.campaign_id = c.id and deleted_at is null
  ),
  exists (select from campaign_contact contact where contact.campaign_id = c.id)
)::text, 'UTF8')), 'hex')
"""

# The columns are the fields of Estimate, in order. Of an archived campaign nobody can be texted:
# whatever is kept of it doesn't count, and at this moment it needs nothing.
_ASK = text(f"""
with asked as (
  select c.id as campaign_id, c.organization_id as team_id, coalesce(contacts, 0) as contacts,
    coalesce(credits, 0) as credits, coalesce(margin, 0) as margin,
    sampled is not null as is_sampled, dearest_contact_id,
    case when c.is_archived then now() else computed_at end as computed_at,
    requested_at is not null as is_requested,
    c.is_archived is not true and (
      coalesce(computed_at < now() - :most_age, true) or fingerprint <> {_FINGERPRINT}
    ) as is_wanted
  from all_campaign c
  left join campaign_estimate e on e.campaign_id = c.id and c.is_archived is not true
  where c.id = any(:campaign_ids)
),
chosen as (
  select campaign_id from asked where is_wanted and not is_requested
  order by computed_at nulls first, campaign_id limit {MOST_REQUESTS}
),
request as (
  insert into campaign_estimate (campaign_id, requested_at)
  select campaign_id, now() from chosen order by campaign_id
  on conflict (campaign_id) do update set requested_at = excluded.requested_at
  where campaign_estimate.requested_at is null
)
select campaign_id, team_id, contacts, credits, margin, is_sampled, dearest_contact_id, computed_at,
  is_wanted or is_requested as is_computing
from asked
""")

# The columns are the fields of Claim, in order.
_CLAIM = text(f"""
update campaign_estimate e set lease_until = now() + :lease, fence = fence + 1
from (
  select campaign_id from campaign_estimate
  where requested_at is not null and coalesce(lease_until < now(), true)
  order by computed_at is not null, requested_at, campaign_id limit 1 for update skip locked
) chosen join all_campaign c on c.id = chosen.campaign_id
where e.campaign_id = chosen.campaign_id
returning e.campaign_id, c.organization_id, e.fence, now(), {_FINGERPRINT}
""")
