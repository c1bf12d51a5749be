"""Idempotency keys: the same request posted twice gives the same answer. `app.idempotency_key`."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from pipeline.statements import Statement
from pipeline.tables import idempotency_key, verification
from pipeline.worklist.records import Verification

LIVES = timedelta(hours=24)
_NEW = insert(idempotency_key)
# What is older than it lives counts as free.
_CLAIM = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["user_name", "key"],
        set_={
            "request_hash": _NEW.excluded.request_hash,
            "verification_id": _NEW.excluded.verification_id,
            "created_at": _NEW.excluded.created_at,
        },
        where=idempotency_key.c.created_at < _NEW.excluded.created_at - LIVES,
    ).returning(idempotency_key.c.key)
)


def forget_old(connection: Connection, user_name: str, now: datetime) -> None:
    """Keys that count no more; they only take room."""
    connection.execute(
        delete(idempotency_key).where(
            idempotency_key.c.user_name == user_name, idempotency_key.c.created_at < now - LIVES
        )
    )


def claim(
    connection: Connection,
    user_name: str,
    key: str,
    request_hash: bytes,
    verification_id: UUID,
    now: datetime,
) -> bool:
    """For the verification that the caller will store in this transaction.

    False where the key is known already; waits for whoever is just using it.
    """
    claimed = _CLAIM.row(
        connection,
        {
            "user_name": user_name,
            "key": key,
            "request_hash": request_hash,
            "verification_id": verification_id,
            "created_at": now,
        },
    )
    return claimed is not None


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
