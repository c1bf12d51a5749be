"""Guessing is stopped before the CHT locks everybody out, across all worker processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from pipeline import database as databases
from pipeline.database import Address
from pipeline.worklist import throttle
from pipeline.worklist.throttle import TooManyFailures

pytestmark = pytest.mark.one_server

START = datetime(2026, 11, 25, 8, tzinfo=UTC)


@dataclass
class Counting:
    """One process of the service; `seconds` have passed since the start."""

    engine: Engine
    seconds: float = 0.0

    def attempt(self, **limits: int) -> UUID:
        attempt_id = uuid4()
        moment = START + timedelta(seconds=self.seconds)
        with self.engine.begin() as connection:
            throttle.attempt(connection, attempt_id, limits, moment)
        return attempt_id

    def fail(self, times: int, **limits: int) -> None:
        for _ in range(times):
            self.attempt(**limits)

    def succeed(self, **limits: int) -> None:
        attempt_id = self.attempt(**limits)
        with self.engine.begin() as connection:
            throttle.take_back(connection, attempt_id)


@contextmanager
def process(address: Address) -> Iterator[Counting]:
    engine = databases.engine(address)
    yield Counting(engine)
    engine.dispose()


@pytest.fixture
def counting(database: Address) -> Iterator[Counting]:
    with process(database) as one:
        yield one


def test_a_key_that_has_failed_often_enough_is_stopped_and_no_other(counting: Counting) -> None:
    counting.fail(5, name=5, address=9)
    with pytest.raises(TooManyFailures):
        counting.fail(1, name=5, other_address=9)
    counting.fail(4, other_name=5, address=9)
    with pytest.raises(TooManyFailures):
        counting.fail(1, other_name=5, address=9)
    counting.seconds = 10.0
    counting.fail(1, name=5, address=9)


def test_refused_attempts_do_not_prolong_the_wait(counting: Counting) -> None:
    counting.fail(5, name=5)
    counting.seconds = 9.9
    with pytest.raises(TooManyFailures):
        counting.fail(1, name=5)
    counting.seconds = 10.0
    counting.fail(1, name=5)


def test_right_passwords_never_add_up(counting: Counting) -> None:
    for _ in range(20):
        counting.succeed(name=5, address=9)


def test_two_processes_count_together(counting: Counting, database: Address) -> None:
    with process(database) as beside:
        counting.fail(3, name=5)
        beside.fail(2, name=5)
        for each in (counting, beside):
            with pytest.raises(TooManyFailures):
                each.fail(1, name=5)


def test_simultaneous_guesses_are_limited_like_successive_ones(counting: Counting) -> None:
    def is_let_through(_: int) -> bool:
        try:
            counting.fail(1, name=5)
        except TooManyFailures:
            return False
        return True

    with ThreadPoolExecutor(8) as guessing:
        assert sum(guessing.map(is_let_through, range(24))) == 5


def test_nothing_that_was_typed_is_stored(counting: Counting) -> None:
    counting.fail(1, **{"name my-secret-password": 5})
    with counting.engine.connect() as connection:
        stored: str = connection.execute(
            text("select to_jsonb(failure)::text from app.sign_in_failure as failure")
        ).scalar_one()
    assert "my-secret" not in stored
    assert b"my-secret".hex() not in stored
