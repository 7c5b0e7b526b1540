"""What an operator watches: whether the books were right, and mail that failed."""

from alembic import op

revision = "credits_0007"
down_revision = "credits_0006"
branch_labels = None
depends_on = None

UPGRADE = """
create table ledger_check (
  is_only boolean primary key default true constraint ledger_check_is_only check (is_only),
  lease_until timestamptz,
  checked_at timestamptz,
  entries bigint,
  drifting_teams integer
);
create index credit_notice_failed on credit_notice (created_at)
  where state in ('FAILED', 'UNKNOWN', 'BOUNCED', 'DROPPED');
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop index credit_notice_failed")
    op.execute("drop table ledger_check")
