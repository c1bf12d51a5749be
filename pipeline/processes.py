"""Jobs in processes of their own, forked from this one. Knows nothing of what they do."""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import connection
from multiprocessing.context import ForkProcess

Job = Callable[[], None]

_LOG = logging.getLogger(__name__)
_FORKING = multiprocessing.get_context("fork")
_SECONDS_UNTIL_AGAIN = 1.0
_SECONDS_TO_END = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def keep_running(jobs: Mapping[str, Job]) -> None:
    """Until SIGINT or SIGTERM, which ends all. A job that ends by itself is begun again.

    Each has what was there before, as a copy: no connection or thread may be among it. However
    this process ends, the others end with it.
    """
    alive, ours = os.pipe()
    running: dict[str, ForkProcess] = {}
    with until_signalled():
        try:
            while True:
                for name, job in jobs.items():
                    if name not in running:
                        running[name] = _started(name, job, alive, ours)
                connection.wait([process.sentinel for process in running.values()])
                for name in [name for name in running if not running[name].is_alive()]:
                    _LOG.warning("The process %s has ended by itself and is started again.", name)
                    del running[name]
                time.sleep(_SECONDS_UNTIL_AGAIN)
        finally:
            os.close(ours)
            _end(list(running.values()))
            os.close(alive)


@contextlib.contextmanager
def until_signalled() -> Iterator[None]:
    """Either signal ends what is done within, where signals arrive: on the main thread.

    Further ones change nothing, so that what is put away afterwards is put away.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sign: signal.signal(sign, _obey) for sign in _SIGNALS}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for sign, handler in before.items():
            if signal.getsignal(sign) is _obey:
                signal.signal(sign, handler)


def _obey(_number: int, _frame: object) -> None:
    for sign in _SIGNALS:
        signal.signal(sign, _take_no_notice)
    raise KeyboardInterrupt


def _take_no_notice(_number: int, _frame: object) -> None:
    """Of a signal on its way, Python would complain if it were ignored by then."""


def _started(name: str, job: Job, alive: int, ours: int) -> ForkProcess:
    process = _FORKING.Process(target=_run, args=(job, alive, ours), name=name, daemon=True)
    process.start()
    return process


def _run(job: Job, alive: int, ours: int) -> None:
    os.close(ours)
    threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        job()


def _end_with_parent(alive: int) -> None:
    """Nothing is ever written there, so reading ends with the only one who could."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(processes: list[ForkProcess]) -> None:
    for process in processes:
        process.terminate()
    until = time.monotonic() + _SECONDS_TO_END
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
        if process.is_alive():
            process.kill()
            process.join()
