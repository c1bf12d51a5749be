"""Failed sign-ins are counted where all processes of the service see them

They count for seconds, so nothing is lost with them when PostgreSQL breaks down: unlogged.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    create unlogged table app.sign_in_failure (
        attempt_id uuid,
        key_hash bytea,
        failed_at timestamptz not null,
        constraint sign_in_failure_pkey primary key (attempt_id, key_hash)
    )
    """,
)
