"""Several jobs at once: none holds up another."""

import threading

import pytest

from pipeline.errors import Refused
from pipeline.side_by_side import side_by_side


def test_results_come_in_the_order_of_the_jobs() -> None:
    first_may_end = threading.Event()

    def first() -> str:
        assert first_may_end.wait(5)
        return "first"

    def second() -> str:
        first_may_end.set()
        return "second"

    said: list[str] = []
    assert side_by_side([first, second], threading.Event(), said.append) == ["first", "second"]
    assert said == []


def test_one_that_fails_is_said_and_the_others_end_their_work() -> None:
    failed, done = threading.Event(), []

    def fails() -> None:
        failed.set()
        raise Refused("no such database")

    def works() -> None:
        assert failed.wait(5)
        done.append("work")

    said: list[str] = []
    with pytest.raises(Refused):
        side_by_side([fails, works], threading.Event(), said.append)
    assert (done, said) == (["work"], ["no such database"])


def test_an_interruption_does_not_wait_for_jobs_that_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop, never = threading.Event(), threading.Event()

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        side_by_side([lambda: never.wait(60)], stop, lambda _: None)
    assert stop.is_set()
    never.set()
