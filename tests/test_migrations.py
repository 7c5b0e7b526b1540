"""Migrations: on an empty database, and on one that already has Spoke's tables."""

from collections.abc import Callable

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg.rows import scalar_row
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from models import (
    assignment_requests,
    campaigns,
    contacts,
    credit_guard,
    credits,
    estimates,
    invites,
    link_domains,
    messages,
    messaging_services,
    migrations,
    notices,
    organizations,
    scripts,
    tags,
    usage,
    users,
)
from models.base import Base
from models.database import Database
from models.migrations import VERSION_TABLE, downgrade, heads, upgrade
from services.delivery_reports import apply_reports
from services.providers import DeliveryStatus, Report
from services.send_statement import write_sends
from services.usage_day import verify_usage
from tests.world import make_send, make_team, rows

MODEL_MODULES = (
    assignment_requests,
    campaigns,
    contacts,
    credits,
    estimates,
    invites,
    link_domains,
    messages,
    messaging_services,
    notices,
    organizations,
    scripts,
    tags,
    usage,
    users,
)
OURS = {
    "api_token",
    "campaign_estimate",
    "credit_account",
    "credit_entry",
    "credit_exhaustion",
    "credit_mail_mute",
    "credit_notice",
    "credit_notice_event",
    "credit_purchase",
    "credit_switch",
    "credit_warning",
    "ledger_check",
    "outbound_text",
    "provider_recount",
    "usage_day",
}
JOBS = {
    "procrastinate_events",
    "procrastinate_jobs",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
}

# Everything in the schema that a migration could make: columns, indexes, constraints, triggers,
# functions, views, types. One line each.
OBJECTS = """
select format('%s %s %s', 'column', attrelid::regclass, attname || ' '
    || format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''))
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where attnum > 0 and not attisdropped
    and attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
union all select format('index %s', indexdef) from pg_indexes where schemaname = 'public'
union all select format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
  from pg_constraint where connamespace = 'public'::regnamespace
union all select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger
  where not tgisinternal
union all select format('function %s %s', oid::regprocedure, md5(prosrc)) from pg_proc
  where pronamespace = 'public'::regnamespace
union all select format('view %s %s', viewname, definition) from pg_views
  where schemaname = 'public'
union all select format('type %s', typname) from pg_type
  where typnamespace = 'public'::regnamespace
order by 1
"""


def objects(url: str) -> list[str]:
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        return connection.execute(OBJECTS).fetchall()


def tables(url: str) -> set[str]:
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        names = connection.execute(
            "select tablename::text from pg_tables where schemaname = 'public'"
        )
        return set(names.fetchall())


def revisions(url: str) -> set[str]:
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        return set(connection.execute(f"select version_num from {VERSION_TABLE}").fetchall())


Move = Callable[[Config, str], None]


def migrated(url: str, move: Move, revision: str) -> None:
    with migrations._connection(url) as connection:
        move(migrations._config(connection), revision)


