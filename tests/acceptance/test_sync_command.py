"""`worklist sync` as an operator runs it: a process of its own, and servers that come and go."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline import embedded, steps
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.settings import Settings
from pipeline.sync import store
from pipeline.sync.longpoll import LongPoll
from pipeline.sync.store import Landing
from pipeline.tables import SYNC
from testbed.simulated_cht.server import serve
from tests.commands import Worklist, free_port, worklist_for
from tests.conftest import RECORDED_FEED, AsRole, SimulatedCht
from tests.faulty_cht import FaultyCht
from tests.forkserver import PROCESSES
from tests.waiting import LONG, wait_until


@contextmanager
def cht_at(port: int) -> Iterator[str]:
    """A simulated CHT that can be stopped and started at the same address."""
    process = PROCESSES.Process(
        target=serve,
        args=(RECORDED_FEED, "127.0.0.1", port, "password", datetime.now(UTC), print),
        daemon=True,
    )
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        with ChtClient(url, "worklist", "password") as client:
            wait_until(lambda: answers(client))
        yield url
    finally:
        process.kill()
        process.join()


def answers(client: ChtClient) -> bool:
    try:
        return client.session().name == "worklist"
    except Unavailable:
        return False


def until_said(process: subprocess.Popen[str], sentence: str) -> str:
    """What the process says up to this sentence."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if sentence in line:
            return said
    raise AssertionError(f"it did not say: {sentence}\n{said}")


def write(url: str, document_id: str) -> None:
    with ChtClient(url, "worklist", "password") as client:
        client.bulk_docs("medic", [{"_id": document_id, "type": "data_record"}])


def has_landed(address: Address, document_id: str) -> bool:
    with connect(address) as connection:
        found = connection.execute(
            "select from v1.couchdb where _id = %s", (document_id,)
        ).fetchone()
    return found is not None


@pytest.fixture
def postgres(tmp_path: Path) -> Callable[[], Any]:
    """A server of one's own that can be stopped and started; it keeps its port."""

    @contextmanager
    def started() -> Iterator[Address]:
        with embedded.running(tmp_path / "postgres") as server:
            yield Address("127.0.0.1", server.port, server.user, server.password, server.database)

    return started


@pytest.mark.one_server
def test_following_outlives_the_cht_and_postgresql(
    postgres: Callable[[], Any], tmp_path: Path
) -> None:
    port = free_port()
    with ExitStack() as cht, ExitStack() as database:
        url = cht.enter_context(cht_at(port))
        address = database.enter_context(postgres())
        worklist = worklist_for(address, url, tmp_path)
        worklist.must("migrate")
        following = worklist.started("sync", "--follow")
        try:
            write(url, "first")
            wait_until(lambda: has_landed(address, "first"))
            cht.close()
            said = until_said(following, "cannot be reached")
            cht.enter_context(cht_at(port))
            write(url, "after the CHT was away")
            wait_until(lambda: has_landed(address, "after the CHT was away"))
            database.close()
            said += until_said(following, "does not answer")
            write(url, "while PostgreSQL was away")
            address = database.enter_context(postgres())
            wait_until(lambda: has_landed(address, "while PostgreSQL was away"))
        finally:
            following.send_signal(signal.SIGTERM)
            said += following.communicate(timeout=LONG)[1]
    assert "Works again." in said
    assert "Traceback" not in said


@pytest.mark.one_server
def test_a_frozen_cht_does_not_keep_the_command_from_ending(
    simulated_cht: SimulatedCht, worklist: Worklist, database: Address
) -> None:
    pid = simulated_cht.process.pid
    assert pid is not None
    following = worklist.started("sync", "--follow")
    try:
        wait_until(lambda: has_landed(database, "settings"))
        os.kill(pid, signal.SIGSTOP)
        following.send_signal(signal.SIGTERM)
        following.communicate(timeout=50)  # it would wait for an answer for a minute
    finally:
        os.kill(pid, signal.SIGCONT)
        following.kill()


@pytest.fixture
def worklist(
    database: Address, as_role: AsRole, simulated_cht: SimulatedCht, tmp_path: Path
) -> Worklist:
    return worklist_for(as_role(database, SYNC), simulated_cht.url, tmp_path)


