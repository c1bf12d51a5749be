"""One shard of a database: its documents in the order of their last update."""

from bisect import bisect_left, insort
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The latest revision of a document as the bytes that are sent."""

    id: str
    revision: str
    deleted: bool
    body: bytes  # the whole document: {"_id":…,"_rev":…,…}
    change: bytes  # a row of the changes feed between its sequence and its document


def stored(document_id: str, revision: str, body: bytes, *, deleted: bool) -> StoredDocument:
    quoted = msgspec.json.encode(document_id)
    change = b',"id":' + quoted + b',"changes":[{"rev":"' + revision.encode() + b'"}]'
    if deleted:
        change += b',"deleted":true'
    return StoredDocument(document_id, revision, deleted, body, change)


class Shard:
    """Rows in the order of updates; a later update of a document leaves a gap at its former index.

    A position in the feed is the number of rows already read, gaps included.
    """

    def __init__(self) -> None:
        self.rows: list[StoredDocument | None] = []
        self._gaps: list[int] = []

    def append(self, document: StoredDocument) -> int:
        self.rows.append(document)
        return len(self.rows) - 1

    def vacate(self, index: int) -> None:
        self.rows[index] = None
        insort(self._gaps, index)

    def pending(self, position: int) -> int:
        """How many documents are still to be read."""
        gaps = len(self._gaps) - bisect_left(self._gaps, position)
        return max(len(self.rows) - position, 0) - gaps
