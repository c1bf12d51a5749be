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


def fail(throttle: Throttle, times: int, *keys: str) -> None:
    for _ in range(times):
        throttle.attempt(*keys)


def test_the_sixth_failure_within_ten_seconds_is_stopped(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, 5, "name a", "address 1")
    with pytest.raises(TooManyFailures):
        throttle.attempt("name a", "address 2")
    with pytest.raises(TooManyFailures):
        throttle.attempt("name b", "address 1")
    throttle.attempt("name b", "address 2")
    clock.now = 10.0
    throttle.attempt("name a", "address 1")


def test_being_stopped_does_not_prolong_the_wait(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, 5, "name a")
    clock.now = 9.9
    with pytest.raises(TooManyFailures):
        throttle.attempt("name a")
    clock.now = 10.0
    throttle.attempt("name a")


def test_right_passwords_never_add_up(throttle: Throttle) -> None:
    for _ in range(20):
        throttle.attempt("name a", "address 1")
        throttle.succeeded("name a", "address 1")
