"""Spoke's scripts: questions, and variables of campaigns, as a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0003"
down_revision = "spoke_0002"
branch_labels = None
depends_on = None

TABLES = """
create table interaction_step (
  id serial primary key,
  campaign_id integer not null references all_campaign (id),
  question text not null default '',
  created_at timestamptz not null default now(),
  parent_interaction_id integer references interaction_step (id) on delete cascade,
  answer_option text not null default '',
  answer_actions text not null default '',
  is_deleted boolean not null default false,
  script_options text[] not null,
  updated_at timestamptz default now()
);
create index interaction_step_campaign_id_index on interaction_step (campaign_id);
create index interaction_step_parent_interaction_id_index
  on interaction_step (parent_interaction_id);
create trigger _500_interaction_step_updated_at before update on interaction_step
  for each row execute function universal_updated_at();

create table campaign_variable (
  id serial primary key,
  campaign_id integer not null references all_campaign (id),
  display_order integer not null,
  name text not null constraint check_name check (name ~ '^cv:[a-zA-Z0-9 \\-_]+$'),
  value text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create unique index campaign_variable_unique_name_per_campaign
  on campaign_variable (campaign_id, name) where deleted_at is null;
create trigger _500_campaign_variable_updated_at before update on campaign_variable
  for each row execute function universal_updated_at();
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
