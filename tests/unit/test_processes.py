"""Processes that are kept running: again when one ends, and never without their parent."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pytest

from pipeline import processes

PATIENCE = 30.0


def work(said: Connection, name: str) -> None:
    said.send((name, os.getpid()))
    while True:
        time.sleep(60)


def keep(said: Connection) -> None:
    processes.keep_running({name: partial(work, said, name) for name in ("first", "second")})
    said.send(("ended", os.getpid()))


def end_when_told(said: Connection) -> None:
    with processes.until_signalled():
        work(said, "works")
    said.send(("puts away", os.getpid()))
    time.sleep(0.5)
    said.send(("is done", os.getpid()))


@pytest.fixture
def parent() -> Iterator[tuple[BaseProcess, Callable[[], tuple[str, int]]]]:
    """The process that keeps two others, and who says next that he has begun or ended."""
    heard, said = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("forkserver").Process(target=keep, args=(said,))
    process.start()

    def hear() -> tuple[str, int]:
        assert heard.poll(PATIENCE)
        told: tuple[str, int] = heard.recv()
        return told

    yield process, hear
    process.kill()
    process.join()


def is_gone(pid: int) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_one_that_ends_by_itself_is_begun_again_and_the_other_goes_on(
    parent: tuple[BaseProcess, Callable[[], tuple[str, int]]],
) -> None:
    _, hear = parent
    pids = dict([hear(), hear()])
    os.kill(pids["first"], signal.SIGKILL)
    name, pid = hear()
    assert name == "first"
    assert pid not in pids.values()
    os.kill(pids["second"], 0)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all(
    parent: tuple[BaseProcess, Callable[[], tuple[str, int]]], sign: signal.Signals
) -> None:
    process, hear = parent
    pids = dict([hear(), hear()])
    assert process.pid is not None
    os.kill(process.pid, sign)
    assert hear() == ("ended", process.pid)
    assert all(is_gone(pid) for pid in pids.values())
    process.join(PATIENCE)
    assert process.exitcode == 0


def test_a_parent_that_is_killed_leaves_nobody_behind(
    parent: tuple[BaseProcess, Callable[[], tuple[str, int]]],
) -> None:
    process, hear = parent
    pids = dict([hear(), hear()])
    process.kill()
    assert all(is_gone(pid) for pid in pids.values())


def test_signals_after_the_first_do_not_disturb_what_is_put_away() -> None:
    heard, said = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("forkserver").Process(target=end_when_told, args=(said,))
    process.start()
    for expected, signs in (
        ("works", [signal.SIGINT]),
        ("puts away", [signal.SIGTERM, signal.SIGINT]),
        ("is done", []),
    ):
        assert heard.poll(PATIENCE)
        name, pid = heard.recv()
        assert name == expected
        for sign in signs:
            os.kill(pid, sign)
    process.join(PATIENCE)
    assert process.exitcode == 0
