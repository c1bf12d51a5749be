"""The write-back remembers how far it has compared the landing, why it stopped, what was dropped

A page of the queue is read in the order of its index, however long the queue is. A row changes
twice on its way and holds a whole report: half of each block is left free, so that a claim fits
beside what it changes and touches no index.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
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
    "alter table app.outbox set (fillfactor = 50)",
    "drop index app.outbox_to_send",
    """
    create index outbox_to_send
    on app.outbox (accepted_at, verification_id) where state = 'pending'
    """,
    "drop index app.outbox_to_confirm",
    "create index outbox_to_confirm on app.outbox (report_id) where state = 'sent'",
)
