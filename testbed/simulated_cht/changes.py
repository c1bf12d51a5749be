"""The changes of several shards as one feed, and its text as CouchDB sends it."""

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from testbed.simulated_cht.sequence import OPENING, encode
from testbed.simulated_cht.shard import Shard, StoredDocument

NO_LIMIT = 10**15
REPLAYED_AT_MOST = 5

Row = tuple[bytes, StoredDocument]


@dataclass(frozen=True)
class Page:
    """Rows, each with its sequence as JSON, and what follows them."""

    rows: list[Row]
    last_sequence: str
    pending: int

    def chunks(self, *, include_docs: bool, opening: bytes = b'{"results":[\n') -> Iterator[bytes]:
        """The page as CouchDB sends it: each row is a chunk of its own."""
        before = opening
        for sequence, document in self.rows:
            content = b',"doc":' + document.body if include_docs else b""
            yield b'%b{"seq":%b%b%b}' % (before, sequence, document.change, content)
            before = b",\r\n"
        ending = f'\n],\n"last_seq":"{self.last_sequence}","pending":{self.pending}}}\n\n'
        yield (b"" if self.rows else opening) + ending.encode()


class Reading:
    """One read of the feed, from given positions towards the end.

    The shards are merged at random: two reads give the same documents in a different order.
    """

    def __init__(
        self, shards: Sequence[Shard], instance: bytes, positions: list[int], randomness: Random
    ) -> None:
        self._shards = shards
        self._instance = instance
        self._positions = positions
        self._randomness = randomness
        self._rows: list[Row] = []
        self._pack = struct.Struct(f">{len(shards)}I").pack

    def page(self, limit: int, interval: int, *, replay: bool) -> Page:
        """The next `limit` rows; only every `interval`-th carries a sequence, the others null."""
        if replay:
            self._replay(limit, interval)
        self._read(limit, interval)
        pending = sum(
            shard.pending(position)
            for shard, position in zip(self._shards, self._positions, strict=True)
        )
        return Page(self._rows, encode(self._instance, self._positions), pending)

    def _replay(self, limit: int, interval: int) -> None:
        """Repeats rows from before the start; the positions do not go back."""
        started = [number for number, position in enumerate(self._positions) if position]
        if not started:
            return
        number = self._randomness.choice(started)
        end = self._positions[number]
        back = self._randomness.randint(1, min(end, REPLAYED_AT_MOST))
        for document in self._shards[number].rows[end - back : end]:
            if document and len(self._rows) < limit - 1:
                self._add(document, limit, interval)

    def _read(self, limit: int, interval: int) -> None:
        positions, random = self._positions, self._randomness.random
        unread = [number for number, shard in enumerate(self._shards) if shard.rows]
        while unread and len(self._rows) < limit:
            which = int(random() * len(unread))
            number = unread[which]
            rows, position = self._shards[number].rows, positions[number]
            if position >= len(rows):
                del unread[which]
                continue
            positions[number] = position + 1
            document = rows[position]
            if document:
                self._add(document, limit, interval)

    def _add(self, document: StoredDocument, limit: int, interval: int) -> None:
        """CouchDB counts the interval backwards from the limit."""
        is_due = (limit - len(self._rows)) % interval == 0
        self._rows.append((self._sequence() if is_due else b"null", document))

    def _sequence(self) -> bytes:
        packed = base64.urlsafe_b64encode(OPENING + self._instance + self._pack(*self._positions))
        return b'"%d-%b"' % (sum(self._positions), packed.rstrip(b"="))