def test_the_migrated_database_is_what_the_models_say(database_url: str) -> None:
    engine = create_engine(
        make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: (
                    kind != "table" or name not in {*JOBS, VERSION_TABLE}
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_an_empty_database_gets_both_branches(database_url: str) -> None:
    assert revisions(database_url) == set(heads().values())
    assert tables(database_url) >= OURS | JOBS | {"organization", "message"}


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = objects(database_url)
    upgrade(database_url)
    assert objects(database_url) == before


def test_an_installed_spoke_keeps_its_tables_and_gets_only_ours(installed_spoke: str) -> None:
    before, tables_before = objects(installed_spoke), tables(installed_spoke)
    upgrade(installed_spoke)
    assert tables(installed_spoke) - tables_before == OURS | JOBS | {VERSION_TABLE}
    assert set(before) <= set(objects(installed_spoke))
    assert revisions(installed_spoke) == {heads()["credits"]}


def test_migrating_an_installed_spoke_again_still_leaves_its_tables_alone(
    installed_spoke: str,
) -> None:
    upgrade(installed_spoke)
    before = objects(installed_spoke)
    upgrade(installed_spoke)
    assert objects(installed_spoke) == before


def test_downgrading_removes_only_ours(installed_spoke: str) -> None:
    """The trigger that guards Spoke's texts included."""
    before = objects(installed_spoke)
    upgrade(installed_spoke)
    with psycopg.connect(installed_spoke) as connection:
        connection.execute(credit_guard.install(3).encode())
    downgrade(installed_spoke)
    assert objects(installed_spoke) == before


def test_down_and_up_again_ends_where_it_began(database_url: str) -> None:
    before = objects(database_url)
    downgrade(database_url)
    assert tables(database_url).isdisjoint(OURS | JOBS)
    upgrade(database_url)
    assert objects(database_url) == before


BEFORE_MAIL = """
insert into organization (name) select 'team ' || n from generate_series(1, 6) n;
insert into credit_purchase (team_id, amount, purchased_by_name, created_at) values
  (1, 100, 'Sam', '2026-01-01'), (2, 100, 'Sam', '2026-01-01'), (2, 20, 'Sam', '2026-03-01'),
  (3, 100, 'Sam', '2026-01-01'), (4, 100, 'Sam', '2026-01-01'), (5, 100, 'Sam', '2026-01-01');
insert into credit_purchase (team_id, amount, purchased_by_name, removed_at, removed_by_name)
  values (1, 5000, 'Sam', now(), 'Sam');
insert into credit_exhaustion (team_id, reason, remaining, required, opened_at, closed_at) values
  (2, 'EXHAUSTED', 0, null, '2026-02-01', '2026-03-01'),
  (5, 'SHORT', 2, 3, '2026-02-01', '2026-03-01');
insert into credit_account (team_id, enabled, balance, purchased) values
  (1, true, 60, 100), (2, true, 4, 120), (3, false, 5, 100), (4, true, -7, 100), (5, true, 2, 100),
  (6, false, 0, 0);
insert into credit_notice (occasion, occasion_id, team_id, address, state) values
  ('EXHAUSTED', 1, 1, 'a@example.org', 'SENT')
"""
"""Teams with 60 of 100 left, with 4 of 20 since they were empty, and so on."""
MAIL = "credits_0005"


def test_accounts_are_as_if_purchases_had_been_counted_all_along(database_url: str) -> None:
    """And nobody who is low already gets mail about it."""
    migrated(database_url, command.downgrade, f"{MAIL}-1")
    with psycopg.connect(database_url) as connection:
        connection.execute(BEFORE_MAIL)
    migrated(database_url, command.upgrade, MAIL)
    with psycopg.connect(database_url) as connection:
        accounts = connection.execute(
            "select team_id, bought_since_empty, low_level, low_credits, low_mail"
            " from credit_account order by team_id"
        )
        assert accounts.fetchall() == [
            (1, 100, 0, None, True),
            (2, 20, 1, None, True),
            (3, 100, 2, None, True),
            (4, 100, 0, None, True),
            (5, 2, 0, None, True),
            (6, 0, 0, None, True),
        ]
        connection.execute(
            "insert into credit_notice (occasion, occasion_id, team_id, address, state) values"
            " ('RUNNING_LOW', 1, 1, 'a@example.org', 'OBSOLETE'),"
            " ('SET_UP', 1, 1, 'a@example.org', 'BOUNCED');"
            "update credit_notice set state = 'DELIVERED' where occasion = 'EXHAUSTED'"
        )
    migrated(database_url, command.downgrade, f"{MAIL}-1")
    with psycopg.connect(database_url) as connection:
        left = connection.execute("select occasion, state from credit_notice order by 1")
        assert left.fetchall() == [("EXHAUSTED", "SENT"), ("SET_UP", "FAILED")]


@pytest.mark.long
def test_migrating_gives_up_soon_when_somebody_holds_a_lock(installed_spoke: str) -> None:
    with psycopg.connect(installed_spoke) as holder:
        holder.execute("lock table organization in access exclusive mode")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(installed_spoke)
        holder.rollback()
    assert tables(installed_spoke).isdisjoint(OURS)


@pytest.mark.long
def test_a_migration_that_gave_up_goes_on_from_there(installed_spoke: str) -> None:
    """Each revision commits for itself: what it locked must not be held by a long one after it."""
    with psycopg.connect(installed_spoke) as holder:
        holder.execute("lock table message in access exclusive mode")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(installed_spoke)
        holder.rollback()
    [reached] = revisions(installed_spoke)
    assert "credits_0001" <= reached < heads()["credits"]
    upgrade(installed_spoke)
    assert revisions(installed_spoke) == {heads()["credits"]}


SPOKES_HISTORY = """
with campaign as (
  insert into all_campaign (organization_id) select max(id) from organization returning id
),
texter as (
  insert into "user" (auth0_id, first_name, last_name, cell, email)
  values ('', 'Terry', 'Texter', '', 'terry@example.org') returning id
),
assigned as (
  insert into assignment (campaign_id, user_id) select campaign.id, texter.id from campaign, texter
  returning id
)
insert into message (assignment_id, contact_number, is_from_contact, send_status, created_at,
  num_segments)
select assigned.id, '+1', n > 4, case when n = 0 then 'ERROR' else 'SENT' end,
  '2024-02-29 23:59:59+00'::timestamptz + n * interval '0.5 seconds', nullif(n, 3)
from assigned, generate_series(0, 6) n
"""


def test_history_of_an_installed_spoke_is_loaded_while_it_texts(installed_spoke: str) -> None:
    """It reads messages, and waits for nobody who writes them."""
    with psycopg.connect(installed_spoke) as spoke:
        spoke.execute(SPOKES_HISTORY)
        spoke.commit()
        spoke.execute("update message set updated_at = now()")
        upgrade(installed_spoke)
    with psycopg.connect(installed_spoke) as connection:
        loaded = connection.execute(
            "select day::text, is_ours, texts, segments, failed from usage_day order by day"
        )
        assert loaded.fetchall() == [("2024-02-29", False, 2, 1, 1), ("2024-03-01", False, 3, 7, 0)]


async def test_our_own_history_is_loaded_too(database: Database, database_url: str) -> None:
    team = await make_team(database, contacts=3, credits=20)
    async with database.pool.connection() as connection:
        sends = [make_send(team, 0, cost=3), make_send(team, 1, cost=2)]
        first, second = await write_sends(connection, sends)
        assert first.message_id is not None and second.message_id is not None
        counted = Report(first.message_id, DeliveryStatus.DELIVERED, "SM1", segments=2)
        failed = Report(second.message_id, DeliveryStatus.FAILED, "SM2")
        await apply_reports(connection, [counted, failed])
        await write_sends(connection, [make_send(team, 2, cost=3, segments=1, media=1)])
    before = await rows(database, "select * from usage_day")
    migrated(database_url, command.downgrade, "credits_0003")
    assert "usage_day" not in tables(database_url)
    upgrade(database_url)
    assert await rows(database, "select * from usage_day") == before
    async with database.sessions() as session:
        assert await verify_usage(session) == []


def test_spokes_triggers_do_their_part(database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=scalar_row) as connection:
        connection.execute("insert into organization (name) values ('one'), ('two')")
        connection.execute(
            'insert into "user" (auth0_id, first_name, last_name, cell, email, is_superadmin) '
            "values ('x', 'S', 'A', '', 's@example.org', true)"
        )
        assert connection.execute("select role from user_organization").fetchall() == ["OWNER"] * 2
        connection.execute("insert into all_campaign (organization_id) values (1)")
        connection.execute("insert into campaign_contact (campaign_id, cell) values (1, '+1')")
        connection.execute("update campaign set is_archived = true")
        assert connection.execute("select archived from campaign_contact").fetchone() is True
