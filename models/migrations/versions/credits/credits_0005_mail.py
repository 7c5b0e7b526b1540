"""Mail: warnings of teams that run low, who wants none, and what SendGrid reports."""

from alembic import op

revision = "credits_0005"
down_revision = "credits_0004"
branch_labels = None
depends_on = None

TABLES = """
alter table credit_account
  add bought_since_empty bigint not null default 0
    constraint credit_account_bought_check check (bought_since_empty >= 0),
  add low_level smallint not null default 0,
  add low_credits bigint constraint credit_account_low_credits_check check (low_credits > 0),
  add low_mail boolean not null default true;

create table credit_warning (
  id bigint generated always as identity primary key,
  team_id integer not null references organization (id),
  remaining bigint not null,
  threshold bigint not null,
  created_at timestamptz not null default now(),
  notices_made_at timestamptz,
  constraint credit_warning_remaining_check check (remaining between 1 and threshold)
);
create index credit_warning_outbox on credit_warning (id) where notices_made_at is null;

create table credit_mail_mute (
  team_id integer not null references organization (id),
  address text not null constraint credit_mail_mute_address_check check (address = lower(address)),
  created_at timestamptz not null default now(),
  primary key (team_id, address)
);

alter table credit_notice
  add delivered_at timestamptz,
  drop constraint credit_notice_occasion_check,
  drop constraint credit_notice_state_check,
  add constraint credit_notice_occasion_check
    check (occasion in ('EXHAUSTED', 'RUNNING_LOW', 'SET_UP')),
  add constraint credit_notice_state_check
    check (state in ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'UNKNOWN', 'OBSOLETE',
      'DELIVERED', 'BOUNCED', 'DROPPED'));
create index credit_notice_team_id_index on credit_notice (team_id, id);

create table credit_notice_event (
  sg_event_id text primary key,
  notice_id bigint not null references credit_notice (id) on delete cascade,
  kind text not null,
  reason text,
  happened_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index credit_notice_event_notice_id_index on credit_notice_event (notice_id);
"""

# As if it had been counted all along: what was bought since the team last ran out. Who is low
# already counts as warned: an upgrade is no occasion for mail.
ACCOUNTS = """
update credit_account a
set bought_since_empty = greatest(balance, 0, (
  select sum(amount) from credit_purchase p
  where p.team_id = a.team_id and removed_at is null and created_at > coalesce(
    (select max(opened_at) from credit_exhaustion e where e.team_id = a.team_id), '-infinity')));
update credit_account set low_level = (
  select count(*) from unnest(array[20, 5]) as percentage
  where balance <= bought_since_empty * percentage / 100)
where balance > 0;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ACCOUNTS)


def downgrade() -> None:
    op.execute("drop table credit_notice_event, credit_mail_mute, credit_warning")
    op.execute("drop index credit_notice_team_id_index")
    op.execute("delete from credit_notice where occasion = 'RUNNING_LOW' or state = 'OBSOLETE'")
    op.execute("""
      update credit_notice set state = case state when 'DELIVERED' then 'SENT' else 'FAILED' end
      where state in ('DELIVERED', 'BOUNCED', 'DROPPED')
    """)
    op.execute("""
      alter table credit_notice
        drop delivered_at,
        drop constraint credit_notice_occasion_check,
        drop constraint credit_notice_state_check,
        add constraint credit_notice_occasion_check check (occasion in ('EXHAUSTED', 'SET_UP')),
        add constraint credit_notice_state_check
          check (state in ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'UNKNOWN'))
    """)
    op.execute("""
      alter table credit_account
        drop bought_since_empty, drop low_level, drop low_credits, drop low_mail
    """)
