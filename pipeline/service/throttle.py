"""Slows down guessing of passwords before the CHT does it to everybody.

The CHT counts ten failed sign-ins in ten seconds for a name, and as many for an address, and then
lets in neither. So nine for an address is where we stop asking it; and because a whole site may
share one address, a name, and whatever else must not use that up alone, has less.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping

from pipeline.errors import Refused

SECONDS = 10.0


class TooManyFailures(Refused):
    """As many failures in ten seconds as there may be; the CHT was not asked."""

    def __init__(self) -> None:
        super().__init__(f"Too many failed sign-ins: wait {SECONDS:.0f} seconds.")


class Throttle:
    """`clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def attempt(self, limits: Mapping[str, int]) -> None:
        """How many failures each key may have in ten seconds.

        Counts as a failure until `take_back` says otherwise, so that guesses at once count too.
        Raises TooManyFailures, and then counts nothing.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            if any(len(self._failures[key]) >= most for key, most in limits.items()):
                raise TooManyFailures
            for key in limits:
                self._failures[key].append(now)

    def take_back(self, keys: Iterable[str]) -> None:
        """The latest attempt was no failure: a right password, or a CHT that did not answer."""
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