def held(connection: psycopg.Connection) -> tuple[object, ...]:
    """How many documents stand there, how many were set aside, and how many sequences."""
    counts = connection.execute("""
        select
            (select count(*) from v1.couchdb),
            (select count(*) from v1.couchdb_set_aside),
            (select count(*) from v1.couchdb_progress)
    """).fetchone()
    return counts or ()


@pytest.fixture
def doubtful(database: Address, faulty_cht: FaultyCht, tmp_path: Path) -> Worklist:
    """The command with a CHT that does what `faulty_cht` says."""
    return worklist_for(database, faulty_cht.url, tmp_path)


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (429, "has seen too many failed sign-ins"),
        (503, "failed (503: scripted)"),
        ("html", "answered with a login page instead of data"),
        ("garbage", "sent a response that cannot be read"),
        ("half", "cannot be reached: the connection was lost."),
    ],
)
def test_what_the_cht_does_wrong_is_named_and_nothing_is_half_written(
    doubtful: Worklist,
    faulty_cht: FaultyCht,
    connection: psycopg.Connection,
    fault: int | str,
    sentence: str,
) -> None:
    faulty_cht.reading_faults = [fault] * 9
    done = doubtful("sync", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"The CHT at {faulty_cht.url} {sentence}" in done.stderr
    assert "Traceback" not in done.stderr
    assert held(connection) == (0, 0, 0)


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("name", "value", "code", "sentence"),
    [
        ("COUCHDB_PASSWORD", "wrong", 2, "Check COUCHDB_USER and COUCHDB_PASSWORD."),
        ("COUCHDB_USER", "chw_matope_1", 2, "chw_matope_1 is an offline account"),
        ("COUCHDB_DBS", "no-such-database", 2, "has no /no-such-database/_changes"),
        ("COUCHDB_PORT", "1", 1, "cannot be reached: Connection refused."),
    ],
)
def test_wrong_settings_are_named_and_nothing_is_half_written(
    worklist: Worklist,
    connection: psycopg.Connection,
    name: str,
    value: str,
    code: int,
    sentence: str,
) -> None:
    done = replace(worklist, environment={**worklist.environment, name: value})("sync", "--once")
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "changes read" not in done.stderr
    assert "Traceback" not in done.stderr
    assert held(connection) == (0, 0, 0)


@pytest.mark.one_server
def test_what_passes_is_waited_out(
    doubtful: Worklist, faulty_cht: FaultyCht, connection: psycopg.Connection
) -> None:
    faulty_cht.reading_faults = [429, 503, "half"]
    patient = {**doubtful.environment, "WORKLIST_PATIENCE": "30"}
    done = replace(doubtful, environment=patient)("sync", "--once")
    assert done.returncode == 0, done.stderr
    said = done.stderr
    places = [said.index(one) for one in ("sign-ins", "failed (503", "be reached", "Works again.")]
    assert places == sorted(places)
    assert held(connection)[0] == count_of_documents(faulty_cht.url)


def count_of_documents(url: str) -> int:
    """Deleted ones included."""
    with ChtClient(url, "worklist", "password") as client:
        return client.pending("medic", None) or 0


@pytest.mark.one_server
def test_following_outlasts_what_passes_and_ends_when_it_is_refused(
    doubtful: Worklist, faulty_cht: FaultyCht, database: Address
) -> None:
    faulty_cht.reading_faults = [503, "garbage"]
    following = doubtful.started("sync", "--follow")
    try:
        wait_until(lambda: has_landed(database, "settings"))
        faulty_cht.reading_faults = ["html"]
        write(faulty_cht.url, "behind a login page")
        _, said = following.communicate(timeout=LONG)
    finally:
        following.kill()
    assert following.returncode == 1
    for sentence in ("failed (503", "cannot be read", "Works again.", "login page"):
        assert sentence in said
    assert not has_landed(database, "behind a login page")


