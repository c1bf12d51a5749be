"""Idempotency keys: the same request posted twice gives the same answer. `app.idempotency_key`."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from pipeline.tables import idempotency_key, verification
from pipeline.worklist.records import Verification

LIVES = timedelta(hours=24)


def forget_old(connection: Connection, user_name: str, now: datetime) -> None:
    connection.execute(
        delete(idempotency_key).where(
            idempotency_key.c.user_name == user_name, idempotency_key.c.created_at < now - LIVES
        )
    )


def claim(
    connection: Connection, user_name: str, key: str, request_hash: bytes, now: datetime
) -> bool:
    """False where the key is known already; waits for whoever is just using it."""
    claimed = connection.execute(
        insert(idempotency_key)
        .values(user_name=user_name, key=key, request_hash=request_hash, created_at=now)
        .on_conflict_do_nothing()
        .returning(idempotency_key.c.key)
    )
    return claimed.one_or_none() is not None


def complete(connection: Connection, user_name: str, key: str, verification_id: UUID) -> None:
    connection.execute(
        update(idempotency_key)
        .where(idempotency_key.c.user_name == user_name, idempotency_key.c.key == key)
        .values(verification_id=verification_id)
    )


def remembered(connection: Connection, user_name: str, key: str) -> tuple[bytes, Verification]:
    """The hash of the request that used the key first, and what came of it."""
    row = (
        connection.execute(
            select(idempotency_key.c.request_hash, verification)
            .join_from(
                idempotency_key,
                verification,
                verification.c.verification_id == idempotency_key.c.verification_id,
            )
            .where(idempotency_key.c.user_name == user_name, idempotency_key.c.key == key)
        )
        .mappings()
        .one()
    )
    columns = dict(row)
    return columns.pop("request_hash"), Verification(**columns)
