"""What becomes of texts after they were accepted: handed to a provider, reported, settled."""

from alembic import op

revision = "credits_0003"
down_revision = "credits_0002c"
branch_labels = None
depends_on = None

UPGRADE = """
alter table outbound_text
  add column contact_id integer not null default 0,
  add column messaging_service_sid text,
  add column due_at timestamptz not null default now(),
  add column handed_at timestamptz,
  add column unknown_because text,
  add column reported text constraint outbound_text_reported_check check (reported in
    ('SENT', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'NOT_ATTEMPTED')),
  add column reported_segments smallint,
  add column settled integer not null default 0,
  add column given_back boolean not null default false,
  add constraint outbound_text_unknown_has_reason
    check ((state = 'UNKNOWN') <= (unknown_because is not null));
update outbound_text o set contact_id = m.campaign_contact_id
  from message m where m.id = o.message_id and m.campaign_contact_id is not null;
alter table outbound_text alter column contact_id drop default;

drop index outbound_text_queue;
create index outbound_text_queue on outbound_text (due_at, message_id) where state = 'QUEUED';
create index outbound_text_conversation on outbound_text (contact_id, message_id)
  where state in ('QUEUED', 'SENDING');
create index outbound_text_in_doubt on outbound_text (lease_until)
  where state in ('SENDING', 'UNKNOWN');
"""

DOWNGRADE = """
drop index outbound_text_in_doubt, outbound_text_conversation, outbound_text_queue;
create index outbound_text_queue on outbound_text (message_id) where state = 'QUEUED';
alter table outbound_text
  drop column contact_id, drop column messaging_service_sid, drop column due_at,
  drop column handed_at, drop column unknown_because, drop column reported,
  drop column reported_segments, drop column settled, drop column given_back;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
