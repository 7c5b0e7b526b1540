"""The part of Spoke's tables that credits and sending need, as a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0001"
down_revision = None
branch_labels = ("spoke",)
depends_on = None

TABLES = """
create extension if not exists citext;

create type texter_status as enum ('do_not_approve', 'approval_required', 'auto_approve');

create table "user" (
  id serial primary key,
  auth0_id text not null,
  first_name text not null,
  last_name text not null,
  cell text not null,
  email citext not null unique,
  created_at timestamptz not null default now(),
  assigned_cell text,
  is_superadmin boolean,
  terms boolean default false,
  updated_at timestamptz default now(),
  notification_frequency text not null default 'DAILY'
    constraint user_notification_frequency_check
    check (notification_frequency in ('ALL', 'PERIODIC', 'DAILY', 'NONE')),
  is_suspended boolean not null default false
);

create table user_session (
  sid text primary key,
  sess json not null,
  expire timestamptz not null,
  user_id integer generated always as (((sess -> 'passport') ->> 'user')::integer) stored
);

create table organization (
  id serial primary key,
  uuid text,
  name text not null,
  created_at timestamptz not null default now(),
  features text default '',
  texting_hours_enforced boolean default false,
  texting_hours_start integer default 9,
  texting_hours_end integer default 21,
  updated_at timestamptz default now(),
  monthly_message_limit bigint,
  default_texting_tz varchar(255) not null default 'America/New_York',
  deleted_at timestamptz,
  deleted_by integer references "user" (id),
  autosending_mps integer
);

create table user_organization (
  id serial primary key,
  user_id integer not null references "user" (id),
  organization_id integer not null references organization (id),
  role text not null constraint user_organization_role_check
    check (role in ('OWNER', 'ADMIN', 'SUPERVOLUNTEER', 'TEXTER', 'SUSPENDED')),
  updated_at timestamptz default now(),
  request_status texter_status not null default 'approval_required',
  unique (user_id, organization_id)
);
create index user_organization_organization_id_index on user_organization (organization_id);

create table monthly_organization_message_usages (
  month date not null,
  organization_id integer not null references organization (id),
  sent_message_count bigint,
  primary key (organization_id, month)
);

create table all_campaign (
  id serial primary key,
  organization_id integer not null references organization (id),
  title text not null default '',
  description text not null default '',
  is_started boolean,
  due_by timestamptz,
  created_at timestamptz not null default now(),
  is_archived boolean,
  logo_image_url text,
  intro_html text,
  primary_color text,
  texting_hours_start integer default 9,
  texting_hours_end integer default 21,
  timezone text default 'America/New_York',
  creator_id integer references "user" (id),
  is_autoassign_enabled boolean not null default false,
  limit_assignment_to_teams boolean not null default false,
  updated_at timestamptz default now(),
  replies_stale_after_minutes integer,
  landlines_filtered boolean default false,
  external_system_id uuid,
  is_approved boolean not null default false,
  autosend_status text default 'unstarted' constraint campaign_autosend_status_check
    check (autosend_status in ('unstarted', 'sending', 'paused', 'complete')),
  autosend_user_id integer references "user" (id),
  is_template boolean not null default false,
  messaging_service_sid text,
  autosend_limit integer
);
create index campaign_organization_id_index on all_campaign (organization_id);

create view campaign as
  select id, organization_id, title, description, is_started, due_by, created_at, is_archived,
    logo_image_url, intro_html, primary_color, texting_hours_start, texting_hours_end, timezone,
    creator_id, is_autoassign_enabled, limit_assignment_to_teams, updated_at,
    replies_stale_after_minutes, landlines_filtered, external_system_id, is_approved,
    autosend_status, autosend_user_id, messaging_service_sid, autosend_limit
  from all_campaign where is_template = false;

create table assignment (
  id serial primary key,
  user_id integer not null references "user" (id),
  campaign_id integer not null references all_campaign (id),
  created_at timestamptz not null default now(),
  max_contacts integer,
  updated_at timestamptz default now(),
  unique (user_id, campaign_id)
);
create index assignment_campaign_id_index on assignment (campaign_id);

