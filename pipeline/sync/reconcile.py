"""Compares the landing with `_all_docs` of the CHT, and repairs what differs.

A purge leaves no trace in the changes feed, and a restored database may lack landed documents.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import psycopg

from pipeline.cht.client import ChtClient, DocumentState
from pipeline.cht.docs_by_id import Found
from pipeline.cht.users import check_account
from pipeline.database import now
from pipeline.sync import reconcile_store, store
from pipeline.sync.erase_deleted import erase_kept
from pipeline.sync.reconcile_store import Difference
from pipeline.sync.rules import is_withheld, landed_id, prepare
from pipeline.sync.store import Landing

_LISTING_SIZE = 10_000
_BATCH_SIZE = 500


@dataclass(frozen=True)
class Counts:
    """How many documents were listed, and how each difference was repaired."""

    listed: int = 0
    landed: int = 0
    deleted: int = 0
    purged: int = 0
    pending: ClassVar[None] = None

    @property
    def read(self) -> int:
        return self.listed

    @property
    def written(self) -> int:
        return self.landed + self.deleted + self.purged


@dataclass
class Reconciliation:
    """One database and where it landed; `report` is called as the comparison proceeds."""

    client: ChtClient
    connection: psycopg.Connection
    landing: Landing
    source: str
    database: str
    report: Callable[[Counts], None] = lambda _: None
    counts: Counts = Counts()

    def once(self) -> Counts:
        """Raises what `Sync.once` raises; what was repaired until then stays."""
        check_account(self.client, self.database)
        with store.locked(self.connection, self.landing, self.source):
            erase_kept(self.connection, self.landing, self.source)
            return self.repair()

    def repair(self) -> Counts:
        """The same for a caller who already holds the source's lock."""
        self._list()
        with self.connection.transaction():
            reconcile_store.find_differences(self.connection, self.landing, self.source)
        for differences in self._batches(is_stale=True):
            self._repair(differences)
        for differences in self._batches(is_stale=False):
            self._forget_purged(differences)
        return self.counts

    def _list(self) -> None:
        with self.connection.transaction():
            reconcile_store.begin_listing(self.connection)
        for listed in _listed(self.client, self.database):
            with self.connection.transaction():
                reconcile_store.add_listed(self.connection, listed)
            self._count(listed=len(listed))

    def _batches(self, *, is_stale: bool) -> Iterator[list[Difference]]:
        while True:
            with self.connection.transaction():
                batch = reconcile_store.take_differences(self.connection, is_stale, _BATCH_SIZE)
            if not batch:
                return
            yield batch

    def _repair(self, differences: Sequence[Difference]) -> None:
        """Asks the CHT again, since documents may have changed during the listing."""
        ids = [one.cht_id for one in differences]
        with self.client.documents(self.database, ids) as parts:
            for found in parts:
                self._land(found)
                self._purge([one.landed_id for one in differences if one.cht_id in found.unknown])
                del found  # frees a large document before the next is read

    def _land(self, found: Found) -> None:
        documents = prepare(found).documents
        with self.connection.transaction():
            moment = now(self.connection)
            landed, deleted = (
                store.land(
                    self.connection,
                    self.landing,
                    self.source,
                    [document for document in documents if document.is_deleted is are_deleted],
                    moment,
                )
                for are_deleted in (False, True)
            )
        self._count(landed=landed.written, deleted=deleted.written)

    def _forget_purged(self, differences: Sequence[Difference]) -> None:
        """Keeps a deleted document's last content only while the CHT knows its deletion."""
        known = self.client.revisions(self.database, [one.cht_id for one in differences])
        self._purge(
            [
                one.landed_id
                for one in differences
                if known[one.cht_id].state is DocumentState.MISSING
            ]
        )

    def _purge(self, landed_ids: Sequence[str]) -> None:
        with self.connection.transaction():
            moment = now(self.connection)
            purged = reconcile_store.purge(
                self.connection, self.landing, self.source, landed_ids, moment
            )
        self._count(purged=purged)

    def _count(self, listed: int = 0, landed: int = 0, deleted: int = 0, purged: int = 0) -> None:
        self.counts = replace(
            self.counts,
            listed=self.counts.listed + listed,
            landed=self.counts.landed + landed,
            deleted=self.counts.deleted + deleted,
            purged=self.counts.purged + purged,
        )
        self.report(self.counts)


def _listed(client: ChtClient, database: str) -> Iterator[list[tuple[str, bytes, str]]]:
    """For each document that is not deleted: its landed id, its id in the CHT, its revision."""
    after: str | None = None
    while rows := client.listing(database, after, _LISTING_SIZE):
        after = rows[-1][0]
        ids = ((cht_id.encode(), revision) for cht_id, revision in rows)
        yield [(landed_id(one), one, rev) for one, rev in ids if not is_withheld(one)]
