"""${message}

Before you write: rows are many and readers do not wait. Add columns without a rewrite, build
indexes concurrently, set a lock_timeout, and never touch a schema that dbt owns.

Revision: ${up_revision}, after ${down_revision}
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
