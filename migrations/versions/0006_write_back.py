"""The write-back remembers how far it has compared the landing, why it stopped, what was dropped

A page of the queue is read in the order of its index, however long the queue is. Reports are kept
apart from the rows that change twice on their way, so that they are written once.
"""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


_STATEMENTS = (
    """
    create table app.write_back (
        only_row boolean primary key default true,
        landed_number bigint not null default 0,
        stopped_at timestamptz,
        stopped_because text,
        constraint write_back_is_one check (only_row)
    )
    """,
    "insert into app.write_back default values",
    "alter table app.outbox add dropped_because text, add dropped_at timestamptz",
    "drop index app.outbox_to_send",
    """
    create index outbox_to_send
    on app.outbox (accepted_at, verification_id) where state = 'pending'
    """,
    "drop index app.outbox_to_confirm",
    "create index outbox_to_confirm on app.outbox (report_id) where state = 'sent'",
)
