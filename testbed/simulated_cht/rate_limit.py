"""The CHT's limit on failed requests: ten points in ten seconds for each key."""

from collections.abc import Callable, Iterable

POINTS = 10
SECONDS = 10.0


class RateLimit:
    """Counts per address, user name and password, in windows that start with the first failure."""

    def __init__(self, clock: Callable[[], float], points: int = POINTS) -> None:
        self._clock = clock
        self._points = points
        self._windows: dict[str, tuple[float, int]] = {}

    def is_reached(self, keys: Iterable[str]) -> bool:
        return any(self._spent(key) >= self._points for key in keys)

    def charge(self, keys: Iterable[str]) -> None:
        for key in keys:
            spent = self._spent(key)
            start = self._windows[key][0] if spent else self._clock()
            self._windows[key] = start, spent + 1

    def _spent(self, key: str) -> int:
        start, points = self._windows.get(key, (0.0, 0))
        return points if self._clock() - start < SECONDS else 0
