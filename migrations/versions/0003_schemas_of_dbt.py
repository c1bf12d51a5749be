"""The schemas that dbt fills; `pipeline.grants` says who may do what there"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for schema in ("worklist", "worklist_live", "worklist_pii", "worklist_build"):
        op.execute(f"create schema if not exists {schema}")
