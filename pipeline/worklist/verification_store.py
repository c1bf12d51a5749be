"""Answers as they are stored: each with the report that goes to the CHT, and with the idempotency
key by which a repeated request gets the same answer. Commits nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, literal_column, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from pipeline.tables import idempotency_key, outbox, verification
from pipeline.worklist import rules
from pipeline.worklist.records import Verification

KEY_LIVES = timedelta(hours=24)
_AT_ONCE: ColumnElement[datetime] = literal_column("'-infinity'::timestamptz")


def keep(
    connection: Connection,
    answer: Verification,
    key: str,
    request_hash: bytes,
    report: Mapping[str, object],
) -> bool:
    """False where its round of the task is taken, KeyReused where the user's key is known; waits
    for whoever is just taking either. After KeyReused the transaction must be rolled back.
    """
    known = verification.c
    kept = connection.execute(
        insert_or(verification)
        .values(**vars(answer))
        .on_conflict_do_nothing()
        .returning(known.verification_id)
    )
    if kept.one_or_none() is None:
        return False
    _take_key(connection, answer, key, request_hash)
    connection.execute(
        insert(outbox).values(
            verification_id=answer.verification_id,
            report_id=answer.report_id,
            report=report,
            next_attempt_at=_AT_ONCE,
            accepted_at=answer.verified_at,
        )
    )
    return True


def _take_key(connection: Connection, answer: Verification, key: str, request_hash: bytes) -> None:
    """Raises KeyReused unless the user's key is new or has expired."""
    known = idempotency_key.c
    new = insert_or(idempotency_key).values(
        user_name=answer.verified_by,
        key=key,
        request_hash=request_hash,
        verification_id=answer.verification_id,
        created_at=answer.verified_at,
    )
    taken = connection.execute(
        new.on_conflict_do_update(
            index_elements=[known.user_name, known.key],
            set_={
                known.request_hash: new.excluded.request_hash,
                known.verification_id: new.excluded.verification_id,
                known.created_at: new.excluded.created_at,
            },
            where=known.created_at < answer.verified_at - KEY_LIVES,
        ).returning(known.key)
    )
    if taken.one_or_none() is None:
        raise rules.KeyReused


def remembered(
    connection: Connection, user_name: str, key: str, now: datetime
) -> tuple[bytes, Verification] | None:
    """The hash of the request that used the key first, and what came of it, if it still counts."""
    known = idempotency_key.c
    row = (
        connection.execute(
            select(known.request_hash, verification)
            .join_from(
                idempotency_key,
                verification,
                verification.c.verification_id == known.verification_id,
            )
            .where(
                known.user_name == user_name, known.key == key, known.created_at >= now - KEY_LIVES
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    columns = dict(row)
    return columns.pop("request_hash"), Verification(**columns)


def forget_old_keys(connection: Connection, user_name: str, now: datetime) -> None:
    """Deletes keys that have expired."""
    connection.execute(
        delete(idempotency_key).where(
            idempotency_key.c.user_name == user_name, idempotency_key.c.created_at < now - KEY_LIVES
        )
    )
