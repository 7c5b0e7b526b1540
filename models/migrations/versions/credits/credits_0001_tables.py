"""Credits: accounts, purchases, the ledger, exhaustions, switches, notices, texts, tokens."""

from alembic import op

revision = "credits_0001"
down_revision = None
branch_labels = ("credits",)
depends_on = None

TABLES = """
create table credit_account (
  team_id integer primary key references organization (id),
  enabled boolean not null default false,
  balance bigint not null default 0,
  purchased bigint not null default 0,
  updated_at timestamptz not null default now()
) with (fillfactor = 50);

create table credit_purchase (
  id bigint generated always as identity primary key,
  team_id integer not null references organization (id),
  amount integer not null constraint credit_purchase_amount_check check (amount > 0),
  note text constraint credit_purchase_note_check check (char_length(note) between 1 and 1000),
  purchased_by integer references "user" (id) on delete set null,
  purchased_by_name text not null,
  idempotency_key text unique,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  removed_by integer references "user" (id) on delete set null,
  removed_by_name text,
  constraint credit_purchase_removal_check check ((removed_at is null) = (removed_by_name is null))
);
create index credit_purchase_team_id_index on credit_purchase (team_id, id);

create table credit_entry (
  team_id integer not null,
  id bigint generated always as identity,
  kind text not null,
  amount bigint not null,
  balance_after bigint not null,
  message_id bigint,
  purchase_id bigint,
  actor_id integer,
  created_at timestamptz not null default now(),
  primary key (team_id, id),
  constraint credit_entry_kind_check check (case kind
    when 'PURCHASE' then amount > 0 when 'REMOVAL' then amount < 0
    when 'SEND' then amount < 0 when 'GIVE_BACK' then amount > 0
    when 'SETTLEMENT' then amount <> 0 else false end),
  constraint credit_entry_cause_check check (case when kind in ('PURCHASE', 'REMOVAL')
    then purchase_id is not null and message_id is null
    else message_id is not null and purchase_id is null end)
);
create unique index credit_entry_message_once on credit_entry (team_id, message_id, kind)
  where message_id is not null;
create unique index credit_entry_purchase_once on credit_entry (team_id, purchase_id, kind)
  where purchase_id is not null;

create table credit_exhaustion (
  id bigint generated always as identity primary key,
  team_id integer not null references organization (id),
  reason text not null,
  remaining bigint not null,
  required bigint,
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  notices_made_at timestamptz,
  constraint credit_exhaustion_reason_check check (case reason
    when 'EXHAUSTED' then remaining <= 0
    when 'SHORT' then remaining > 0 and required > remaining else false end)
);
create unique index credit_exhaustion_one_open on credit_exhaustion (team_id)
  where closed_at is null;
create index credit_exhaustion_outbox on credit_exhaustion (id) where notices_made_at is null;

create table credit_switch (
  id bigint generated always as identity primary key,
  team_id integer not null references organization (id),
  enabled boolean not null,
  remaining bigint not null,
  switched_by integer references "user" (id) on delete set null,
  created_at timestamptz not null default now(),
  notices_made_at timestamptz
);
create index credit_switch_outbox on credit_switch (id)
  where enabled and remaining <= 0 and notices_made_at is null;

create table credit_notice (
  id bigint generated always as identity primary key,
  occasion text not null constraint credit_notice_occasion_check
    check (occasion in ('EXHAUSTED', 'SET_UP')),
  occasion_id bigint not null,
  team_id integer not null references organization (id),
  user_id integer references "user" (id) on delete set null,
  address text not null constraint credit_notice_address_check check (address = lower(address)),
  state text not null default 'QUEUED' constraint credit_notice_state_check
    check (state in ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'UNKNOWN')),
  attempts integer not null default 0,
  error text,
  provider_message_id text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  unique (occasion, occasion_id, address)
);
create index credit_notice_unfinished on credit_notice (id) where state in ('QUEUED', 'SENDING');
create unique index credit_notice_set_up_once_a_day
  on credit_notice (team_id, address, ((created_at at time zone 'UTC')::date))
  where occasion = 'SET_UP';

create table outbound_text (
  message_id bigint primary key,
  team_id integer not null,
  user_id integer not null,
  idempotency_key text,
  fingerprint bytea,
  state text not null default 'QUEUED' constraint outbound_text_state_check
    check (state in ('QUEUED', 'SENDING', 'UNKNOWN', 'DONE')),
  lease_until timestamptz,
  fence integer not null default 0,
  created_at timestamptz not null default now(),
  constraint outbound_text_key_has_fingerprint
    check ((idempotency_key is null) = (fingerprint is null))
);
create unique index outbound_text_key on outbound_text (user_id, idempotency_key)
  where idempotency_key is not null;
create index outbound_text_queue on outbound_text (message_id) where state = 'QUEUED';

create table api_token (
  id bigint generated always as identity primary key,
  user_id integer not null references "user" (id) on delete cascade,
  name text not null,
  token_hash bytea not null unique,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
"""

GUARDS = """
create function credits_refuse() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: it is append-only', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;
create trigger credit_entry_append_only before update or delete on credit_entry
  for each row execute function credits_refuse();
create trigger credit_entry_no_truncate before truncate on credit_entry
  for each statement execute function credits_refuse();
create trigger credit_purchase_no_delete before delete on credit_purchase
  for each row execute function credits_refuse();
create trigger credit_purchase_no_truncate before truncate on credit_purchase
  for each statement execute function credits_refuse();

create function credit_purchase_guard() returns trigger language plpgsql as $$
begin
  if old.removed_at is not null
    and (new.removed_at, new.removed_by_name) is distinct from (old.removed_at, old.removed_by_name)
  then
    raise exception 'credit purchase % has already been removed', old.id
      using errcode = 'restrict_violation';
  end if;
  if (new.id, new.team_id, new.amount, new.note, new.purchased_by_name, new.idempotency_key,
      new.created_at)
    is distinct from
     (old.id, old.team_id, old.amount, old.note, old.purchased_by_name, old.idempotency_key,
      old.created_at)
  then
    raise exception 'credit purchase % can be removed, not changed', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger credit_purchase_only_removed before update on credit_purchase
  for each row execute function credit_purchase_guard();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GUARDS)


# What `credits guard install` has put on a table of Spoke's, and which needs ours.
GUARD_OF_MESSAGES = """
drop trigger if exists credits_guard on message;
drop function if exists credits_guard();
drop function if exists credits_guard_charge(integer[], integer);
drop function if exists credits_guard_dearest(text, integer);
"""


def downgrade() -> None:
    op.execute(GUARD_OF_MESSAGES)
    op.execute(
        "drop table api_token, outbound_text, credit_notice, credit_switch, credit_exhaustion, "
        "credit_entry, credit_purchase, credit_account"
    )
    op.execute("drop function credits_refuse(), credit_purchase_guard()")
