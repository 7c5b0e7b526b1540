"""procrastinate's job tables, as of its schema version 2.5.

A newer package must not change what this revision makes: a later revision applies what a later
version adds.
"""

from alembic import op

from models.migrations.procrastinate import without_new_values

revision = "credits_0002"
down_revision = "credits_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    driver_connection = op.get_bind().connection.driver_connection
    assert driver_connection is not None
    for script in without_new_values("00.00.00", "02.05.00"):
        driver_connection.execute(script)


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
