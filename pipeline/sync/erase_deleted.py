"""Erases the last content of deleted documents where the operator does not keep it.

The rows keep their landed_number: derived tables followed when the documents were deleted.
"""

import psycopg

from pipeline.sync import store
from pipeline.sync.store import Landing

_BATCH_SIZE = 1000


def erase_kept(connection: psycopg.Connection, landing: Landing, source: str) -> int:
    """Commits batch by batch; returns how many were erased, usually none."""
    if landing.keeps_deleted_content:
        return 0
    erased = 0
    while True:
        with connection.transaction():
            batch = store.erase_kept(connection, landing, source, _BATCH_SIZE)
        erased += batch
        if batch < _BATCH_SIZE:
            return erased
