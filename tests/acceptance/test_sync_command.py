"""`worklist sync` as an operator runs it: a process of its own, and servers that come and go."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline import embedded
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.demo.server import serve
from pipeline.errors import Unavailable
from pipeline.sync import store
from pipeline.sync.store import Landing
from tests.conftest import (
    RECORDED_FEED,
    SimulatedCht,
    Worklist,
    free_port,
    worklist_for,
)


@contextmanager
def cht_at(port: int) -> Iterator[str]:
    """A simulated CHT that can be stopped and started at the same address."""
    process = multiprocessing.get_context("forkserver").Process(
        target=serve,
        args=(RECORDED_FEED, "127.0.0.1", port, "password", datetime.now(UTC), print),
        daemon=True,
    )
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        with ChtClient(url, "worklist", "password") as client:
            until(lambda: answers(client))
        yield url
    finally:
        process.kill()
        process.join()


def answers(client: ChtClient) -> bool:
    try:
        return client.session().name == "worklist"
    except Unavailable:
        return False


def until(is_true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


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
            until(lambda: has_landed(address, "first"))
            cht.close()
            time.sleep(0.5)
            cht.enter_context(cht_at(port))
            write(url, "after the CHT was away")
            until(lambda: has_landed(address, "after the CHT was away"))
            database.close()
            write(url, "while PostgreSQL was away")
            address = database.enter_context(postgres())
            until(lambda: has_landed(address, "while PostgreSQL was away"))
        finally:
            following.send_signal(signal.SIGTERM)
            _, said = following.communicate(timeout=10)
    assert "cannot be reached" in said
    assert "does not answer" in said
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
        until(lambda: has_landed(database, "settings"))
        os.kill(pid, signal.SIGSTOP)
        following.send_signal(signal.SIGTERM)
        following.communicate(timeout=10)
    finally:
        os.kill(pid, signal.SIGCONT)
        following.kill()


@pytest.fixture
def worklist(database: Address, simulated_cht: SimulatedCht, tmp_path: Path) -> Worklist:
    return worklist_for(database, simulated_cht.url, tmp_path)


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
