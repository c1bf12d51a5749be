"""One sync of one database, from where the last one ended to the end of the feed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event

import psycopg

from pipeline.cht.client import ChtClient
from pipeline.cht.http import RequestRefused
from pipeline.cht.users import check_account
from pipeline.database import now
from pipeline.errors import Refused, SettingsWrong, Unavailable
from pipeline.sync import store
from pipeline.sync.erase_deleted import erase_kept
from pipeline.sync.prefetch import FetchedPart, Prefetch
from pipeline.sync.reconcile import Reconciliation
from pipeline.sync.rules import has_gone_back
from pipeline.sync.store import Landing

PAGE_SIZE = 5000
_SAMPLE = 20


@dataclass(frozen=True)
class Progress:
    """How far a sync has got. `pending` is None where the CHT does not say."""

    read: int = 0
    written: int = 0
    altered: int = 0
    set_aside: int = 0
    withheld: int = 0
    pending: int | None = None
    sequence: str | None = None


Report = Callable[[Progress], None]
Say = Callable[[str], None]


@dataclass
class Sync:
    """One database and where it lands.

    `connection` is in autocommit mode; each page is committed with the sequence it reaches.
    `report` is called after every committed page, `say` with what an operator should know.
    """

    client: ChtClient
    connection: psycopg.Connection
    landing: Landing
    source: str
    database: str
    page_size: int = PAGE_SIZE
    report: Report = lambda _: None
    say: Say = lambda _: None
    progress: Progress = Progress()

    def once(self) -> Progress:
        """Reads to the end of the feed, and returns how far it got.

        Raises Conflict when another process syncs this source, SettingsWrong when the account
        would not see everything or there is no such database, Unavailable when the CHT does not
        answer: committed pages stay, and the next sync continues after them. The failure
        and its time are stored until something lands again.
        """
        try:
            check_account(self.client, self.database)
            with store.locked(self.connection, self.landing, self.source):
                erase_kept(self.connection, self.landing, self.source)
                self._catch_up()
        except (Refused, SettingsWrong, Unavailable) as error:
            self._note_failure(str(error))
            raise
        return self.progress

    def _note_failure(self, reason: str) -> None:
        with self.connection.transaction():
            moment = now(self.connection)
            store.note_failure(self.connection, self.landing, self.source, reason, moment)

    def follow(self, stop: Event, wait_seconds: float = 25) -> None:
        """Syncs whenever the CHT changes, until `stop` is set, which is checked between waits.

        The source is locked only while documents land, so that a reconciliation or a nightly job
        can run in between.
        """
        while not stop.is_set():
            reached = self.once()
            self.client.wait_for_change(self.database, reached.sequence, wait_seconds)

    def _catch_up(self) -> None:
        """Where the sequence is lost, compares all documents instead."""
        with self.connection.transaction():
            since = store.read_sequence(self.connection, self.landing, self.source)
            is_lost = store.has_lost_sequence(self.connection, self.landing, self.source)
        if since is not None and self._has_gone_back(since):
            self.say(
                f"{self.database} was recreated or restored from a backup, so the stored sequence "
                "is no longer valid: comparing every document."
            )
            with self.connection.transaction():
                store.forget_sequence(self.connection, self.landing, self.source)
            is_lost = True
        self._read_from(self._compare() if is_lost else since)

    def _compare(self) -> str:
        """The sequence to continue from. It stays lost until all is repaired, so that after an
        interruption the next sync compares again.
        """
        since = self.client.last_sequence(self.database)
        comparison = Reconciliation(
            self.client, self.connection, self.landing, self.source, self.database
        )
        counts = comparison.repair()
        with self.connection.transaction():
            moment = now(self.connection)
            store.save_progress(self.connection, self.landing, self.source, since, None, moment)
        self.progress = replace(self.progress, written=self.progress.written + counts.written)
        return since

    def _has_gone_back(self, since: str) -> bool:
        """Whether the CHT no longer knows the sequence, or the revisions landed last."""
        try:
            self.client.pending(self.database, since)
        except RequestRefused:
            return True
        with self.connection.transaction():
            landed = store.latest_revisions(self.connection, self.landing, self.source, _SAMPLE)
        stored = self.client.revisions(self.database, list(landed)) if landed else {}
        return any(has_gone_back(landed[id_], document) for id_, document in stored.items())

    def _read_from(self, since: str | None) -> None:
        self.progress = replace(self.progress, sequence=since)
        with Prefetch(self.client, self.database, since, self.page_size) as reading:
            parts = iter(reading)
            while self._land_page(parts):
                self.report(self.progress)

    def _land_page(self, parts: Iterator[FetchedPart]) -> bool:
        """Commits one page and the sequence it reaches in one transaction.

        False when there was no further page.
        """
        reached, end = self.progress, None
        with self.connection.transaction():
            moment = now(self.connection)
            for part in parts:
                reached, end = self._land(part, reached, moment), part.end
                del part  # frees a large document before the next is read
                if end is not None:
                    store.save_progress(
                        self.connection,
                        self.landing,
                        self.source,
                        end.sequence,
                        end.pending,
                        moment,
                    )
                    break
        self.progress = reached
        return end is not None

    def _land(self, part: FetchedPart, before: Progress, moment: datetime) -> Progress:
        documents = part.batch.documents
        landed = store.land(self.connection, self.landing, self.source, documents, moment)
        return replace(
            before,
            read=before.read + part.rows,
            written=before.written + landed.written,
            altered=before.altered + sum(document.is_altered for document in documents),
            set_aside=before.set_aside + len(landed.set_aside),
            withheld=before.withheld + part.batch.withheld,
            pending=part.end.pending if part.end else before.pending,
            sequence=part.end.sequence if part.end else before.sequence,
        )
