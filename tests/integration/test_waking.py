"""Workers hear of what was accepted, when it can be sent and not for each answer."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.database import Address, Connections, connect
from pipeline.service.app import build
from pipeline.service.waking import Waking
from pipeline.writeback import store
from pipeline.writeback.rules import State
from tests.integration.loop import on_a_loop
from tests.integration.signed_in_clients import PROGRAMME_ROLES, nobody_signs_in, service, visitor

pytestmark = pytest.mark.one_server
MANY = 5
A_WHILE, LONG_ENOUGH = 0.5, 20.0  # seconds


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


def hears(worker: psycopg.Connection, seconds: float) -> bool:
    return bool(list(worker.notifies(timeout=seconds, stop_after=1)))


def test_a_worker_that_looks_whenever_it_is_told_finds_every_answer(
    engine: Engine, worker: psycopg.Connection
) -> None:
    with visitor(service(engine), engine, "supervisor_matope") as supervisor:
        supervisor.get("/api/v1/tasks")
        assert not hears(worker, A_WHILE)
        verify(supervisor, MANY)
        while store.counts(worker)[State.PENDING] < MANY:
            assert hears(worker, LONG_ENOUGH)
        verify(supervisor, 1)
        assert hears(worker, LONG_ENOUGH)


def test_answers_of_one_moment_are_told_once(engine: Engine) -> None:
    told: list[psycopg.Connection] = []

    async def run() -> None:
        waking = Waking(Connections(engine), told.append)
        following = asyncio.create_task(waking.follow())
        for _ in range(MANY):
            waking.wake_soon()
        async with asyncio.timeout(LONG_ENOUGH):
            while not told:
                await asyncio.sleep(0.01)
        await asyncio.sleep(A_WHILE)
        following.cancel()

    on_a_loop(run)
    assert len(told) == 1


def test_a_notice_that_could_not_be_given_does_not_keep_back_the_next(
    engine: Engine, worker: psycopg.Connection
) -> None:
    failures = iter([psycopg.OperationalError, RuntimeError])

    def wake(connection: psycopg.Connection) -> None:
        for error in failures:
            raise error
        store.wake(connection)

    app = build(engine, nobody_signs_in, wake, PROGRAMME_ROLES)
    with visitor(app, engine, "supervisor_matope") as supervisor:
        for _ in range(2):
            verify(supervisor, 1)
            assert not hears(worker, A_WHILE)
        verify(supervisor, 1)
        assert hears(worker, LONG_ENOUGH)
