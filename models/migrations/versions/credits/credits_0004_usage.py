"""Usage: a roll-up of texts by day and campaign, and what was texted before it."""

from alembic import op

revision = "credits_0004"
down_revision = "credits_0003"
branch_labels = None
depends_on = None

TABLE = """
create table usage_day (
  team_id integer not null,
  day date not null,
  campaign_id integer not null,
  is_ours boolean not null,
  texts bigint not null default 0,
  segments bigint not null default 0,
  media_texts bigint not null default 0,
  failed bigint not null default 0,
  credits_used bigint not null default 0,
  primary key (team_id, day, campaign_id, is_ours)
) with (fillfactor = 50);
"""

HISTORY = """
with sent as (
  select m.id, c.organization_id as team_id, c.id as campaign_id,
    (m.created_at at time zone 'UTC')::date as day, q.message_id is not null as is_ours,
    coalesce(m.num_segments, 1) as segments, coalesce(m.num_media > 0, false) as has_media,
    m.send_status in ('ERROR', 'NOT_ATTEMPTED') as has_failed
  from message m
  join assignment a on a.id = m.assignment_id
  join all_campaign c on c.id = a.campaign_id
  left join outbound_text q on q.message_id = m.id
  where not m.is_from_contact
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
)
insert into usage_day (team_id, day, campaign_id, is_ours,
  texts, segments, media_texts, failed, credits_used)
select team_id, day, campaign_id, is_ours,
  sum(texts), sum(segments), sum(media_texts), sum(failed), sum(credits_used)
from counted group by team_id, day, campaign_id, is_ours
"""

INDEX = "create index usage_day_day_index on usage_day (day)"


def upgrade() -> None:
    """Reads every message once, and makes nobody wait: the worker mends what is texted meanwhile by
    a server that doesn't keep the roll-up yet."""
    op.execute("set local statement_timeout = 0")
    op.execute(TABLE)
    op.execute(HISTORY)
    op.execute(INDEX)


def downgrade() -> None:
    op.execute("drop table usage_day")
