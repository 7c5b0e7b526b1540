"""procrastinate's job tables, as of its schema version 3.4."""

from alembic import op

from models.migrations.procrastinate import without_new_values

revision = "credits_0002c"
down_revision = "credits_0002b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    driver_connection = op.get_bind().connection.driver_connection
    assert driver_connection is not None
    for script in without_new_values("02.06.00", "03.04.00"):
        driver_connection.execute(script)


def downgrade() -> None:
    """It goes with the tables that credits_0002 made."""
