"""Waiting for what takes its own time."""

import time
from collections.abc import Callable

LONG = 300.0  # seconds: nothing takes as long, however busy the machine


def wait_until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
