"""procrastinate's job tables, as of its schema version 3.4.

Its own migrations up to that version, by name: a newer package must not change what this revision
makes. A later revision applies what a later version adds.
"""

from importlib.resources import files

from alembic import op

revision = "credits_0002"
down_revision = "credits_0001"
branch_labels = None
depends_on = None

LAST_FILE = "03.04.00_50_post_add_retry_failed_job_procedure.sql"


def upgrade() -> None:
    driver_connection = op.get_bind().connection.driver_connection
    assert driver_connection is not None
    folder = files("procrastinate") / "sql" / "migrations"
    scripts = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    for script in scripts:
        if script.name <= LAST_FILE:
            driver_connection.execute(script.read_text())


def downgrade() -> None:
    op.execute("""
      do $$
      declare thing regprocedure;
      begin
        drop table procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs,
          procrastinate_workers cascade;
        for thing in select oid::regprocedure from pg_proc
          where proname like 'procrastinate\\_%' and pronamespace = current_schema()::regnamespace
        loop
          execute 'drop function ' || thing || ' cascade';
        end loop;
        drop type procrastinate_job_event_type, procrastinate_job_to_defer_v1,
          procrastinate_job_status;
      end $$
    """)
