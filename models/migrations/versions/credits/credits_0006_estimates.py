"""What campaigns will need."""

from alembic import op

revision = "credits_0006"
down_revision = "credits_0005"
branch_labels = None
depends_on = None

TABLE = """
create table campaign_estimate (
  campaign_id integer primary key references all_campaign (id) on delete cascade,
  requested_at timestamptz,
  lease_until timestamptz,
  fence integer not null default 0,
  computed_at timestamptz,
  contacts integer,
  credits bigint,
  margin bigint,
  sampled integer,
  dearest_contact_id integer,
  fingerprint text,
  constraint campaign_estimate_is_whole
    check (num_nulls(computed_at, contacts, credits, margin, fingerprint) in (0, 5))
);
create index campaign_estimate_queue on campaign_estimate (requested_at)
  where requested_at is not null;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("drop table campaign_estimate")
