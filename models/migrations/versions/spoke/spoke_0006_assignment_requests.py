"""Requests for texts, and groups of texters, which Spoke calls teams. As a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0006"
down_revision = "spoke_0005"
branch_labels = None
depends_on = None

TABLES = """
create table team (
  id serial primary key,
  organization_id integer not null references organization (id),
  title text not null,
  description text not null default '',
  text_color text not null default '#000000',
  background_color text not null default '#000000',
  assignment_priority integer default 500,
  author_id integer references "user" (id),
  created_at timestamptz not null default now(),
  is_assignment_enabled boolean default false,
  assignment_type text constraint team_assignment_type_check
    check (assignment_type in ('UNSENT', 'UNREPLIED')),
  max_request_count integer,
  updated_at timestamptz default now(),
  unique (title, organization_id)
);

create table user_team (
  user_id integer references "user" (id) on delete cascade,
  team_id integer references team (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  id serial primary key,
  unique (user_id, team_id)
);

create table campaign_team (
  campaign_id integer references all_campaign (id) on delete cascade,
  team_id integer references team (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  id serial primary key,
  unique (campaign_id, team_id)
);

create table team_escalation_tags (
  team_id integer,
  tag_id integer,
  created_at timestamptz,
  updated_at timestamptz,
  id serial primary key
);

create table assignment_request (
  id serial primary key,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  organization_id integer,
  status text default 'pending' constraint assignment_request_status_check
    check (status in ('pending', 'approved', 'rejected')),
  user_id integer not null,
  amount integer not null,
  approved_by_user_id integer,
  preferred_team_id integer
);
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in ("team", "user_team", "campaign_team", "assignment_request"):
        op.execute(
            f"create trigger _500_{table}_updated_at before update on {table} "
            "for each row execute function universal_updated_at()"
        )


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
