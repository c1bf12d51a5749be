"""Runs jobs at the same time, on threads that do not delay the exit of an interrupted command.

The threads of a ThreadPoolExecutor would: the interpreter joins them when it ends.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")


def run_all(jobs: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results in the order of the jobs; the first error is raised once all have ended."""
    futures = [_start(job) for job in jobs]
    wait(futures)
    return [future.result() for future in futures]


def _start(job: Callable[[], Result]) -> "Future[Result]":
    future: Future[Result] = Future()
    threading.Thread(target=_run, args=(job, future), daemon=True).start()
    return future


def _run(job: Callable[[], Result], future: "Future[Result]") -> None:
    try:
        future.set_result(job())
    except Exception as error:
        future.set_exception(error)
