"""Compares the landing with what the CHT lists, and repairs what differs.

A purge leaves no trace in the changes feed, and a restored database may lack what landed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg

from pipeline.cht.client import ChtClient, Standing
from pipeline.cht.identity import check_account
from pipeline.database import now
from pipeline.sync import revisions, store
from pipeline.sync.revisions import Difference
from pipeline.sync.rules import is_withheld, landed_id, prepare
from pipeline.sync.store import Landing

_LISTED_AT_ONCE = 10_000
_READ_AT_ONCE = 20  # with their documents, which may be large
_LOOKED_UP_AT_ONCE = 500


@dataclass(frozen=True)
class Sums:
    """What was listed, and of what differed what became of it."""

    listed: int = 0
    landed: int = 0
    deleted: int = 0
    purged: int = 0


def reconcile(
    client: ChtClient, connection: psycopg.Connection, landing: Landing, source: str, database: str
) -> Sums:
    """Errors as of `Sync.once`; what was repaired until then stays."""
    check_account(client, database)
    with store.locked(connection, landing, source):
        return repair(client, connection, landing, source, database)


def repair(
    client: ChtClient, connection: psycopg.Connection, landing: Landing, source: str, database: str
) -> Sums:
    """The same for who holds the source's lock already."""
    with connection.transaction():
        revisions.begin_listing(connection)
    sums = Sums()
    for listed in _listed(client, database):
        with connection.transaction():
            revisions.add_listed(connection, listed)
        sums = replace(sums, listed=sums.listed + len(listed))
    with connection.transaction():
        revisions.find_differences(connection, landing, source)
    for differences in _taken(connection, is_stale=True):
        sums = _repair(client, connection, landing, source, database, differences, sums)
    for differences in _taken(connection, is_stale=False):
        sums = _forget_purged(client, connection, landing, source, database, differences, sums)
    return sums


def _listed(client: ChtClient, database: str) -> Iterator[list[tuple[str, bytes, str]]]:
    """Of each living document its id in the landing, its id in the CHT and its revision."""
    after: str | None = None
    while rows := client.listing(database, after, _LISTED_AT_ONCE):
        after = rows[-1][0]
        ids = ((cht_id.encode(), revision) for cht_id, revision in rows)
        yield [(landed_id(one), one, rev) for one, rev in ids if not is_withheld(one)]


def _taken(connection: psycopg.Connection, *, is_stale: bool) -> Iterator[list[Difference]]:
    count = _READ_AT_ONCE if is_stale else _LOOKED_UP_AT_ONCE
    while True:
        with connection.transaction():
            taken = revisions.take_differences(connection, is_stale, count)
        if not taken:
            return
        yield taken


def _repair(
    client: ChtClient,
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    database: str,
    differences: Sequence[Difference],
    sums: Sums,
) -> Sums:
    """Asks the CHT once more, since it may have changed while it was listed."""
    found, missing = client.documents(database, [one.cht_id for one in differences])
    batch = prepare(found)
    gone = [one.landed_id for one in differences if one.cht_id in missing and one.is_landed]
    with connection.transaction():
        moment = now(connection)
        living = [document for document in batch.documents if not document.is_deleted]
        dead = [document for document in batch.documents if document.is_deleted]
        landed = store.land(connection, landing, source, living, moment)
        deleted = store.land(connection, landing, source, dead, moment)
        purged = revisions.purge(connection, landing, source, gone, moment)
    return replace(
        sums,
        landed=sums.landed + landed.written,
        deleted=sums.deleted + deleted.written,
        purged=sums.purged + purged,
    )


def _forget_purged(
    client: ChtClient,
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    database: str,
    differences: Sequence[Difference],
    sums: Sums,
) -> Sums:
    """The last content of a deleted document stays only as long as the CHT knows its deletion."""
    known = client.revisions(database, [one.cht_id for one in differences])
    gone = [one.landed_id for one in differences if known[one.cht_id].standing is Standing.MISSING]
    with connection.transaction():
        purged = revisions.purge(connection, landing, source, gone, now(connection))
    return replace(sums, purged=sums.purged + purged)
