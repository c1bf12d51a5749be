"""Autovacuum leaves what people answer alone until fifty thousand rows have changed

Each vacuum and analyze of a table makes every connection of the service plan anew what reads it,
which is 10 to 20 ms for a list, on all connections in one moment. Autovacuum came each minute in
which people answered; a publication does it now, once, when fewer look (`refresh.store.tidy`).
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
                autovacuum_vacuum_threshold = 50000,
                autovacuum_vacuum_insert_threshold = 50000,
                autovacuum_analyze_threshold = 50000
            )
        """)
