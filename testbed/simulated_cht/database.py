"""A CouchDB database in memory, as far as its changes feed and its documents go."""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from random import Random
from threading import RLock
from typing import Any

import msgspec

from testbed.simulated_cht.changes import NO_LIMIT, Page, Reading
from testbed.simulated_cht.revision import next_revision, parse
from testbed.simulated_cht.sequence import INSTANCE_BYTES, MalformedSequenceError, decode, encode
from testbed.simulated_cht.shard import Shard, StoredDocument, stored

SHARD_COUNT = 12
Document = dict[str, Any]


class CouchRefusal(Exception):
    """An error response of CouchDB."""

    def __init__(self, status: int, error: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.payload = {"error": error, "reason": reason}


def update_conflict() -> CouchRefusal:
    return CouchRefusal(409, "conflict", "Document update conflict.")


class Database:
    """Documents by id, and every update in one of twelve shards.

    `randomness` decides the order of reading and the ids of documents written without one;
    `replays` is the share of reads that repeat some rows from before their start. Thread-safe.
    """

    def __init__(
        self,
        name: str,
        randomness: Random,
        *,
        shard_count: int = SHARD_COUNT,
        replays: float = 0.0,
    ) -> None:
        self.name = name
        self.replays = replays
        self._randomness = randomness
        self._instance = randomness.randbytes(INSTANCE_BYTES)
        self._shards = [Shard() for _ in range(shard_count)]
        self._documents: dict[str, tuple[StoredDocument, int]] = {}
        self._ids: list[str] | None = None
        self._deleted_count = 0
        self._last_uuid = randomness.getrandbits(104) << 24
        self._listeners: list[Callable[[], None]] = []
        self._lock = RLock()

    # -- the feed

    def changes(
        self,
        since: str = "0",
        *,
        limit: int = NO_LIMIT,
        interval: int = 1,
    ) -> Page:
        """The documents changed after `since`, each in its latest revision."""
        with self._lock:
            positions = self._positions(since)
            replay = self._randomness.random() < self.replays
            reading = Reading(self._shards, self._instance, positions, self._randomness)
            return reading.page(limit, max(interval, 1), replay=replay)

    def last_sequence(self) -> str:
        with self._lock:
            return encode(self._instance, self._positions("now"))

    def _positions(self, since: str) -> list[int]:
        if since == "0":
            return [0] * len(self._shards)
        if since == "now":
            return [len(shard.rows) for shard in self._shards]
        try:
            return decode(since, self._instance, len(self._shards))
        except MalformedSequenceError as error:
            reason = "Malformed sequence supplied in 'since' parameter."
            raise CouchRefusal(400, "bad_request", reason) from error

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after every update, in the thread that made it."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.remove(listener)

    # -- documents

    def find(self, document_id: str) -> StoredDocument | None:
        """The latest revision, which may be a tombstone."""
        entry = self._documents.get(document_id)
        return entry[0] if entry else None

    def read(self, document_id: str) -> StoredDocument:
        document = self.find(document_id)
        if document is None or document.deleted:
            raise CouchRefusal(404, "not_found", "deleted" if document else "missing")
        return document

    def content(self, document_id: str) -> Document | None:
        """The parsed document; None if it is missing or deleted."""
        document = self.find(document_id)
        if document is None or document.deleted:
            return None
        content: Document = msgspec.json.decode(document.body)
        return content

    def ids(self, start: str | None = None, end: str | None = None) -> list[str]:
        """Ids of living documents in order, both ends included."""
        with self._lock:
            if self._ids is None:
                latest = (document for document, _ in self._documents.values())
                self._ids = sorted(document.id for document in latest if not document.deleted)
            first = 0 if start is None else bisect_left(self._ids, start)
            last = len(self._ids) if end is None else bisect_right(self._ids, end)
            return self._ids[first:last]

    @property
    def document_count(self) -> int:
        return len(self._documents) - self._deleted_count

    @property
    def deleted_count(self) -> int:
        return self._deleted_count

    # -- writing

    def write(self, document: Mapping[str, Any]) -> tuple[str, str]:
        """Stores a new revision; returns id and revision.

        Raises CouchRefusal (409) unless `_rev` is the latest.

        A tombstone needs no `_rev` to be written over, as in CouchDB.
        """
        with self._lock:
            document_id = _checked_id(document) or self.new_id()
            latest = self.find(document_id)
            parent = _parent(document.get("_rev"), latest)
            deleted = document.get("_deleted") is True
            content = {
                key: value
                for key, value in document.items()
                if key not in ("_id", "_rev", "_deleted")
            }
            revision = next_revision(parent, content, deleted=deleted)
            self._store(_rendered(document_id, revision, content, deleted=deleted))
            return document_id, revision

    def write_all(self, documents: Iterable[Mapping[str, Any]]) -> list[Document]:
        """The response of `_bulk_docs`; an illegal id refuses the whole request."""
        documents = list(documents)
        for document in documents:
            _checked_id(document)
        return [self._attempt(document) for document in documents]

    def _attempt(self, document: Mapping[str, Any]) -> Document:
        try:
            document_id, revision = self.write(document)
        except CouchRefusal as refusal:
            return {"id": document["_id"], **refusal.payload}
        return {"ok": True, "id": document_id, "rev": revision}

    def restore(self, document: StoredDocument) -> None:
        """Stores a revision made elsewhere, unless a higher one is stored (`new_edits=false`)."""
        with self._lock:
            latest = self.find(document.id)
            if latest is None or parse(latest.revision) < parse(document.revision):
                self._store(document)

    def delete(self, document_id: str, revision: str | None) -> str:
        self.read(document_id)
        return self.write({"_id": document_id, "_rev": revision, "_deleted": True})[1]

    def purge(self, document_id: str) -> None:
        """Removes a document without a trace in the feed, as `_purge` does."""
        with self._lock:
            document, index = self._documents.pop(document_id)
            self._shard(document_id).vacate(index)
            self._deleted_count -= document.deleted
            self._ids = None

    def new_id(self) -> str:
        """32 hexadecimal digits that ascend and share a prefix, as CouchDB's do."""
        self._last_uuid += self._randomness.randint(1, 0xFFD)
        return f"{self._last_uuid:032x}"

    def _store(self, document: StoredDocument) -> None:
        shard = self._shard(document.id)
        was = self._documents.get(document.id)
        if was:
            shard.vacate(was[1])
        self._documents[document.id] = document, shard.append(document)
        was_deleted = was is not None and was[0].deleted
        self._deleted_count += document.deleted - was_deleted
        if was is None or was_deleted != document.deleted:
            self._ids = None
        for listener in list(self._listeners):
            listener()

    def _shard(self, document_id: str) -> Shard:
        return self._shards[zlib.crc32(document_id.encode()) % len(self._shards)]


def _checked_id(document: Any) -> str | None:
    """The document's id, if it has one that CouchDB allows."""
    if not isinstance(document, Mapping):
        raise CouchRefusal(400, "bad_request", "Document must be a JSON object")
    document_id = document.get("_id")
    if document_id is None:
        return None
    if not isinstance(document_id, str):
        raise CouchRefusal(400, "illegal_docid", "Document id must be a string")
    if not document_id:
        raise CouchRefusal(400, "illegal_docid", "Document id must not be empty")
    if document_id.startswith("_") and not document_id.startswith("_design/"):
        reason = "Only reserved document ids may start with underscore."
        raise CouchRefusal(400, "illegal_docid", reason)
    return document_id


def _parent(given: Any, latest: StoredDocument | None) -> str | None:
    """The revision that a write with `_rev: given` follows."""
    if latest is None:
        if given:
            raise update_conflict()
        return None
    if given == latest.revision or (latest.deleted and not given):
        return latest.revision
    raise update_conflict()


def _rendered(
    document_id: str, revision: str, content: Mapping[str, Any], *, deleted: bool
) -> StoredDocument:
    own = {"_id": document_id, "_rev": revision, **({"_deleted": True} if deleted else {})}
    body = msgspec.json.encode({**own, **content})
    return stored(document_id, revision, body, deleted=deleted)
