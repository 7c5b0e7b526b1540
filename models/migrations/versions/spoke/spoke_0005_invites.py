"""Invites, as a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0005"
down_revision = "spoke_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table invite (
          id serial primary key,
          is_valid boolean not null,
          hash text,
          created_at timestamptz not null default now(),
          updated_at timestamptz default now(),
          payload json not null default '{}'
        );
        create index invite_is_valid_index on invite (is_valid);
        create trigger _500_invite_updated_at before update on invite
          for each row execute function universal_updated_at()
    """)


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
