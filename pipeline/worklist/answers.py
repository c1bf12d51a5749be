"""Answers as they are kept: with the report that goes to the CHT, and with the idempotency key that
lets the same request, posted twice, give the same answer. Commits nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from pipeline.statements import Statement
from pipeline.tables import idempotency_key, outbox, verification
from pipeline.worklist import rules
from pipeline.worklist.records import Verification

KEY_LIVES = timedelta(hours=24)


def _given(column: ColumnElement[object]) -> BindParameter[object]:
    return bindparam(column.key, type_=column.type)


def _keep() -> Statement:
    """All or nothing, in one way to PostgreSQL: the key, the answer and its report."""
    answer, key = verification.c, idempotency_key.c
    moment = _given(answer.verified_at)
    accepted = (
        insert(verification)
        .from_select(list(answer), select(*map(_given, answer)))
        .on_conflict_do_nothing()
        .returning(answer.verification_id)
        .cte("accepted")
    )
    named = insert(idempotency_key).from_select(
        [key.user_name, key.key, key.request_hash, key.verification_id, key.created_at],
        select(
            _given(answer.verified_by),
            _given(key.key),
            _given(key.request_hash),
            accepted.c.verification_id,
            moment,
        ),
    )
    # A key that is known goes on naming its answer, and no answer is kept without its key: that it
    # would name none is an error, and undoes all of this.
    has_expired = key.created_at < named.excluded.created_at - KEY_LIVES
    named = named.on_conflict_do_update(
        index_elements=[key.user_name, key.key],
        set_={
            "request_hash": named.excluded.request_hash,
            "verification_id": case((has_expired, named.excluded.verification_id)),
            "created_at": named.excluded.created_at,
        },
    )
    way = outbox.c
    sent = insert(outbox).from_select(
        [way.verification_id, way.report_id, way.report, way.next_attempt_at, way.accepted_at],
        select(
            accepted.c.verification_id,
            _given(answer.report_id),
            _given(way.report),
            literal_column("'-infinity'::timestamptz"),
            moment,
        ),
    )
    kept = select(accepted.c.verification_id)
    return Statement(kept.add_cte(named.cte("named"), sent.cte("sent")))


_KEEP = _keep()


def keep(
    connection: Connection,
    answer: Verification,
    key: str,
    request_hash: bytes,
    report: Mapping[str, object],
) -> bool:
    """False where its round of the task is taken, KeyReused where its user's key is known; waits
    for whoever is just taking either. After KeyReused a transaction is of no more use.
    """
    given = {**vars(answer), "key": key, "request_hash": request_hash, "report": Jsonb(report)}
    try:
        return _KEEP.row(connection, given) is not None
    except psycopg.errors.NotNullViolation as error:
        if error.diag.table_name != idempotency_key.name:
            raise
        raise rules.KeyReused from None


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
    """Keys that count no more; they only take room."""
    connection.execute(
        delete(idempotency_key).where(
            idempotency_key.c.user_name == user_name, idempotency_key.c.created_at < now - KEY_LIVES
        )
    )
