"""Jobs that run at the same time, independently of each other."""

import threading
from _thread import interrupt_main
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.daemon_threads import run_all
from pipeline.errors import Refused
from tests.waiting import LONG


def test_results_are_in_the_order_of_the_jobs() -> None:
    second_has_run = threading.Event()

    def first() -> str:
        assert second_has_run.wait(LONG)
        return "first"

    def second() -> str:
        second_has_run.set()
        return "second"

    assert run_all([first, second]) == ["first", "second"]


def test_the_error_of_a_job_is_raised_once_the_others_have_ended() -> None:
    is_done = threading.Event()

    def fail() -> None:
        raise Refused("no such database")

    def work() -> None:
        assert is_done.wait(LONG)

    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(run_all, [fail, work])
        with pytest.raises(TimeoutError):
            running.result(0.2)
        is_done.set()
        with pytest.raises(Refused, match="no such database"):
            running.result(LONG)


def test_an_interrupt_does_not_wait_for_jobs_that_hang() -> None:
    never = threading.Event()

    def hang() -> None:
        interrupt_main()
        never.wait(LONG)

    with pytest.raises(KeyboardInterrupt):
        run_all([hang])
    hanging = [thread for thread in threading.enumerate() if thread.name.endswith("(_run)")]
    assert hanging
    assert all(thread.daemon for thread in hanging)
    never.set()
