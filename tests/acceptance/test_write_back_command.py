"""`worklist write-back` as an operator runs it."""

from pathlib import Path

import psycopg
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import Address
from pipeline.writeback import store
from tests.commands import Worklist, worklist_for
from tests.faulty_cht import FaultyCht
from tests.integration.outbox import Outbox
from tests.waiting import LONG, wait_until

pytestmark = pytest.mark.one_server


@pytest.fixture
def worklist(database: Address, faulty_cht: FaultyCht, tmp_path: Path) -> Worklist:
    return worklist_for(database, faulty_cht.url, tmp_path)


def listens(connection: psycopg.Connection) -> bool:
    """Whether the worker has gone through the queue without an error and waits for more."""
    return bool(
        connection.execute("""
            select from pg_stat_activity
            where datname = current_database() and query like '%min(outbox.next_attempt_at)%'
                and pid <> pg_backend_pid()
        """).fetchall()
    )


def test_recovery_is_logged_once_a_report_gets_through_and_not_before(
    worklist: Worklist,
    database: Address,
    connection: psycopg.Connection,
    faulty_cht: FaultyCht,
) -> None:
    with ChtClient(faulty_cht.url) as client:
        outbox = Outbox(database, connection, client)
    report_id = outbox.accept()
    faulty_cht.faults = [503]
    following = worklist.started("write-back", "--follow")
    try:
        for attempts in (1, 2):
            wait_until(lambda: outbox.row(report_id)[1] == attempts and listens(connection))  # noqa: B023
            faulty_cht.faults = [503] if attempts == 1 else []
            outbox.make_due()
            store.notify(connection)
        wait_until(lambda: outbox.states()[report_id] == "sent")
        assert following.stderr is not None
        failed, worked, sent = (following.stderr.readline().strip() for _ in range(3))
    finally:
        following.terminate()
        _, more = following.communicate(timeout=LONG)
    assert more == ""
    assert failed.endswith("(503: scripted). Retrying in 1 s.")
    assert worked == "write back: Works again."
    assert sent.startswith("write back: 1 sent")


def test_a_report_that_is_not_in_the_outbox_is_named_before_a_reason_is_asked(
    worklist: Worklist,
) -> None:
    done = worklist("write-back", "drop", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "There is no report nope in the outbox.\n"
