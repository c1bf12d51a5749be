"""The answers of a task are found by its short id

A list asks for each task of a supervisor whether we hold an answer to it. 16 bytes compare faster
than the CHT's long text, and more of them fit on a page of the index.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '10s'")
    op.execute("""
        create index verification_of_task on app.verification (app.task_uuid(task_id), round)
    """)
