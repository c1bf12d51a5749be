"""What deleted documents held is erased where the operator does not want it kept.

The rows keep their numbers: derived tables need not follow, they did so when it was deleted.
"""

import psycopg

from pipeline.sync import store
from pipeline.sync.store import Landing

_AT_ONCE = 1000


def erase_kept(connection: psycopg.Connection, landing: Landing, source: str) -> int:
    """How many were erased, of which each batch is committed by itself: usually none."""
    if landing.keeps_deleted_content:
        return 0
    erased = 0
    while True:
        with connection.transaction():
            batch = store.erase_kept(connection, landing, source, _AT_ONCE)
        erased += batch
        if batch < _AT_ONCE:
            return erased
