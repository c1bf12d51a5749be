"""An accepted answer notifies the write-backs."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.database import Address, connect
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.writeback import store
from pipeline.writeback.rules import State
from tests.integration.signed_in_clients import service, visitor
from tests.waiting import LONG

pytestmark = pytest.mark.one_server
MANY = 5


@pytest.fixture
def worker(recorded_database: Address) -> Iterator[psycopg.Connection]:
    with connect(recorded_database, autocommit=True) as connection:
        connection.execute(f"listen {store.CHANNEL}")
        yield connection


def verify(supervisor: TestClient, count: int) -> None:
    shown = supervisor.get("/api/v1/tasks", params={"limit": count}).json()["tasks"]
    answers = [
        {"task_uuid": one["task_uuid"], "idempotency_key": str(uuid4()), "outcome": "visited"}
        for one in shown
    ]
    outcomes = supervisor.post("/api/v1/verifications", json={"verifications": answers}).json()
    assert [one["status"] for one in outcomes["outcomes"]] == [201] * count


def hear(worker: psycopg.Connection) -> None:
    assert list(worker.notifies(timeout=LONG, stop_after=1))


def heard_so_far(worker: psycopg.Connection) -> int:
    """How many notifications came before one of its own."""
    worker.execute("select pg_notify(%s, 'own')", [store.CHANNEL])
    for count, one in enumerate(worker.notifies(timeout=LONG)):
        if one.payload == "own":
            return count
    pytest.fail("not even its own")


def test_a_worker_that_looks_whenever_it_is_notified_finds_every_answer(
    engine: Engine, worker: psycopg.Connection
) -> None:
    supervisor = visitor(service(engine), engine, "supervisor_matope")
    supervisor.get("/api/v1/tasks")
    assert heard_so_far(worker) == 0
    verify(supervisor, MANY)
    while store.counts(worker)[State.PENDING] < MANY:
        hear(worker)
    verify(supervisor, 1)
    hear(worker)


@pytest.mark.parametrize("error", [psycopg.OperationalError, SettingsWrong, Unavailable])
def test_without_a_notification_there_is_no_answer(
    engine: Engine, worker: psycopg.Connection, error: type[Exception]
) -> None:
    def fails(_: psycopg.Connection) -> None:
        raise error

    supervisor = visitor(service(engine, notify_write_back=fails), engine, "supervisor_matope")
    [task] = supervisor.get("/api/v1/tasks", params={"limit": 1}).json()["tasks"]
    answered = supervisor.post(
        f"/api/v1/tasks/{task['task_uuid']}/verification",
        json={"outcome": "visited"},
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answered.status_code == 503
    assert store.counts(worker)[State.PENDING] == 0
