"""Up to when the texts of an account were counted by its provider's own list."""

from alembic import op

revision = "credits_0008"
down_revision = "credits_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create table provider_recount ("
        "account_sid text primary key, counted_until timestamptz not null, "
        "due_at timestamptz not null)"
    )


def downgrade() -> None:
    op.execute("drop table provider_recount")
