"""One sync of one database, from where the last one ended until nothing is left."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

import psycopg

from pipeline.cht.client import ChtClient
from pipeline.cht.identity import check_account
from pipeline.database import now
from pipeline.sync import store
from pipeline.sync.rules import Batch, prepare
from pipeline.sync.store import Landing

PAGE_SIZE = 1000


@dataclass(frozen=True)
class Progress:
    """How far a sync has come. `pending` is None where the CHT does not say."""

    read: int = 0
    written: int = 0
    altered: int = 0
    set_aside: int = 0
    withheld: int = 0
    pending: int | None = None
    sequence: str | None = None


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class _ReadPage:
    batch: Batch
    rows: int
    sequence: str
    pending: int | None

    @property
    def is_last(self) -> bool:
        return self.rows == 0 or self.pending == 0


def sync_once(
    client: ChtClient,
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    database: str,
    page_size: int = PAGE_SIZE,
    report: Report = lambda _: None,
) -> Progress:
    """Reads until the CHT has nothing more, and returns how far it came.

    `connection` must be outside a transaction; each page is committed with the sequence it
    reaches. Raises Conflict when somebody else syncs this source, Refused when the account would
    not see everything, SettingsWrong when there is no such database, Unavailable when the CHT
    went away: what was committed until then stays, and the next sync goes on from there.
    """
    check_account(client, database)
    with store.locked(connection, landing, source):
        return _catch_up(client, connection, landing, source, database, page_size, report)


def follow(
    client: ChtClient,
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    database: str,
    stop: Event,
    page_size: int = PAGE_SIZE,
    report: Report = lambda _: None,
    wait_seconds: float = 25,
) -> None:
    """Syncs whenever the CHT changes, until `stop` is set; it is looked at between waits."""
    check_account(client, database)
    with store.locked(connection, landing, source):
        while not stop.is_set():
            reached = _catch_up(client, connection, landing, source, database, page_size, report)
            client.wait_for_change(database, reached.sequence, wait_seconds)


def _catch_up(
    client: ChtClient,
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    database: str,
    page_size: int,
    report: Report,
) -> Progress:
    """The next page is read and prepared on a thread while this one lands."""
    with connection.transaction():
        since = store.read_sequence(connection, landing, source)
    progress = Progress(sequence=since)
    with ThreadPoolExecutor(1, "read-changes") as reader:
        coming: Future[_ReadPage] | None = reader.submit(_read, client, database, since, page_size)
        while coming is not None:
            page, coming = coming.result(), None
            if not page.is_last:
                coming = reader.submit(_read, client, database, page.sequence, page_size)
            progress = _land(connection, landing, source, page, progress)
            report(progress)
    return progress


def _read(client: ChtClient, database: str, since: str | None, page_size: int) -> _ReadPage:
    page = client.changes(database, since, page_size)
    return _ReadPage(prepare(page.results), len(page.results), page.sequence, page.pending)


def _land(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    page: _ReadPage,
    progress: Progress,
) -> Progress:
    """One page and the sequence it reaches, in one transaction."""
    documents = page.batch.documents
    with connection.transaction():
        moment = now(connection)
        landed = store.land(connection, landing, source, documents, moment)
        store.save_progress(connection, landing, source, page.sequence, page.pending, moment)
    return replace(
        progress,
        read=progress.read + page.rows,
        written=progress.written + landed.written,
        altered=progress.altered + sum(document.is_altered for document in documents),
        set_aside=progress.set_aside + len(landed.set_aside),
        withheld=progress.withheld + page.batch.withheld,
        pending=page.pending,
        sequence=page.sequence,
    )
