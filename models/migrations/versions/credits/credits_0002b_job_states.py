"""What states procrastinate's jobs can have, as of its schema version 3.4.

By itself: before version 17, PostgreSQL doesn't use such a value in the transaction that adds it.
"""

from alembic import op

from models.migrations.procrastinate import new_values

revision = "credits_0002b"
down_revision = "credits_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in new_values("02.06.00", "03.04.00"):
        op.execute(statement)


def downgrade() -> None:
    """They go with their types."""