create table campaign_contact (
  id serial primary key,
  campaign_id integer not null references all_campaign (id),
  assignment_id integer references assignment (id),
  external_id text not null default '',
  first_name text not null default '',
  last_name text not null default '',
  cell text not null,
  zip text not null default '',
  custom_fields text not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  message_status text not null default 'needsMessage'
    constraint campaign_contact_message_status_check check (message_status in
      ('needsMessage', 'needsResponse', 'convo', 'messaged', 'closed', 'UPDATING')),
  is_opted_out boolean default false,
  timezone varchar(255),
  archived boolean default false,
  unique (cell, campaign_id)
);
create index campaign_contact_campaign_id_index on campaign_contact (campaign_id);
create index campaign_contact_assignment_id_partial_index on campaign_contact (assignment_id)
  where archived = false;
create index campaign_contact_todos_partial_index
  on campaign_contact (campaign_id, assignment_id, message_status, is_opted_out)
  where archived = false;
create index campaign_contact_needs_response_partial_index
  on campaign_contact (campaign_id, updated_at) with (fillfactor = 70)
  where message_status = 'needsResponse' and assignment_id is not null;

create table message (
  id serial primary key,
  user_number text not null default '',
  user_id integer references "user" (id),
  contact_number text not null,
  is_from_contact boolean not null,
  text text not null default '',
  service_response text default '[]',
  assignment_id integer not null,
  service text not null default '',
  service_id text not null default '',
  send_status text not null constraint message_send_status_check check (send_status in
    ('QUEUED', 'SENDING', 'SENT', 'DELIVERED', 'ERROR', 'PAUSED', 'NOT_ATTEMPTED')),
  created_at timestamptz not null default now(),
  queued_at timestamptz not null default now(),
  sent_at timestamptz not null default now(),
  service_response_at timestamptz not null default now(),
  send_before timestamptz not null default now(),
  campaign_contact_id integer references campaign_contact (id),
  updated_at timestamptz default now(),
  script_version_hash varchar(255),
  error_codes text[],
  num_segments smallint,
  num_media smallint,
  campaign_variable_ids integer[] not null default '{}'
);
create index message_assignment_id_index on message (assignment_id);
create index message_campaign_contact_id_index on message (campaign_contact_id);
create index message_contact_number_index on message (contact_number);
create index message_created_at_index on message (created_at);
create index message_send_status_index on message (send_status);
create index message_service_id_index on message (service_id);
create index message_user_number_index on message (user_number);

create table opt_out (
  id serial primary key,
  cell text not null,
  assignment_id integer references assignment (id),
  organization_id integer not null references organization (id),
  reason_code text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  unique (cell, organization_id)
);
"""

TRIGGERS = """
create function universal_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end $$;

create function cascade_archived_campaign() returns trigger language plpgsql as $$
begin
  update campaign_contact set archived = new.is_archived where campaign_id = new.id;
  return new;
end $$;
create trigger _500_cascade_archived_campaign after update on all_campaign for each row
  when (new.is_archived is distinct from old.is_archived)
  execute function cascade_archived_campaign();

create function backfill_superadmin_membership() returns trigger language plpgsql as $$
begin
  insert into user_organization (user_id, organization_id, role)
    select new.id, id, 'OWNER' from organization
    on conflict (user_id, organization_id) do update set role = excluded.role;
  return new;
end $$;
create trigger _500_backfill_superadmin_membership
  after insert or update of is_superadmin on "user" for each row
  when (new.is_superadmin) execute function backfill_superadmin_membership();
"""

UPDATED_AT = {
    '"user"': "user",
    "organization": "organization",
    "user_organization": "user_organization",
    "all_campaign": "campaign",
    "assignment": "assignment",
    "campaign_contact": "campaign_contact",
    "message": "message",
    "opt_out": "opt_out",
}


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)
    for table, name in UPDATED_AT.items():
        op.execute(
            f"create trigger _500_{name}_updated_at before update on {table} "
            "for each row execute function universal_updated_at()"
        )


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
