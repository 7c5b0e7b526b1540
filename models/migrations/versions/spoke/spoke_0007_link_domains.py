"""Domains by which teams' texts link, as a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0007"
down_revision = "spoke_0006"
branch_labels = None
depends_on = None

TABLES = """
create table link_domain (
  id serial primary key,
  organization_id integer not null references organization (id),
  domain text not null unique,
  max_usage_count integer not null,
  current_usage_count integer not null default 0,
  is_manually_disabled boolean not null default false,
  cycled_out_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz default now()
);
create index link_domain_organization_id_index on link_domain (organization_id);
create trigger _500_link_domain_updated_at before update on link_domain
  for each row execute function universal_updated_at();

create table unhealthy_link_domain (
  id serial primary key,
  domain text not null,
  created_at timestamptz not null default now(),
  healthy_again_at timestamptz,
  updated_at timestamptz default now()
);
create index unhealthy_link_domain_domain_created_at_index
  on unhealthy_link_domain (domain, created_at);
create trigger _500_unhealthy_link_domain_updated_at before update on unhealthy_link_domain
  for each row execute function universal_updated_at();
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
