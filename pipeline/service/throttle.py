"""Slows down guessing of passwords before the CHT does it to everybody.

The CHT counts ten failed sign-ins in ten seconds for a name, and as many for an address, and then
lets in neither. So five in ten seconds, for a name as for an address, is where we stop asking it.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable

from pipeline.errors import Refused

FAILURES = 5
SECONDS = 10.0


class TooManyFailures(Refused):
    """Five failures in ten seconds; the CHT was not asked."""

    def __init__(self) -> None:
        super().__init__(f"Too many failed sign-ins: wait {SECONDS:.0f} seconds.")


class Throttle:
    """`clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def attempt(self, *keys: str) -> None:
        """Counts as a failure until `succeeded` says otherwise, so that guesses at once count too.

        Raises TooManyFailures, and then counts nothing.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            if any(len(self._failures[key]) >= FAILURES for key in keys):
                raise TooManyFailures
            for key in keys:
                self._failures[key].append(now)

    def succeeded(self, *keys: str) -> None:
        """Takes back the latest attempt: right passwords, and a CHT that did not answer."""
        with self._lock:
            for key in keys:
                if self._failures[key]:
                    self._failures[key].pop()

    def _forget(self, now: float) -> None:
        for key in list(self._failures):
            failures = self._failures[key]
            while failures and failures[0] <= now - SECONDS:
                failures.popleft()
            if not failures:
                del self._failures[key]
