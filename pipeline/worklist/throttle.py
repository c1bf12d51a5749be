"""Limits failed sign-ins before the CHT locks everybody out: `app.sign_in_failure`.

After ten failed sign-ins in ten seconds for a name or for an address the CHT refuses that name or
address. So we stop asking it after nine for an address; a name and a CHT session have less, because
a whole site may share one address.

Counted in PostgreSQL, for all worker processes together, and as hashes: people type passwords into
the field for the name.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select

from pipeline.errors import Refused
from pipeline.tables import sign_in_failure

WINDOW = timedelta(seconds=10)
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(func.hashtextextended("sign-in failures", 0)))


class TooManyFailures(Refused):
    """The limit is reached; the CHT was not asked."""

    def __init__(self) -> None:
        super().__init__(f"Too many failed sign-ins: wait {WINDOW.total_seconds():.0f} seconds.")


def attempt(
    connection: Connection, attempt_id: UUID, limits: Mapping[str, int], now: datetime
) -> None:
    """Counts as a failure for each key of `limits`, once committed, until it is taken back: so
    simultaneous guesses count too. Raises TooManyFailures, and then counts nothing.
    """
    connection.execute(_ONE_AT_A_TIME)
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.failed_at <= now - WINDOW))
    most_by_hash = {_hash(key): most for key, most in limits.items()}
    failed = sign_in_failure.c
    counts = connection.execute(
        select(failed.key_hash, func.count().label("failures"))
        .where(failed.key_hash.in_(most_by_hash))
        .group_by(failed.key_hash)
    )
    if any(count.failures >= most_by_hash[count.key_hash] for count in counts):
        raise TooManyFailures
    connection.execute(
        insert(sign_in_failure),
        [
            {"attempt_id": attempt_id, "key_hash": key_hash, "failed_at": now}
            for key_hash in most_by_hash
        ],
    )


def take_back(connection: Connection, attempt_id: UUID) -> None:
    """It was no failure: a right password, or a CHT that did not answer."""
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.attempt_id == attempt_id))


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