@pytest.mark.one_server
def test_a_cht_that_freezes_is_waited_out(
    simulated_cht: SimulatedCht,
    worklist: Worklist,
    database: Address,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command's own time-out is a minute; here the same step with half a second."""
    pid = simulated_cht.process.pid
    assert pid is not None
    settings = Settings.read(worklist.environment)
    thaw = threading.Timer(1.5, os.kill, (pid, signal.SIGCONT))
    with ChtClient(simulated_cht.url, "worklist", "password", read_seconds=0.5) as client:
        os.kill(pid, signal.SIGSTOP)
        thaw.start()
        assert steps.sync(settings, database, client, patience_seconds=LONG) > 0
    said = capsys.readouterr().err
    assert "did not answer in time" in said
    assert "Works again." in said


@pytest.mark.one_server
def test_a_database_that_is_not_there_does_not_hold_up_the_others(
    worklist: Worklist, connection: psycopg.Connection
) -> None:
    both = {**worklist.environment, "COUCHDB_DBS": "medic, no-such-database"}
    done = replace(worklist, environment=both)("sync", "--once")
    assert done.returncode == 2
    assert "no-such-database" in done.stderr
    sources = connection.execute("select distinct source from v1.couchdb").fetchall()
    assert sources == [("127.0.0.1/medic",)]


@pytest.mark.one_server
def test_a_second_sync_says_who_is_at_it_and_leaves_when_patience_is_over(
    worklist: Worklist, database: Address
) -> None:
    with connect(database) as first, store.locked(first, Landing(), "127.0.0.1/medic"):
        holder = first.info.backend_pid
        done = worklist("sync", "--once")
    assert done.returncode == 1
    assert f"process {holder} (worklist)" in done.stderr


@pytest.mark.one_server
def test_reconciling_and_retrying_print_their_sums(
    worklist: Worklist, connection: psycopg.Connection
) -> None:
    worklist.must("sync", "--once")
    (count,) = (
        connection.execute("select count(*) from v1.couchdb where not _deleted").fetchone() or ()
    )
    connection.execute("delete from v1.couchdb where _id = 'settings'")
    done = worklist("sync", "reconcile")
    assert done.returncode == 0
    assert (
        f"reconcile medic: {count} documents listed; repaired: 1 missing or outdated, "
        "0 deleted, 0 purged ("
    ) in done.stderr
    connection.execute("""
        insert into v1.couchdb_set_aside
        select source, id::bytea, content::bytea, 'whatever it was', now()
        from v1.couchdb_progress
        cross join (values ('good', '{"_id":"good"}'), ('bad', '{"_id":')) as kept (id, content)
    """)
    done = worklist("sync", "retry")
    assert done.returncode == 0
    assert "retry medic: 1 of 2 set-aside documents landed" in done.stderr
    assert "1 still set aside: whatever it was" in done.stderr


@pytest.mark.one_server
def test_cycles_with_nothing_to_do_ask_the_cht_nothing(
    doubtful: Worklist, faulty_cht: FaultyCht, database: Address
) -> None:
    """What `worklist run` does each second: it waits for the CHT to tell."""
    settings = Settings.read(doubtful.environment)
    changed = threading.Event()
    with ChtClient(faulty_cht.url, "worklist", "password") as client:
        waiting = LongPoll(client)

        def turn() -> bool:
            steps.sync_changed(settings, database, client, waiting, changed)
            return changed.is_set()

        wait_until(turn)
        turn()
        asked = len(faulty_cht.requests)
        assert asked < 10
        changed.clear()
        for _ in range(20):
            turn()
        assert (len(faulty_cht.requests), changed.is_set()) == (asked, False)
        write(faulty_cht.url, "told")
        wait_until(turn)
    assert has_landed(database, "told")


@pytest.mark.one_server
def test_what_landed_is_a_change_also_when_another_database_fails(
    worklist: Worklist,
    simulated_cht: SimulatedCht,
    database: Address,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error is left to the cycle, which logs it once and not every second."""
    both = {**worklist.environment, "COUCHDB_DBS": "medic, no-such-database"}
    changed = threading.Event()
    with (
        ChtClient(simulated_cht.url, "worklist", "password") as client,
        pytest.raises(SettingsWrong, match="no-such-database"),
    ):
        steps.sync_changed(Settings.read(both), database, client, LongPoll(client), changed)
    assert changed.is_set()
    assert "no-such-database:" not in capsys.readouterr().err
