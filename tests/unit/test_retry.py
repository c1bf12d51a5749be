"""Waiting has a beginning, growing pauses and, where wanted, an end."""

from dataclasses import dataclass, field
from threading import Event

import pytest

from pipeline.errors import Conflict, Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.retry import Patience


@dataclass
class Pauses(Event):
    """An event that is waited for in no time, and a clock that moves on all the same."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0)
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
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def said() -> list[str]:
    return []


def patience(limit: float | None, pauses: Pauses, said: list[str]) -> Patience:
    return Patience(limit, said.append, pauses, lambda: pauses.now)


def test_pauses_grow_up_to_a_ceiling(pauses: Pauses, said: list[str]) -> None:
    step = Step(*[Unavailable("The CHT is down.")] * 9)
    assert patience(None, pauses, said).attempt(step) == "done"
    assert pauses.pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_reason_is_said_once_and_that_it_is_over_too(pauses: Pauses, said: list[str]) -> None:
    step = Step(*[Unavailable("The CHT is down.")] * 3, Conflict("Another sync is running."))
    patience(None, pauses, said).attempt(step)
    assert said == [
        "The CHT is down. Trying again, at first in 1 s.",
        "Another sync is running. Trying again, at first in 8 s.",
        "Works again.",
    ]


def test_patience_that_is_bounded_ends_with_the_error(pauses: Pauses, said: list[str]) -> None:
    step = Step(*[Unavailable("down")] * 99)
    with pytest.raises(Unavailable, match="down"):
        patience(20, pauses, said).attempt(step)
    assert sum(pauses.pauses) <= 20


def test_what_went_well_in_between_begins_the_count_anew(pauses: Pauses, said: list[str]) -> None:
    bounded = patience(5, pauses, said)
    errors = [Unavailable("down") for _ in range(6)]

    def step() -> None:
        if errors:
            if len(errors) % 2:
                bounded.went_well()
            raise errors.pop()

    bounded.attempt(step)
    assert set(pauses.pauses) == {1, 2}


def test_a_refusal_is_not_tried_again(pauses: Pauses, said: list[str]) -> None:
    with pytest.raises(Refused):
        patience(None, pauses, said).attempt(Step(Refused("wrong password")))
    assert (pauses.pauses, said) == ([], [])


def test_a_refusal_is_waited_out_where_that_is_wanted(pauses: Pauses, said: list[str]) -> None:
    bearing = Patience(None, said.append, pauses, lambda: pauses.now, bears=(WorklistError,))
    assert bearing.attempt(Step(Refused("Not allowed."), SettingsWrong("No such CHT."))) == "done"
    assert said == [
        "Not allowed. Trying again, at first in 1 s.",
        "No such CHT. Trying again, at first in 2 s.",
        "Works again.",
    ]


def test_a_pause_ends_when_told_to_stop(pauses: Pauses, said: list[str]) -> None:
    pauses.set()
    with pytest.raises(Unavailable):
        patience(None, pauses, said).attempt(Step(Unavailable("down"), Unavailable("down")))
