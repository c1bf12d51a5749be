"""Autovacuum comes to what people answer when it has doubled, instead of grown by a tenth

Each vacuum and analyze of a table makes every connection of the service plan anew what reads it,
which is 9 to 14 ms for a list, on all connections in one moment: while people answered, that was
each minute. It still comes after the first fifty.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '10s'")
    for table in ("verification", "outbox", "idempotency_key"):
        op.execute(f"""
            alter table app.{table} set (
                autovacuum_analyze_scale_factor = 1,
                autovacuum_vacuum_insert_scale_factor = 1,
                autovacuum_vacuum_scale_factor = 1
            )
        """)
