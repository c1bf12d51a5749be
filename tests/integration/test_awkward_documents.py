"""Documents as they occur, and worse: each lands, or is altered and listed, or is set aside."""

import json
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.sync.reconcile import Counts, Reconciliation
from pipeline.sync.run import Progress, Sync
from pipeline.sync.store import Landing
from tests.waiting import LONG

SOURCE = "cht.example/medic"
LANDING = Landing()
MEGABYTE = 1024 * 1024
LARGE = 30  # megabytes
NEIGHBOURS = {f"neighbour-{number}" for number in range(10)}

STORED = {
    "big number": b'{"n":1e400,"m":-' + b"9" * 400 + b"}",
    "hundred levels": b'{"d":' + b"[" * 100 + b"]" * 100 + b"}",
    "i" * 4096: b"{}",
    "dated by number": b'{"reported_date":1700000000000.5}',
    "dated by text": b'{"reported_date":"last week"}',
    "dated by null": b'{"reported_date":null}',
    "dated by object": b'{"reported_date":{"$date":[]}}',
    "attachments": b'{"_attachments":{"photo":{"content_type":"image/png","stub":true}}}',
}
ALTERED = {
    "nul in a value": b'{"t":"a\\u0000b"}',
    "nul in a key": b'{"a\\u0000b":1}',
    "nul in the \\u0000 id": b'{"t":"\\u0000"}',
}
SET_ASIDE = {
    "half a pair": b'{"t":"\\ud800"}',
    "other half": b'{"t":"\\udc00 x"}',
    "no utf-8": b'{"t":"\xff"}',
    "number without end": b'{"n":1e200000}',
    "twenty thousand levels": b'{"d":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "id \\ud800": b"{}",
}


class Feed:
    """One page, sent in pieces; listed, too."""

    def __init__(self, documents: dict[str, bytes], deleted: dict[str, bytes]) -> None:
        self.documents, self.deleted = documents, deleted

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/_session":
            context = {"name": "a", "roles": ["mm-online"]}
            return httpx.Response(200, json={"userCtx": context})
        if request.url.path.endswith("/_all_docs"):
            return httpx.Response(200, content=self.listing(request))
        if request.url.params.get("since"):
            return httpx.Response(200, content=b'{"results":[\n\n],\n"last_seq":"1","pending":0}\n')
        return httpx.Response(200, content=self.body())

    def body(self) -> Iterator[bytes]:
        opening = b'{"results":[\n'
        for document_id, content in (*self.documents.items(), *self.deleted.items()):
            gone = b',"deleted":true' if document_id in self.deleted else b""
            head = b'%b{"seq":null,"id":"%b","changes":[{"rev":"2-b"}]%b,"doc":'
            yield head % (opening, document_id.encode(), gone)
            yield from in_pieces(content)
            yield b"}"
            opening = b",\r\n"
        yield b'\n],\n"last_seq":"1-x","pending":0}\n'

    def listing(self, request: httpx.Request) -> Iterator[bytes]:
        """Of all documents their revisions, or what stands under the ids asked for."""
        opening = b'{"total_rows":1,"offset":0,"rows":[\r\n'
        asked = json.loads(request.content)["keys"] if request.content else self.documents
        for document_id in [] if "startkey" in request.url.params else asked:
            one = document_id.encode()
            yield b'%b{"id":"%b","key":"%b","value":{"rev":"2-b"}' % (opening, one, one)
            if request.content:
                yield b',"doc":'
                yield from in_pieces(self.documents[document_id])
            yield b"}"
            opening = b",\r\n"
        yield (b"" if opening.startswith(b",") else opening) + b"\r\n]}\n"


def in_pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 256 * 1024):
        yield content[start : start + 256 * 1024]


def client(documents: dict[str, bytes], deleted: dict[str, bytes]) -> ChtClient:
    transport = httpx.MockTransport(Feed(documents, deleted))
    return ChtClient("http://cht.example", "a", "b", transport=transport)


