"""Whatever happens in whatever order: in the end PostgreSQL holds what the CHT holds."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.errors import Unavailable
from pipeline.sync import store
from pipeline.sync.reconcile import Counts, Reconciliation
from pipeline.sync.rules import Document
from pipeline.sync.run import Progress, Sync
from pipeline.sync.store import Landing
from tests.conftest import SimulatedCht
from tests.forkserver import PROCESSES
from tests.integration.in_process_cht import InProcessCht
from tests.repetitions import ROUNDS
from tests.waiting import LONG, wait_until

SOURCE = "cht.example/medic"
LANDING = Landing()

ids = st.sampled_from(["a", "b", "c", "d\x00", "é", "with space"])
texts = st.sampled_from(["x", "y\x00", "z\\u0000", "\\", '"'])
schedules = st.lists(
    st.one_of(
        st.tuples(st.just("put"), ids, texts),
        st.tuples(st.just("delete"), ids),
        st.tuples(st.just("purge"), ids),
        st.tuples(st.just("back up")),
        st.tuples(st.just("restore the files")),
        st.tuples(st.just("restore anew"), st.integers(100, 199)),
        st.tuples(st.just("sync")),
        st.tuples(st.just("reconcile")),
        st.tuples(st.just("cut documents off")),
        st.tuples(st.just("cut off"), st.integers(0, 3000)),
        st.tuples(st.just("lose PostgreSQL"), st.integers(0, 4)),
        st.tuples(st.just("die after a page"), st.integers(0, 3)),
    ),
    max_size=18,
)


class DiedError(Exception):
    """The process ended there."""


@given(schedule=schedules, seed=st.integers(0, 99))
@settings(
    max_examples=40 * ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_after_any_schedule_of_edits_crashes_and_replays_postgresql_equals_the_cht(
    database: Address, schedule: list[tuple[Any, ...]], seed: int
) -> None:
    """Purges, and a restored database that was edited before the sync saw it, are for the
    reconciliation to find; everything else is the sync's.
    """
    cht = InProcessCht(seed, replays=0.5)
    backup = cht.backup()
    needs_reconciliation = False
    with connect(database, autocommit=True) as looking:
        looking.execute("truncate v1.couchdb, v1.couchdb_progress, v1.couchdb_altered")
        for event in schedule:
            match event:
                case ("put", document_id, text):
                    cht.put(document_id, t=text)
                case ("delete", document_id):
                    cht.delete(document_id)
                case ("purge", document_id):
                    cht.purge(document_id)
                    needs_reconciliation = True
                case ("back up",):
                    backup = cht.backup()
                case ("restore the files",):
                    cht.restore(backup)
                    needs_reconciliation = True
                case ("restore anew", new_seed):
                    cht.restore(backup, new_seed)
                    needs_reconciliation = True
                case ("sync",):
                    sync(cht, database)
                case ("reconcile",):
                    reconcile(cht, database)
                case ("cut documents off",):
                    for reading in (sync, reconcile):
                        cht.cut_documents = True
                        with suppress(Unavailable):
                            reading(cht, database)
                    cht.cut_documents = False
                case ("cut off", after):
                    cht.cut_after = after
                    with suppress(Unavailable):
                        sync(cht, database)
                    cht.cut_after = None
                case ("lose PostgreSQL", after):
                    with suppress(psycopg.OperationalError):
                        sync(cht, database, losing(looking, after))
                case ("die after a page", pages):
                    with suppress(DiedError):
                        sync(cht, database, dying_after(pages))
        sync(cht, database)
        if needs_reconciliation:
            reconcile(cht, database)
        assert living(looking) == {
            document_id.replace("\x00", "\ufffd"): clean(document)
            for document_id, document in cht.documents().items()
        }
        if needs_reconciliation:
            assert kept(looking) <= {one.replace("\x00", "\ufffd") for one in cht.deleted()}
        before = numbers(looking)
        sync(cht, database)
        assert reconcile(cht, database).written == 0
        assert numbers(looking) == before


Watch = Callable[[psycopg.Connection], Callable[[Progress], None]]


def sync(cht: InProcessCht, database: Address, watch: Watch | None = None) -> None:
    with connect(database, autocommit=True) as connection:
        report = watch(connection) if watch else lambda _: None
        Sync(cht.client(), connection, LANDING, SOURCE, "medic", 3, report).once()


def reconcile(cht: InProcessCht, database: Address) -> Counts:
    with connect(database, autocommit=True) as connection:
        return Reconciliation(cht.client(), connection, LANDING, SOURCE, "medic").once()


def losing(looking: psycopg.Connection, after: int) -> Watch:
    """The backend is killed once so many pages were committed."""

    def watch(connection: psycopg.Connection) -> Callable[[Progress], None]:
        pages = iter(range(after))

        def report(_: Progress) -> None:
            if next(pages, None) is None:
                pid = connection.info.backend_pid
                looking.execute("select pg_terminate_backend(%s, 5000)", (pid,))

        return report

    return watch


def dying_after(pages: int) -> Watch:
    left = iter(range(pages))

    def report(_: Progress) -> None:
        if next(left, None) is None:
            raise DiedError

    return lambda _: report


def living(connection: psycopg.Connection) -> dict[str, Any]:
    return dict(connection.execute("select _id, doc from v1.couchdb where not _deleted").fetchall())


def kept(connection: psycopg.Connection) -> set[str]:
    """Of which deleted documents the last content is still there."""
    rows = connection.execute("select _id from v1.couchdb where last_content is not null")
    return {document_id for (document_id,) in rows}


def numbers(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute("select _id, landed_number from v1.couchdb").fetchall())


def clean(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.replace("\x00", "\ufffd") if isinstance(value, str) else value
        for key, value in document.items()
    }


KILLS = 50


def sync_for_ever(said: Connection, url: str, address: Address) -> None:
    """What is killed: a process that syncs in small pages, again and again, and says when it
    begins, since a busy machine takes its time to start it.
    """
    with ChtClient(url, "worklist", "password") as client:
        said.send("begun")
        while True:
            with connect(address, autocommit=True) as connection:
                Sync(client, connection, LANDING, SOURCE, "medic", 20).once()


@pytest.mark.one_server
def test_a_sync_killed_at_any_instant_loses_nothing(
    simulated_cht: SimulatedCht, database: Address, connection: psycopg.Connection
) -> None:
    randomness = Random(20261124)
    reached = set()
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        for kill in range(KILLS):
            client.bulk_docs("medic", [{"_id": f"edit-{kill}-{n}", "n": n} for n in range(30)])
            hearing, said = PROCESSES.Pipe(duplex=False)
            process = PROCESSES.Process(
                target=sync_for_ever, args=(said, simulated_cht.url, database)
            )
            process.start()
            assert hearing.poll(LONG)
            time.sleep(randomness.uniform(0, 0.3))
            process.kill()
            process.join()
            assert process.exitcode == -signal.SIGKILL
            reached.add(connection.execute("select count(*) from v1.couchdb").fetchone())
        until_free(connection)
        with connect(database, autocommit=True) as own:
            Sync(client, own, LANDING, SOURCE, "medic").once()
        listed = dict(client.listing("medic", None, 100_000))
    landed = connection.execute(
        "select _id, doc ->> '_rev' from v1.couchdb where not _deleted"
    ).fetchall()
    assert dict(landed) == listed
    assert len(reached) > 10  # it was killed in the middle of things


def until_free(connection: psycopg.Connection) -> None:
    """A backend notices that its client is gone a moment later."""
    held = "select from pg_locks where locktype = 'advisory'"
    wait_until(lambda: not connection.execute(held).rowcount)


def document(name: str) -> Document:
    return Document(name.encode(), b'{"n":1}', False, False)


def test_sources_that_commit_out_of_order_are_read_whole_by_number_and_not_by_time(
    database: Address, connection: psycopg.Connection
) -> None:
    """The slow source takes its numbers and its time first, and commits last."""
    by_number: set[str] = set()
    by_time: set[str] = set()
    watermarks: dict[str, int] = {}
    read_until = None

    def read() -> None:
        nonlocal read_until
        for source in ("slow", "fast"):
            rows = connection.execute(
                "select _id, landed_number from v1.couchdb "
                "where source = %s and landed_number > %s",
                (source, watermarks.get(source, -1)),
            ).fetchall()
            by_number.update(name for name, _ in rows)
            watermarks[source] = max([watermarks.get(source, -1), *(number for _, number in rows)])
        rows = connection.execute(
            "select _id, saved_timestamp from v1.couchdb where saved_timestamp > %s::timestamp",
            (read_until or "-infinity",),
        ).fetchall()
        by_time.update(name for name, _ in rows)
        read_until = max([*(saved for _, saved in rows), *([read_until] if read_until else [])])

    with connect(database) as slow, connect(database) as fast:
        early, late = [
            slow.execute("select clock_timestamp() + %s::interval", (ahead,)).fetchone()
            for ahead in ("0", "1 second")
        ]
        assert early is not None
        assert late is not None
        store.land(slow, LANDING, "slow", [document("s1"), document("s2")], early[0])
        store.land(fast, LANDING, "fast", [document("f1"), document("f2")], late[0])
        fast.commit()
        read()
        slow.commit()
        read()
    assert by_number == {"s1", "s2", "f1", "f2"}
    assert by_time == {"f1", "f2"}  # what cht-sync's models would have lost for ever
