"""What texters have at hand in a conversation: canned responses, answers, tags; and places by their
zip code. As a Spoke v10.4 has them."""

from alembic import op

revision = "spoke_0004"
down_revision = "spoke_0003"
branch_labels = None
depends_on = None

TABLES = """
create table canned_response (
  id serial primary key,
  campaign_id integer not null references all_campaign (id),
  text text not null,
  title text not null,
  user_id integer references "user" (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  display_order integer not null default 1,
  unique (campaign_id, display_order),
  unique (campaign_id, title)
);

create table all_question_response (
  id serial primary key,
  campaign_contact_id integer not null references campaign_contact (id),
  interaction_step_id integer not null references interaction_step (id),
  value text not null,
  created_at timestamptz not null default now(),
  is_deleted boolean default false,
  updated_at timestamptz default now()
);
create index question_response_campaign_contact_id_index
  on all_question_response (campaign_contact_id);
create unique index question_response_one_for_each_step
  on all_question_response (interaction_step_id, campaign_contact_id) where is_deleted = false;
create view question_response as
  select id, campaign_contact_id, interaction_step_id, value, created_at, is_deleted, updated_at
  from all_question_response where is_deleted = false;

create table all_tag (
  id serial primary key,
  organization_id integer not null references organization (id),
  title text not null,
  description text not null default '',
  text_color text not null default '#000000',
  background_color text not null default '#DDEEEE',
  author_id integer references "user" (id),
  confirmation_steps text[] not null default '{}',
  on_apply_script text not null default '',
  webhook_url text not null default '',
  is_assignable boolean not null default true,
  is_system boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  deleted_at timestamp,
  unique (title, organization_id)
);
create view tag as
  select id, organization_id, title, description, text_color, background_color, author_id,
    confirmation_steps, on_apply_script, webhook_url, is_assignable, is_system, created_at,
    updated_at, deleted_at
  from all_tag where deleted_at is null;

create table campaign_contact_tag (
  campaign_contact_id integer not null references campaign_contact (id),
  tag_id integer not null references all_tag (id),
  tagger_id integer not null references "user" (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz default now(),
  primary key (campaign_contact_id, tag_id)
);

create table zip_code (
  zip text primary key,
  city text not null,
  state text not null,
  latitude real not null,
  longitude real not null,
  timezone_offset real not null,
  has_dst boolean not null
);
"""

# A new answer takes the place of the one before, which is kept as deleted; a changed one leaves a
# deleted copy; deleting marks.
ANSWERS = """
create function all_question_response_before_insert() returns trigger language plpgsql as $$
begin
  update all_question_response set is_deleted = true, updated_at = now()
  where campaign_contact_id = new.campaign_contact_id
    and interaction_step_id = new.interaction_step_id
    and is_deleted = false
    and new.is_deleted is not true;
  return new;
end $$;
create trigger _500_question_response_insert before insert on all_question_response
  for each row execute function all_question_response_before_insert();

create function all_question_response_before_update() returns trigger language plpgsql as $$
begin
  insert into all_question_response
    (campaign_contact_id, interaction_step_id, value, created_at, is_deleted)
  values
    (old.campaign_contact_id, old.interaction_step_id, old.value, old.created_at, true);
  return new;
end $$;
create trigger _500_question_response_update before update on all_question_response
  for each row when (new.is_deleted = false)
  execute function all_question_response_before_update();

create function question_response_instead_of_delete() returns trigger language plpgsql as $$
begin
  update all_question_response set is_deleted = true, updated_at = now() where id = old.id;
  return old;
end $$;
create trigger _500_question_response_delete instead of delete on question_response
  for each row execute function question_response_instead_of_delete();
"""

UPDATED_AT = {
    "canned_response": "canned_response",
    "all_tag": "tag",
    "campaign_contact_tag": "campaign_contact_tag",
}


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ANSWERS)
    for table, name in UPDATED_AT.items():
        op.execute(
            f"create trigger _500_{name}_updated_at before update on {table} "
            "for each row execute function universal_updated_at()"
        )


def downgrade() -> None:
    raise NotImplementedError("Spoke's tables hold what people did: drop the database instead.")
