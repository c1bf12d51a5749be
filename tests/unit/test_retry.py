"""Retries back off, have a limit where one is wanted, and log each reason once."""

from dataclasses import dataclass, field
from threading import Event

import pytest

from pipeline.errors import Conflict, Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.retry import Retry


@dataclass
class InstantEvent(Event):
    """An event whose `wait` returns at once and moves the clock on."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        self.now += timeout or 0
        return self.is_set()


class Step:
    """Fails with the given errors, one a call, then succeeds."""

    def __init__(self, *errors: WorklistError) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch) -> InstantEvent:
    event = InstantEvent()
    monkeypatch.setattr("time.monotonic", lambda: event.now)
    return event


@pytest.fixture
def logged() -> list[str]:
    return []


def test_waits_double_up_to_a_ceiling(event: InstantEvent, logged: list[str]) -> None:
    step = Step(*[Unavailable("The CHT is down.")] * 9)
    assert Retry(None, logged.append, event)(step) == "done"
    assert event.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_each_reason_is_logged_once_and_so_is_recovery(
    event: InstantEvent, logged: list[str]
) -> None:
    step = Step(*[Unavailable("The CHT is down.")] * 3, Conflict("Another sync is running."))
    Retry(None, logged.append, event)(step)
    assert logged == [
        "The CHT is down. Retrying in 1 s.",
        "Another sync is running. Retrying in 8 s.",
        "Works again.",
    ]


def test_a_limit_ends_the_retries_with_the_error(event: InstantEvent, logged: list[str]) -> None:
    step = Step(*[Unavailable("down")] * 99)
    with pytest.raises(Unavailable, match="down"):
        Retry(20, logged.append, event)(step)
    assert sum(event.waits) == 15


def test_the_limit_counts_attempts_that_take_long(event: InstantEvent, logged: list[str]) -> None:
    def hang() -> None:
        event.now += 60
        raise Unavailable("down")

    with pytest.raises(Unavailable):
        Retry(60, logged.append, event)(hang)
    assert event.waits == [1]


def test_success_in_between_restarts_backoff_and_limit(
    event: InstantEvent, logged: list[str]
) -> None:
    retry = Retry(5, logged.append, event)
    errors = [Unavailable("down") for _ in range(6)]

    def step() -> None:
        if errors:
            if len(errors) % 2:
                retry.succeeded()
            raise errors.pop()

    retry(step)
    assert event.waits == [1, 1, 2, 1, 2, 1]


def test_a_refusal_is_not_retried(event: InstantEvent, logged: list[str]) -> None:
    with pytest.raises(Refused):
        Retry(None, logged.append, event)(Step(Refused("wrong password")))
    assert (event.waits, logged) == ([], [])


def test_a_refusal_is_retried_where_that_is_wanted(event: InstantEvent, logged: list[str]) -> None:
    retry = Retry(None, logged.append, event, errors=(WorklistError,))
    assert retry(Step(Refused("Not allowed."), SettingsWrong("No such CHT."))) == "done"
    assert logged == [
        "Not allowed. Retrying in 1 s.",
        "No such CHT. Retrying in 2 s.",
        "Works again.",
    ]


def test_a_step_that_ends_because_it_is_stopped_is_no_recovery(
    event: InstantEvent, logged: list[str]
) -> None:
    errors = [Unavailable("down")]

    def follow() -> None:
        if errors:
            raise errors.pop()
        event.set()

    Retry(None, logged.append, event)(follow)
    assert logged == ["down Retrying in 1 s."]


def test_a_stop_event_ends_the_retries(event: InstantEvent, logged: list[str]) -> None:
    event.set()
    with pytest.raises(Unavailable):
        Retry(None, logged.append, event)(Step(Unavailable("down"), Unavailable("down")))
    assert event.waits == []
