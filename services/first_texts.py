"""What a campaign's first texts cost: to each contact still to be texted, the dearest option of its
first script with the contact's own fields, counted like the debit."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.scripts import CampaignVariable, InteractionStep
from services.campaigns import custom_fields_of_campaigns
from services.scripts import LONGEST, Recipient, Script, Variable, fill_in, title_case
from services.segments import UCS_2_JOINED, Cost, Encoding, as_sent, cost_of, measure
from services.settings import Settings

MOST_COUNTED = 50_000
"""Contacts up to which each is looked at; beyond, SAMPLE of them, chosen at random."""
SAMPLE = 20_000
PAGE = 200
SECONDS_AT_A_TIME = 0.002
"""How long the event loop is held before others have it for as long."""
CONFIDENCE = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""
UNWRITTEN = Cost(credits=1, segments=1, media=0)
"""What a text costs at least, where there is no script yet."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`credits` is off by `margin` at most, 95 times in 100. `sampled`: how many contacts were
    looked at, None for all."""

    contacts: int
    credits: int
    margin: int
    sampled: int | None
    dearest_contact_id: int | None


async def count_credits(
    session: AsyncSession,
    settings: Settings,
    *,
    campaign_id: int,
    team_id: int,
    most_counted: int = MOST_COUNTED,
    sample: int = SAMPLE,
) -> Figures:
    """Takes seconds, holds ids and a page of contacts, and lets others have the event loop. The
    session's transaction must be a snapshot (REPEATABLE READ)."""
    script = await read_script(session, campaign_id)
    share = settings.optouts_share_all_orgs
    asked = {"campaign_id": campaign_id, "team_id": team_id}
    contacts: int = (await session.execute(_count(share), asked)).scalar_one()
    is_sampled = contacts > most_counted
    texter = await _unassigned_texter(session, campaign_id, team_id)
    most = sample if is_sampled else contacts
    ids = (await session.scalars(_chosen(share, is_sampled), {**asked, "most": most})).all()
    counts, dearest_contact_id = await _counted(session, ids, texter, script, settings)
    longest = math.ceil(settings.max_message_length / UCS_2_JOINED)
    credits, margin = extrapolated(counts, contacts, dearest=max(longest, settings.mms_credits))
    sampled = counts.total() if is_sampled else None
    return Figures(contacts, credits, margin, sampled, dearest_contact_id)


async def _counted(
    session: AsyncSession,
    ids: Sequence[int],
    texter: dict[str, str],
    script: Script,
    settings: Settings,
) -> tuple[Counter[int], int | None]:
    """How many texts cost so much, and to which contact the dearest goes."""
    counts: Counter[int] = Counter()
    dearest = (0, 0)
    turn_ends = 0.0
    for start in range(0, len(ids), PAGE):
        page = {**texter, "ids": ids[start : start + PAGE]}
        for row in await session.execute(_RECIPIENTS, page):
            if time.perf_counter() > turn_ends:
                await asyncio.sleep(SECONDS_AT_A_TIME)
                turn_ends = time.perf_counter() + SECONDS_AT_A_TIME
            _, cost = first_text(script, Recipient._make(row[1:]), settings)
            counts[cost.credits] += 1
            dearest = max(dearest, (cost.credits, -row[0]))
    return counts, -dearest[1] or None


def first_text(script: Script, recipient: Recipient | None, settings: Settings) -> tuple[str, Cost]:
    """The dearest that this contact can get, and what it costs. Cut where MAX_MESSAGE_LENGTH is:
    nothing longer is ever sent."""
    filled = (fill_in(option, script, recipient) for option in script.options)
    texts = (as_sent(one)[: settings.max_message_length] for one in filled if one.strip())
    costed = ((one, cost_of(one, mms_credits=settings.mms_credits)) for one in texts)
    return max(costed, key=lambda pair: pair[1].credits, default=("", UNWRITTEN))


def extrapolated(counts: Counter[int], contacts: int, *, dearest: int) -> tuple[int, int]:
    """Credits for all `contacts`, and the margin of error, from how many of those that were looked
    at cost so much. `dearest`: what a text can cost at most.

    The second term under the root is for what is so rare that hardly any of it was looked at, where
    the first, of the normal distribution, falls short (Wilson's interval has it).
    """
    seen = counts.total()
    total = sum(credits * times for credits, times in counts.items())
    if seen == contacts:
        return total, 0
    mean = total / seen
    variance = sum(times * (credits - mean) ** 2 for credits, times in counts.items()) / (seen - 1)
    common = CONFIDENCE**2 * variance / seen
    rare = (CONFIDENCE**2 * (dearest - min(counts)) / seen) ** 2
    not_seen = (contacts - seen) / (contacts - 1)
    return round(mean * contacts), math.ceil(contacts * math.sqrt(not_seen * (common + rare)))


