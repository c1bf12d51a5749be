"""An idempotency key names its answer from the start, so its answer may come later

Checked when the transaction ends, which saves the statement that filled it in.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '10s'")
    op.execute("delete from app.idempotency_key where verification_id is null")
    op.execute("alter table app.idempotency_key alter verification_id set not null")
    op.execute("""
        alter table app.idempotency_key
        alter constraint idempotency_key_verification_id_fkey deferrable initially deferred
    """)
