"""Workers hear of what was accepted, when it can be sent and not for each answer."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.database import Address, connect
from pipeline.service.app import build
from pipeline.writeback import store
from pipeline.writeback.rules import State
from tests.integration.visitors import PROGRAMME_ROLES, nobody_signs_in, visitor

pytestmark = pytest.mark.one_server
MANY = 20


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


def heard(worker: psycopg.Connection) -> int:
    return len(list(worker.notifies(timeout=1)))


def test_workers_are_told_of_many_answers_a_few_times_and_find_the_last(
    engine: Engine, worker: psycopg.Connection
) -> None:
    found = []

    def wake(connection: psycopg.Connection) -> None:
        found.append(store.counts(connection)[State.PENDING])
        store.wake(connection)

    app = build(engine, nobody_signs_in, wake, PROGRAMME_ROLES)
    with visitor(app, engine, "supervisor_matope") as supervisor:
        verify(supervisor, MANY)
        assert heard(worker) == len(found) < MANY / 2
        assert found[-1] == MANY
        supervisor.get("/api/v1/tasks")
        assert heard(worker) == 0


def test_a_notice_that_could_not_be_given_does_not_keep_back_the_next(
    engine: Engine, worker: psycopg.Connection
) -> None:
    attempts = iter([psycopg.OperationalError, RuntimeError])

    def wake(connection: psycopg.Connection) -> None:
        for error in attempts:
            raise error
        store.wake(connection)

    app = build(engine, nobody_signs_in, wake, PROGRAMME_ROLES)
    with visitor(app, engine, "supervisor_matope") as supervisor:
        for _ in range(2):
            verify(supervisor, 1)
            assert heard(worker) == 0
        verify(supervisor, 1)
        assert heard(worker) == 1
