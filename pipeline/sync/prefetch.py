"""Prefetches the changes feed on a thread, within a bound of memory."""

import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pipeline.cht.changes import End
from pipeline.cht.client import ChtClient
from pipeline.sync.rules import Batch, prepare

MOST_QUEUED_BYTES = 6 * 1024 * 1024
MOST_QUEUED_PARTS = 3
_SWITCH_SECONDS = 0.0002


@dataclass(frozen=True)
class FetchedPart:
    """Part of a page, ready to land; `rows` counts the feed's rows; the last part has an `end`."""

    batch: Batch
    rows: int
    size: int
    end: End | None


class Prefetch:
    """The pages after `since` until nothing is left, part by part, in order.

    Reads the next parts while one lands, at most MOST_QUEUED_PARTS and MOST_QUEUED_BYTES ahead, so
    that huge documents are in memory one at a time.

    Shortens the interpreter's switch interval (5 ms by default): PostgreSQL is idle while the
    landing thread waits to send the next part.
    """

    def __init__(self, client: ChtClient, database: str, since: str | None, page_size: int) -> None:
        self._client = client
        self._database = database
        self._since = since
        self._page_size = page_size
        self._parts: queue.SimpleQueue[FetchedPart | BaseException | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._queued_bytes = 0
        self._queued_parts = 0
        self._is_closed = False
        # A daemon thread: the process can exit while the CHT does not answer.
        self._thread = threading.Thread(target=self._run, name="read-changes", daemon=True)

    def __enter__(self) -> Self:
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def __iter__(self) -> Iterator[FetchedPart]:
        """A part counts as landed when the next is asked for. Raises the reading thread's error."""
        while (part := self._parts.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            size = part.size
            yield part
            del part
            with self._changed:
                self._queued_bytes -= size
                self._queued_parts -= 1
                self._changed.notify()

    def _run(self) -> None:
        try:
            since = self._read_page(self._since)
            while since is not None:
                since = self._read_page(since)
            self._parts.put(None)
        except BaseException as error:
            self._parts.put(error)

    def _read_page(self, since: str | None) -> str | None:
        """The sequence at which the next page begins; None after the last."""
        rows, end = 0, None
        with self._client.changes(self._database, since, self._page_size) as parts:
            for part in parts:
                rows, end = rows + len(part.rows), part.end
                if not self._enqueue(
                    FetchedPart(prepare(part), len(part.rows), len(part.text), part.end)
                ):
                    return None
                del part
        is_last = rows == 0 or end is None or end.pending == 0
        return None if is_last or end is None else end.sequence

    def _enqueue(self, part: FetchedPart) -> bool:
        """False once the consumer has stopped."""
        with self._changed:
            self._queued_bytes += part.size
            self._queued_parts += 1
            self._parts.put(part)
            del part
            self._changed.wait_for(self._has_capacity)
            return not self._is_closed

    def _has_capacity(self) -> bool:
        has_capacity = (
            self._queued_bytes <= MOST_QUEUED_BYTES and self._queued_parts <= MOST_QUEUED_PARTS
        )
        return self._is_closed or has_capacity
