"""On one event loop: while one waits for PostgreSQL, or aside, the others go on."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipeline import turns
from pipeline.database import KEPT_CONNECTIONS, Connections
from tests.integration.loop import on_a_loop

pytestmark = pytest.mark.one_server

LOCK = text("select pg_advisory_xact_lock(1)")
A_MOMENT = text("select pg_sleep(0.01)")
IS_WAITED_FOR = text("""
    select exists (
        select from pg_locks as lock
        inner join pg_database as here on lock.database = here.oid
        where
            here.datname = current_database()
            and lock.locktype = 'advisory'
            and not lock.granted
    )
""")


def all_at_once(*jobs: Callable[[], Any]) -> list[Any]:
    async def run() -> list[Any]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(turns.run(job) for job in jobs))

    return on_a_loop(run)


def test_who_waits_for_postgresql_lets_him_go_on_for_whom_he_waits(engine: Engine) -> None:
    connections = Connections(engine)
    said: list[str] = []

    def holds() -> None:
        with connections.begun() as connection:
            connection.execute(LOCK)
            said.append("held")
            while not connection.execute(IS_WAITED_FOR).scalar_one():
                connection.execute(A_MOMENT)
            said.append("waited for")

    def waits() -> None:
        with connections.begun() as connection:
            while not said:
                connection.execute(A_MOMENT)
            connection.execute(LOCK)
            said.append("had")

    all_at_once(holds, waits)
    assert said == ["held", "waited for", "had"]


def test_many_more_than_there_are_connections_all_have_their_turn(engine: Engine) -> None:
    connections = Connections(engine)

    def asks(number: int) -> int:
        with connections.lent() as connection:
            answer = text("select pg_sleep(0.01) is not null, cast(:number as int)")
            return int(connection.execute(answer, {"number": number}).one()[1])

    numbers = range(5 * KEPT_CONNECTIONS)
    asking = [lambda number=number: asks(number) for number in numbers]
    assert all_at_once(*asking) == list(numbers)


def test_a_place_is_free_again_after_an_error(engine: Engine) -> None:
    connections = Connections(engine)

    def fails() -> None:
        with connections.begun() as connection:
            connection.execute(text("select 1 / 0"))

    def fails_often() -> int:
        for _ in range(2 * KEPT_CONNECTIONS):
            with pytest.raises(Exception, match="division by zero"):
                fails()
        with connections.begun() as connection:
            return int(connection.execute(text("select 1")).scalar_one())

    assert all_at_once(fails_often) == [1]


def test_who_is_sent_away_in_the_midst_of_a_statement_leaves_no_broken_connection(
    engine: Engine,
) -> None:
    connections = Connections(engine)

    def sleeps() -> None:
        with connections.begun() as connection:
            connection.execute(text("select pg_sleep(30)"))

    def asks() -> int:
        with connections.begun() as connection:
            return int(connection.execute(text("select 1")).scalar_one())

    async def cancel_then_ask() -> list[int]:
        sleeping = asyncio.create_task(turns.run(sleeps))
        await asyncio.sleep(0.2)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        return await asyncio.gather(*(turns.run(asks) for _ in range(KEPT_CONNECTIONS)))

    assert on_a_loop(cancel_then_ask) == [1] * KEPT_CONNECTIONS


def test_what_is_done_aside_holds_up_nobody() -> None:
    is_there = threading.Event()

    def waits() -> bool:
        return turns.aside(lambda: is_there.wait(30))

    def brings() -> bool:
        is_there.set()
        return True

    assert all_at_once(waits, brings) == [True, True]


def test_without_turns_aside_is_here() -> None:
    assert turns.aside(threading.get_ident) == threading.get_ident()
