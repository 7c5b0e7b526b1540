"""Runs revisions on the connection, and in the transaction, that the caller opened."""

from alembic import context

from models.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
