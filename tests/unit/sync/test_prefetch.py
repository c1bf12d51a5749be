"""The feed is read while the landing is busy, and no further than memory allows."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import msgspec
import pytest

from pipeline.cht.changes import End, Leaf, Part, Row
from pipeline.cht.client import ChtClient
from pipeline.errors import Unavailable
from pipeline.sync.prefetch import MOST_QUEUED_BYTES, MOST_QUEUED_PARTS, Prefetch
from tests.waiting import LONG


class Pages(ChtClient):
    """A feed of pages of one part, which counts how many were read; the `broken` one fails."""

    def __init__(self, count: int, size: int = 10, broken: int | None = None) -> None:
        self.count, self.size, self.broken = count, size, broken
        self.was_read = 0
        self.has_read: dict[int, Event] = {number: Event() for number in range(count + 1)}

    @contextmanager
    def changes(self, database: str, since: str | None, limit: int) -> Iterator[Iterator[Part]]:
        del database, limit
        yield self._page(int(since or 0))

    def _page(self, number: int) -> Iterator[Part]:
        if number == self.broken:
            raise Unavailable("The CHT went away.")
        self.was_read += 1
        self.has_read[number].set()
        row = Row(msgspec.Raw(b'"a"'), (Leaf("1-a"),), doc=msgspec.Raw(b"{}"))
        yield Part([row], b" " * self.size, End(str(number + 1), self.count - number - 1))


def reading(pages: Pages) -> Prefetch:
    return Prefetch(pages, "medic", None, 1)


def settled(look: Callable[[], int]) -> int:
    """What it is once it does not grow any more."""
    seen = -1
    while seen != look():
        seen = look()
        time.sleep(0.1)
    return seen


def test_the_next_pages_are_read_while_one_lands() -> None:
    pages = Pages(3)
    with reading(pages) as ahead:
        for number, part in enumerate(ahead):
            assert part.end is not None
            assert part.end.sequence == str(number + 1)
            if number < 2:  # still landing
                assert pages.has_read[number + 1].wait(LONG)
    assert pages.was_read == 3


@pytest.mark.parametrize(("size", "most"), [(10, MOST_QUEUED_PARTS + 1), (MOST_QUEUED_BYTES, 2)])
def test_reading_goes_no_further_ahead_than_memory_allows(size: int, most: int) -> None:
    pages = Pages(20, size)
    with reading(pages) as ahead:
        parts = iter(ahead)
        next(parts)
        assert settled(lambda: pages.was_read) <= most
        next(parts)
        assert settled(lambda: pages.was_read) <= most + 1
        assert sum(1 for _ in parts) == 18


def test_what_goes_wrong_in_reading_is_reported_after_what_came_before() -> None:
    with reading(Pages(5, broken=2)) as ahead:
        parts = iter(ahead)
        assert [next(parts).rows, next(parts).rows] == [1, 1]
        with pytest.raises(Unavailable):
            next(parts)


def test_who_stops_taking_parts_stops_the_reading() -> None:
    pages = Pages(1000)
    with reading(pages) as ahead:
        next(iter(ahead))
    assert settled(lambda: pages.was_read) < 10
