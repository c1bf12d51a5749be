"""Alembic's entrance; `pipeline.migrate` hands in the connection and the operator's names."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="alembic_version",
    version_table_schema="app",
)
with context.begin_transaction():
    context.run_migrations()
