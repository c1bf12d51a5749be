"""Every accepted verification reaches the CHT exactly once: through a line that fails at any point,
with workers that are killed in the middle of what they do. Read from the CHT itself.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from random import Random
from threading import Event
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.errors import WorklistError
from pipeline.sync.store import Landing
from pipeline.worklist.rules import FORM
from pipeline.writeback import store
from pipeline.writeback.channels import BulkDocs, ReportApi
from pipeline.writeback.rules import Backoff, State
from pipeline.writeback.run import WriteBack
from tests.conftest import SimulatedCht
from tests.faulty_proxy import FAULTS, faulty_proxy
from tests.forkserver import PROCESSES
from tests.integration.outbox import accept
from tests.waiting import wait_until

SENDER = "7166e9b0-7d60-5e79-9ef6-6f250ebaa747"
ACCEPTED = datetime(2026, 11, 20, 8, tzinfo=UTC)
# A lease must outlast what a request can take, here no more than the longest delay.
BACKOFF = Backoff(timedelta(seconds=2), timedelta(milliseconds=50), timedelta(milliseconds=400))

pytestmark = pytest.mark.one_server


@dataclass(frozen=True)
class Setting:
    """One way of writing, and how hard it is tried."""

    with_api: bool
    account: str
    reports: int
    page_size: int
    kills: int


SETTINGS = {
    "bulk_docs": Setting(False, "worklist", 2400, 40, 12),
    "api": Setting(True, "supervisor_matope", 300, 1, 6),
}


def work(address: Address, url: str, setting: Setting) -> None:
    """A worker that goes on whatever happens, until it is killed."""
    client = ChtClient(url, setting.account, "password", read_seconds=10)
    chosen = (
        ReportApi(client, "medic")
        if setting.with_api
        else BulkDocs(client, "medic", setting.page_size)
    )
    while True:
        try:
            with connect(address, autocommit=True) as connection:
                worker = WriteBack(chosen, connection, Landing().documents, "cht/medic", BACKOFF)
                worker.follow(Event(), lambda _: None)
        except WorklistError:
            time.sleep(0.02)


@dataclass
class Workers:
    """Some processes, of which one is killed now and then."""

    address: Address
    url: str
    setting: Setting
    randomness: Random
    running: list[BaseProcess]
    killed_at_work: int = 0

    def start(self) -> None:
        process = PROCESSES.Process(
            target=work, args=(self.address, self.url, self.setting), daemon=True
        )
        process.start()
        self.running.append(process)

    def kill_one(self, is_at_work: bool) -> None:
        victim = self.running.pop(self.randomness.randrange(len(self.running)))
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        assert victim.exitcode == -signal.SIGKILL
        self.killed_at_work += is_at_work


@contextmanager
def workers(address: Address, url: str, setting: Setting) -> Iterator[Workers]:
    crew = Workers(address, url, setting, Random(3), [])
    for _ in range(3):
        crew.start()
    try:
        yield crew
    finally:
        for process in crew.running:
            process.kill()
            process.join()


def report(number: int) -> dict[str, Any]:
    """Every twelfth is a correction of the one before it."""
    verification_id, is_second = UUID(int=number, version=4), number % 12 == 11
    task_id = f"source-{number - is_second}~verify~verify-missed-appointment"
    return {
        "_id": str(UUID(int=number, version=5)),
        "type": "data_record",
        "form": FORM,
        "content_type": "xml",
        "reported_date": 1795300000000 + number,
        "contact": {"_id": SENDER},
        "fields": {
            "verification": {"outcome": "visited", "note": f"Answer {number}"},
            "verification_id": str(verification_id),
            "task_id": task_id,
            "round": "2" if is_second else "1",
            "replaces": str(UUID(int=number - 1, version=5)) if is_second else "",
        },
    }


def accept_all(connection: psycopg.Connection, numbers: range) -> None:
    with connection.transaction():
        for number in numbers:
            accept(connection, report(number), ACCEPTED + timedelta(seconds=number))


def waiting(connection: psycopg.Connection) -> int:
    return store.counts(connection)[State.PENDING]


def in_the_cht(cht: SimulatedCht) -> list[dict[str, Any]]:
    """All reports of ours, as an administrator reads them."""
    answer = httpx.get(
        f"{cht.url}/medic/_all_docs?include_docs=true", auth=("medic", "password"), timeout=60
    )
    documents = [row["doc"] for row in answer.raise_for_status().json()["rows"]]
    return [one for one in documents if one.get("form") == FORM and "round" in one["fields"]]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_accepted_verification_is_in_the_cht_exactly_once(
    name: str, database: Address, connection: psycopg.Connection, simulated_cht: SimulatedCht
) -> None:
    setting = SETTINGS[name]
    with ChtClient(simulated_cht.url, "medic", "password") as administrator:
        administrator.bulk_docs("medic", [{"_id": f"form:{FORM}", "type": "form"}])
    with (
        faulty_proxy(simulated_cht.url, share=0.3, longest_delay=0.3) as proxy,
        workers(database, proxy.url, setting) as crew,
    ):
        each = setting.reports // setting.kills
        for start in range(0, setting.reports, each):
            accept_all(connection, range(start, start + each))
            time.sleep(crew.randomness.uniform(0.1, 0.4))
            crew.kill_one(is_at_work=waiting(connection) > 0)
            crew.start()
        wait_until(lambda: not waiting(connection))
        assert set(FAULTS) <= set(proxy.met), proxy.met
    assert crew.killed_at_work > setting.kills // 2

    found = in_the_cht(simulated_cht)
    copies = Counter(one["fields"]["verification_id"] for one in found)
    accepted = {
        one["fields"]["verification_id"]: one for one in map(report, range(setting.reports))
    }
    assert copies == Counter(list(accepted))
    for one in found:
        meant = accepted[one["fields"]["verification_id"]]
        assert one["fields"]["verification"] == meant["fields"]["verification"]
        assert one["reported_date"] == meant["reported_date"]
        assert setting.with_api or one["_id"] == meant["_id"]
    assert_corrections_name_what_they_replace(found)
    rows = connection.execute("select report_id, state from app.outbox").fetchall()
    assert {state for _, state in rows} == {"sent"}
    assert {report_id for report_id, _ in rows} == {one["_id"] for one in found}


def assert_corrections_name_what_they_replace(found: list[dict[str, Any]]) -> None:
    ids = {(one["fields"]["task_id"], one["fields"]["round"]): one["_id"] for one in found}
    corrections = [one["fields"] for one in found if one["fields"]["round"] == "2"]
    assert corrections
    for fields in corrections:
        assert fields["replaces"] == ids[fields["task_id"], "1"]