async def read_script(session: AsyncSession, campaign_id: int) -> Script:
    options = await session.scalar(
        select(InteractionStep.script_options)
        .where(
            InteractionStep.campaign_id == campaign_id,
            InteractionStep.parent_interaction_id.is_(None),
            ~InteractionStep.is_deleted,
        )
        .order_by(InteractionStep.created_at.desc(), InteractionStep.id.desc())
        .limit(1)
    )
    variables = await session.execute(
        select(CampaignVariable.name, CampaignVariable.value)
        .where(CampaignVariable.campaign_id == campaign_id, CampaignVariable.deleted_at.is_(None))
        .order_by(CampaignVariable.id)
    )
    [custom_fields] = await custom_fields_of_campaigns(session, [campaign_id])
    return Script(
        options=[option[:LONGEST] for option in options or () if option],
        custom_fields=custom_fields,
        variables=[Variable(*row) for row in variables],
    )


async def dearest_text(
    session: AsyncSession,
    settings: Settings,
    *,
    campaign_id: int,
    team_id: int,
    contact_id: int | None,
) -> tuple[str, Cost]:
    """To this contact; to nobody, as the script is written. Empty where there is no script."""
    script = await read_script(session, campaign_id)
    texter = await _unassigned_texter(session, campaign_id, team_id)
    row = (await session.execute(_RECIPIENTS, {**texter, "ids": [contact_id]})).first()
    return first_text(script, Recipient(*row[1:]) if row else None, settings)


async def _unassigned_texter(
    session: AsyncSession, campaign_id: int, team_id: int
) -> dict[str, str]:
    """Whose name stands in texts to contacts that nobody has taken yet: the dearest among the
    campaign's texters, else among the team's members."""
    asked = {"campaign_id": campaign_id, "team_id": team_id}
    people = (await session.execute(_PEOPLE, asked)).all()
    names = [(one.first_name, one.last_name) for one in people if one.is_texter]
    first_name, last_name = dearest_name(names or [(one[0], one[1]) for one in people])
    return {"first_name": first_name, "last_name": last_name}


def dearest_name(names: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """First and last. One outside of GSM-7 may double what a text costs, however short it is. First
    names decide: scripts rarely have others."""
    return max(names, key=lambda name: [_dearness(part) for part in name], default=("", ""))


def _dearness(name: str) -> tuple[bool, int]:
    measured = measure(title_case(name))
    return measured.encoding is Encoding.UCS_2, measured.characters_used


# So many that the dearest name is among them, unless hundreds have accents in theirs.
_PEOPLE = text("""
select first_name, last_name, is_texter from (
  select u.first_name, u.last_name, true as is_texter
  from assignment a join "user" u on u.id = a.user_id where a.campaign_id = :campaign_id
  union
  select u.first_name, u.last_name, false
  from user_organization m join "user" u on u.id = m.user_id
  where m.organization_id = :team_id and m.role <> 'SUSPENDED'
) people
order by is_texter desc, octet_length(first_name) > char_length(first_name) desc,
  char_length(first_name) desc, char_length(last_name) desc
limit 500
""")

_TO_BE_TEXTED = """
from campaign_contact c
where c.campaign_id = :campaign_id and c.archived = false and c.message_status = 'needsMessage'
  and c.is_opted_out is not true
  and not exists (
    select from opt_out o where o.cell = c.cell and ({share} or o.organization_id = :team_id)
  )
"""

# After the id, the fields of Recipient, in order.
_RECIPIENTS = text("""
select c.id, c.first_name, c.last_name, c.cell, c.zip, c.external_id, c.custom_fields,
  coalesce(texter.first_name, :first_name), coalesce(texter.last_name, :last_name)
from campaign_contact c
left join assignment on assignment.id = c.assignment_id
left join "user" texter on texter.id = assignment.user_id
where c.id = any(cast(:ids as int[]))
""")


@cache
def _count(share: bool) -> TextClause:
    """`share`: an opt-out counts for all teams."""
    return text(f"select count(*) {_TO_BE_TEXTED.format(share=str(share).lower())}")


@cache
def _chosen(share: bool, is_sampled: bool) -> TextClause:
    """Whose texts are looked at."""
    order = "random()" if is_sampled else "c.id"
    chosen = _TO_BE_TEXTED.format(share=str(share).lower())
    return text(f"select c.id {chosen} order by {order} limit :most")
