"""The usage roll-up: how it is added to, proved and mended.

Everybody adds differences, in the transaction that brings them about, and nobody writes a figure
that they have read before: so it stays exact whoever is first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services import clock
from services.errors import InvalidInput

REBUILT_DAYS = 7
"""Reports about texts that Spoke's own workers sent hardly ever come later."""
MOST_DAYS = 36_500
_LOCK_KEY = 7_241_963_002

ADD_USAGE = """
insert into usage_day as kept (team_id, day, campaign_id, is_ours,
  texts, segments, media_texts, failed, credits_used)
select team_id, day, campaign_id, is_ours, texts, segments, media_texts, failed, credits_used
from usage_change order by team_id, day, campaign_id, is_ours
on conflict (team_id, day, campaign_id, is_ours) do update set
  texts = kept.texts + excluded.texts,
  segments = kept.segments + excluded.segments,
  media_texts = kept.media_texts + excluded.media_texts,
  failed = kept.failed + excluded.failed,
  credits_used = kept.credits_used + excluded.credits_used
"""
"""Adds what the CTE `usage_change` of the same statement says: it has these columns, figures that
may be negative, and each key once. Rows are locked in the order of their keys, after accounts,
contacts and messages, so that nobody deadlocks."""


@dataclass(frozen=True, slots=True)
class UsageChange:
    """What would make a row of the roll-up right. Figures may be negative."""

    team_id: int
    day: date
    campaign_id: int
    is_ours: bool
    texts: int
    segments: int
    media_texts: int
    failed: int
    credits_used: int

    def __str__(self) -> str:
        whose = "texts that we accepted" if self.is_ours else "texts of Spoke's own"
        figures = {name: getattr(self, name) for name in UsageChange.__slots__[4:]}
        wrong = ", ".join(f"{name} {lacking:+}" for name, lacking in figures.items() if lacking)
        return (
            f"team {self.team_id}, campaign {self.campaign_id}, {self.day} (UTC), {whose}: "
            f"to be right, {wrong}"
        )


async def verify_usage(session: AsyncSession, *, days: int | None = None) -> Sequence[UsageChange]:
    """Compares the roll-up of the last so many days, or all, with messages and ledger entries, in
    one snapshot: texts that are sent meanwhile make no difference. Raises InvalidInput."""
    rows = await session.execute(text(_VERIFY), {"since": _first_day(days), "with_ours": True})
    return [UsageChange(*row) for row in rows]


async def rebuild_usage(
    session: AsyncSession, *, days: int | None = REBUILT_DAYS, with_ours: bool
) -> Sequence[UsageChange]:
    """Makes the roll-up of the last so many days, or all, what messages and ledger entries say.
    Returns what had to be changed. Raises InvalidInput.

    Texts of Spoke's own workers come in by this alone. Those that we accepted, `with_ours`, are
    right unless somebody else has changed them. Texts may be sent meanwhile: see ADD_USAGE.
    """
    chosen = {"since": _first_day(days), "with_ours": with_ours}
    # Two at the same time would add the same differences twice.
    await session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    rows = await session.execute(text(_REBUILD), chosen)
    return [UsageChange(*row) for row in rows]


def _first_day(days: int | None) -> date | None:
    """Of so many, today included."""
    if days is None:
        return None
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"days must be from 1 to {MOST_DAYS:,}.")
    return clock.now().date() - timedelta(days=days - 1)


_CHANGE = """
with sent as (
  select m.id, c.organization_id as team_id, (m.created_at at time zone 'UTC')::date as day,
    c.id as campaign_id, q.message_id is not null as is_ours,
    coalesce(m.num_segments, 1) as segments, coalesce(m.num_media, 0) > 0 as has_media,
    m.send_status in ('ERROR', 'NOT_ATTEMPTED') as has_failed
  from message m
  join assignment a on a.id = m.assignment_id
  join all_campaign c on c.id = a.campaign_id
  left join outbound_text q on q.message_id = m.id
  where not m.is_from_contact and (:with_ours or q.message_id is null)
    and m.created_at >= coalesce(cast(:since as date), '-infinity')::timestamp at time zone 'UTC'
),
counted as (
  select team_id, day, campaign_id, is_ours, count(*) as texts, sum(segments) as segments,
    count(*) filter (where has_media) as media_texts, count(*) filter (where has_failed) as failed,
    0 as credits_used
  from sent group by team_id, day, campaign_id, is_ours
  union all
  select sent.team_id, day, campaign_id, is_ours, 0, 0, 0, 0, -sum(amount)
  from sent join credit_entry e on e.team_id = sent.team_id and e.message_id = sent.id
  group by sent.team_id, day, campaign_id, is_ours
  union all
  select team_id, day, campaign_id, is_ours, -texts, -segments, -media_texts, -failed,
    -credits_used
  from usage_day
  where (:with_ours or not is_ours) and day >= coalesce(cast(:since as date), '-infinity')
),
usage_change as materialized (
  select team_id, day, campaign_id, is_ours, sum(texts)::bigint as texts,
    sum(segments)::bigint as segments, sum(media_texts)::bigint as media_texts,
    sum(failed)::bigint as failed, sum(credits_used)::bigint as credits_used
  from counted group by team_id, day, campaign_id, is_ours
  having (sum(texts), sum(segments), sum(media_texts), sum(failed), sum(credits_used))
    <> (0, 0, 0, 0, 0)
)
"""
_SHOW = "select * from usage_change order by team_id, day, campaign_id, is_ours"
_VERIFY = _CHANGE + _SHOW
_REBUILD = f"{_CHANGE}, added as ({ADD_USAGE}) {_SHOW}"
