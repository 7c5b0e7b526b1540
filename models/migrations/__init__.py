"""Bringing a database to the tables we need.

Two branches: `spoke` makes the part of Spoke's tables that we use, `credits` makes ours. A revision
can't know whether a table is Spoke's or ours, so `spoke` only runs where the very first migration
found no `organization`; on an installed Spoke it never does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.engine import make_url

VERSION_TABLE = "spoke_credits_version"
_HERE = Path(__file__).parent
_LOCK_KEY = 7_241_963_001


def upgrade(url: str) -> None:
    """Brings the database to the newest revision; does nothing where it is.

    Each revision in a transaction of its own: what one has locked, a long one must not hold.
    """
    pending = True
    while pending:
        with _connection(url) as connection:
            pending = _upgrade_by_one(connection)


def downgrade(url: str) -> None:
    """Takes away our own tables with everything in them. Spoke's stay."""
    with _connection(url) as connection:
        command.downgrade(_config(connection), "credits@base")
        if not _current(connection):
            connection.execute(text(f"drop table {VERSION_TABLE}"))


def heads() -> dict[str, str]:
    """The newest revision of each branch."""
    scripts = ScriptDirectory.from_config(_config())
    revisions = (scripts.get_revision(head) for head in scripts.get_heads())
    return {next(iter(r.branch_labels)): r.revision for r in revisions if r is not None}


def _upgrade_by_one(connection: Connection) -> bool:
    """Returns whether there was a revision to apply."""
    scripts = ScriptDirectory.from_config(_config())
    current = _current(connection)
    applied = {script.revision for script in scripts.iterate_revisions(current, "base")}
    for branch in _branches(connection, scripts, current):
        for script in reversed(list(scripts.iterate_revisions(f"{branch}@head", "base"))):
            if script.revision not in applied:
                command.upgrade(_config(connection), script.revision)
                return True
    return False


def _current(connection: Connection) -> tuple[str, ...]:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_heads()


def _branches(
    connection: Connection, scripts: ScriptDirectory, current: tuple[str, ...]
) -> list[str]:
    applied = {
        label
        for revision in current
        for label in getattr(scripts.get_revision(revision), "branch_labels", ())
    }
    first_migration = not current
    if "spoke" in applied or (
        first_migration and not inspect(connection).has_table("organization")
    ):
        return ["spoke", "credits"]
    return ["credits"]


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    """One transaction, in which only one process migrates and nobody waits long for a lock."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        connection.execute(text("set local lock_timeout = '5s'"))
        yield connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    config.set_main_option(
        "version_locations", "\n".join(str(_HERE / "versions" / b) for b in ("spoke", "credits"))
    )
    config.attributes["connection"] = connection
    return config
