"""Slows down guessing of passwords before the CHT does it to everybody: `app.sign_in_failure`.

The CHT counts ten failed sign-ins in ten seconds for a name, and as many for an address, and then
lets in neither. So nine for an address is where we stop asking it; and because a whole site may
share one address, a name, and whatever else must not use that up alone, has less.

Counted in PostgreSQL, so that all processes of the service count together, and as hashes: people
type passwords into the field for the name.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select

from pipeline.errors import Refused
from pipeline.tables import sign_in_failure

LASTS = timedelta(seconds=10)
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(func.hashtextextended("sign-in failures", 0)))


class TooManyFailures(Refused):
    """As many failures in ten seconds as there may be; the CHT was not asked."""

    def __init__(self) -> None:
        super().__init__(f"Too many failed sign-ins: wait {LASTS.total_seconds():.0f} seconds.")


def attempt(
    connection: Connection, attempt_id: UUID, limits: Mapping[str, int], now: datetime
) -> None:
    """How many failures each key may have in ten seconds.

    Counts as a failure, once committed, until `take_back` says otherwise, so that guesses at once
    count too. Raises TooManyFailures, and then counts nothing.
    """
    connection.execute(_ONE_AT_A_TIME)
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.failed_at <= now - LASTS))
    most_by_hash = {_hash(key): most for key, most in limits.items()}
    counted = connection.execute(
        select(sign_in_failure.c.key_hash, func.count().label("failures"))
        .where(sign_in_failure.c.key_hash.in_(most_by_hash))
        .group_by(sign_in_failure.c.key_hash)
    )
    if any(each.failures >= most_by_hash[each.key_hash] for each in counted):
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
