"""Notes on tasks that cannot be answered yet"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    create table app.task_note (
        note_id uuid primary key,
        task_id text not null,
        note text not null,
        noted_by text not null,
        noted_at timestamptz not null
    )
    """,
    "create index task_note_of_task on app.task_note (task_id, noted_at)",
)
