"""Guessing is stopped before the CHT locks everybody out."""

import pytest

from pipeline.service.throttle import Throttle, TooManyFailures


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def fail(throttle: Throttle, times: int, **limits: int) -> None:
    for _ in range(times):
        throttle.attempt(limits)


def test_a_key_that_has_failed_often_enough_is_stopped_and_no_other(
    throttle: Throttle, clock: Clock
) -> None:
    fail(throttle, 5, name=5, address=9)
    with pytest.raises(TooManyFailures):
        fail(throttle, 1, name=5, other_address=9)
    fail(throttle, 4, other_name=5, address=9)
    with pytest.raises(TooManyFailures):
        fail(throttle, 1, other_name=5, address=9)
    clock.now = 10.0
    fail(throttle, 1, name=5, address=9)


def test_being_stopped_does_not_prolong_the_wait(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, 5, name=5)
    clock.now = 9.9
    with pytest.raises(TooManyFailures):
        fail(throttle, 1, name=5)
    clock.now = 10.0
    fail(throttle, 1, name=5)


def test_right_passwords_never_add_up(throttle: Throttle) -> None:
    for _ in range(20):
        throttle.attempt({"name": 5, "address": 9})
        throttle.take_back(["name", "address"])
