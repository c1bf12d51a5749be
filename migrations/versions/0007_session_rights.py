"""A session knows when it was used, when the CHT last told its rights, and when to ask again

Who is signed in while this runs goes on as if the CHT had been asked just now.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '10s'")
    for column in ("used_at", "rights_at", "next_asking_at"):
        op.execute(f"alter table app.session add {column} timestamptz not null default now()")
        op.execute(f"alter table app.session alter {column} drop default")
