"""The provider's id of each text, which no other text has; and conversations wait for what is
UNKNOWN."""

from alembic import op

revision = "credits_0009"
down_revision = "credits_0008"
branch_labels = None
depends_on = None

# What is there already keeps its id in `message` alone. The old index goes last: until then
# texts wait for what is read, and nobody for reading.
UPGRADE = """
alter table outbound_text add column service_id text;
create unique index outbound_text_service_id on outbound_text (service_id)
  where service_id is not null;
create index outbound_text_unfinished on outbound_text (contact_id, message_id)
  where state <> 'DONE';
drop index outbound_text_conversation;
"""

DOWNGRADE = """
create index outbound_text_conversation on outbound_text (contact_id, message_id)
  where state in ('QUEUED', 'SENDING');
drop index outbound_text_unfinished, outbound_text_service_id;
alter table outbound_text drop column service_id;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
