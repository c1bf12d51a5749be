"""Reads the feed ahead of the landing, on a thread, and no further than memory allows."""

import queue
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pipeline.cht.changes import End
from pipeline.cht.client import ChtClient
from pipeline.sync.rules import Batch, prepare

AHEAD_BYTES = 6 * 1024 * 1024
AHEAD_PARTS = 3
_TURN_SECONDS = 0.0002


@dataclass(frozen=True)
class ReadPart:
    """Part of a page, ready to land; `rows` counts what came, `end` is there in the last part."""

    batch: Batch
    rows: int
    size: int
    end: End | None


class ReadAhead:
    """The pages after `since` until nothing is left, part by part, in their order.

    The next parts are read while the last one lands, up to AHEAD_PARTS and AHEAD_BYTES: then
    reading goes on once some have landed, so that huge documents are in memory one at a time.

    The interpreter's threads take shorter turns from then on (Python's are of 5 ms): PostgreSQL is
    idle while the landing waits for its turn to send the next part.
    """

    def __init__(self, client: ChtClient, database: str, since: str | None, page_size: int) -> None:
        self._client = client
        self._database = database
        self._since = since
        self._page_size = page_size
        self._parts: queue.SimpleQueue[ReadPart | BaseException | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._waiting_parts = 0
        self._is_over = False
        # A daemon: a process that is told to end does not wait for a CHT that does not answer.
        self._thread = threading.Thread(target=self._run, name="read-changes", daemon=True)

    def __enter__(self) -> Self:
        sys.setswitchinterval(_TURN_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def __iter__(self) -> Iterator[ReadPart]:
        """A part counts as landed when the next one is asked for; errors of reading come here."""
        while (part := self._parts.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            size = part.size
            yield part
            del part
            with self._changed:
                self._waiting_bytes -= size
                self._waiting_parts -= 1
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
        """Where the next page begins; None when this was the last."""
        rows, end = 0, None
        with self._client.changes(self._database, since, self._page_size) as parts:
            for part in parts:
                rows, end = rows + len(part.rows), part.end
                if not self._hand_over(
                    ReadPart(prepare(part), len(part.rows), len(part.text), part.end)
                ):
                    return None
                del part
        is_last = rows == 0 or end is None or end.pending == 0
        return None if is_last or end is None else end.sequence

    def _hand_over(self, part: ReadPart) -> bool:
        """False when nobody takes parts any more."""
        with self._changed:
            self._waiting_bytes += part.size
            self._waiting_parts += 1
            self._parts.put(part)
            del part
            self._changed.wait_for(self._may_go_on)
            return not self._is_over

    def _may_go_on(self) -> bool:
        has_room = self._waiting_bytes <= AHEAD_BYTES and self._waiting_parts <= AHEAD_PARTS
        return self._is_over or has_room
