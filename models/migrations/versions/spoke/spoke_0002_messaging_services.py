"""Accounts at providers, which cell is texted from which, and what strangers wrote."""

from alembic import op

revision = "spoke_0002"
down_revision = "spoke_0001"
branch_labels = None
depends_on = None

TABLES = """
create type messaging_service_type as enum ('twilio', 'assemble-numbers');

create table messaging_service (
  messaging_service_sid text primary key,
  organization_id integer,
  account_sid text not null default '',
  encrypted_auth_token text not null default '',
  updated_at timestamptz default now(),
  service_type messaging_service_type not null,
  name varchar(255) not null default '',
  active boolean not null default true,
  is_default boolean,
  constraint no_inactive_default check (active or is_default <> true)
);
create index messaging_service_active_index on messaging_service (active);
create index messaging_service_organization_id_index on messaging_service (organization_id);
create index messaging_service_service_type_index on messaging_service (service_type);
create unique index messaging_service_default_for_organization_index
  on messaging_service (organization_id, is_default) where is_default;

create table messaging_service_stick (
  cell text not null,
  organization_id integer not null,
  messaging_service_sid text not null,
  updated_at timestamptz default now(),
  constraint messaging_service_stick_cell_organization_unique_constraint
    unique (cell, organization_id)
);
create index messaging_service_stick_messaging_service_sid_index
  on messaging_service_stick (messaging_service_sid);

create table unsolicited_message (
  id serial primary key,
  messaging_service_sid text not null references messaging_service (messaging_service_sid),
  service_id text not null,
  from_number text not null,
  body text not null,
  num_segments integer not null,
  num_media integer not null,
  media_urls text[] not null default '{}',
  service_response json not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter table all_campaign add constraint all_campaign_messaging_service_sid_fkey
  foreign key (messaging_service_sid) references messaging_service (messaging_service_sid);
"""

UPDATED_AT = {
    "messaging_service": "messaging_service",
    "messaging_service_stick": "messaging_service_stick",
    "unsolicited_message": "message",
}


def upgrade() -> None:
    op.execute(TABLES)
    for table, name in UPDATED_AT.items():
        op.execute(
            f"create trigger _500_{name}_updated_at before update on {table} "
            "for each row execute function universal_updated_at()"
        )


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