def sync(database: Address, documents: dict[str, bytes], deleted: dict[str, bytes]) -> Progress:
    with connect(database, autocommit=True) as connection:
        return Sync(client(documents, deleted), connection, LANDING, SOURCE, "medic").once()


def reconcile(database: Address, documents: dict[str, bytes]) -> Counts:
    with connect(database, autocommit=True) as connection:
        return Reconciliation(client(documents, {}), connection, LANDING, SOURCE, "medic").once()


def ids(connection: psycopg.Connection, table: str) -> set[Any]:
    column = "id_bytes" if table.endswith("set_aside") else "_id"
    return {row[0] for row in connection.execute(f"select {column} from v1.{table}")}  # noqa: S608


def test_every_awkward_document_is_accounted_for_and_its_neighbours_stand(
    database: Address, connection: psycopg.Connection
) -> None:
    neighbours = dict.fromkeys(NEIGHBOURS, b'{"n":1}')
    gone = {"gone with content": b'{"_deleted":true,"note":"left behind"}'}
    done = sync(database, {**STORED, **ALTERED, **SET_ASIDE, **neighbours}, gone)
    altered = {one.replace("\\u0000", "\ufffd") for one in ALTERED}
    assert ids(connection, "couchdb") == {*STORED, *altered, *NEIGHBOURS, *gone}
    assert ids(connection, "couchdb_altered") == altered
    assert len(ids(connection, "couchdb_set_aside")) == len(SET_ASIDE)
    assert (done.altered, done.set_aside, done.pending) == (len(ALTERED), len(SET_ASIDE), 0)
    reasons = connection.execute("select reason from v1.couchdb_set_aside").fetchall()
    assert all(reason for (reason,) in reasons)
    stub = {"_id": "gone with content", "_rev": "2-b", "_deleted": True}
    assert documents_named(connection, "gone with content") == stub
    assert documents_named(connection, "dated by text") == {"reported_date": "last week"}
    digits = connection.execute(
        "select length(doc ->> 'm') from v1.couchdb where _id = 'big number'"
    ).fetchone()
    assert digits == (401,)


def documents_named(connection: psycopg.Connection, document_id: str) -> Any:
    row = connection.execute("select doc from v1.couchdb where _id = %s", (document_id,)).fetchone()
    return row[0] if row else None


def test_a_reconciliation_accounts_for_awkward_documents_too(
    database: Address, connection: psycopg.Connection
) -> None:
    listable = {one: content for one, content in SET_ASIDE.items() if "\\" not in one}
    reconcile(database, {**STORED, **listable})
    assert ids(connection, "couchdb") == set(STORED)
    assert len(ids(connection, "couchdb_set_aside")) == len(listable)


def weigh(said: Connection, database: Address, does_reconcile: bool) -> None:
    """The peak of this process in MB, without the document that the feed itself holds."""
    content = b'{"t":"' + b"x" * (LARGE * MEGABYTE) + b'"}'
    documents = {f"large-{number}": content for number in range(10)}
    if does_reconcile:
        reconcile(database, documents)
    else:
        sync(database, documents, {})
    said.send(_peak_mb() - LARGE)


def _peak_mb() -> float:
    """Of this program alone: `ru_maxrss` begins with what the process that started it had."""
    status = Path("/proc/self/status").read_text()
    [(kilobytes, *_)] = [
        line.split()[1:] for line in status.splitlines() if line.startswith("VmHWM:")
    ]
    return int(kilobytes) / 1024


@pytest.mark.one_server
@pytest.mark.parametrize("does_reconcile", [False, True], ids=["sync", "reconcile"])
def test_large_documents_need_the_memory_of_a_few(
    database: Address, connection: psycopg.Connection, does_reconcile: bool
) -> None:
    processes = multiprocessing.get_context("spawn")
    hearing, said = processes.Pipe(duplex=False)
    process = processes.Process(target=weigh, args=(said, database, does_reconcile))
    process.start()
    process.join(LONG)
    assert process.exitcode == 0
    assert hearing.recv() <= 150 + 5 * LARGE
    assert len(ids(connection, "couchdb")) == 10
