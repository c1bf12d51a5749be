"""The landing of a cht-sync can be adopted: its rows have no number, its progress table its name

Rows that are adopted share the number 0, so numbers are no longer unique. The index that takes the
place of the unique one was built beside the writers before this (`pipeline.adoption`). What was
called after the operator's table is called couchdb_progress, as in cht-sync.
"""

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = context.config.attributes["landing_schema"]
    table = context.config.attributes["landing_table"]
    op.execute(f"drop index if exists {schema}.{table}_source_landed_number")
    if table != "couchdb":
        op.execute(f"alter table if exists {schema}.{table}_progress rename to couchdb_progress")
