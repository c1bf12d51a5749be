"""The sync of 200,000 documents of 1.4 KB, compared with reading the same pages and throwing them
away, with landing the same documents from memory, and with curl writing the pages to files.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from itertools import islice
from random import Random
from statistics import median
from urllib.parse import urlencode

import msgspec
import psycopg

from benchmarks import servers
from benchmarks.documents import report
from benchmarks.measured_legs import Leg, measured, median_ratio
from benchmarks.report import print_report
from benchmarks.servers import Couch
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect, now
from pipeline.sync import store
from pipeline.sync.rules import Document
from pipeline.sync.run import PAGE_SIZE, Sync
from pipeline.sync.store import Landing

LANDING = Landing()
PART_DOCUMENTS = 1500  # about as many as a part of a page holds
SOURCE = "bench/reports"


def bare_read(couch: Couch, _: Address, documents: int) -> Callable[[], int]:
    """The feed in the same pages, by the same client, thrown away unread."""
    client = _client(couch)

    def run() -> int:
        _page_starts(client, couch, documents)
        return documents

    return run


def curl(couch: Couch, _: Address, documents: int) -> Callable[[], int]:
    """The same pages over one connection, each written to a file."""
    starts = _page_starts(_client(couch), couch, documents)
    address = f"{couch.url}/{couch.database}/_changes"
    command = ["curl", "--silent", "--fail", "--user", f"{couch.user}:{couch.password}"]

    def run() -> int:
        with tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder:
            pages = [
                f'url = "{address}?{urlencode(_query(start))}"\noutput = "{folder}/{number}"'
                for number, start in enumerate(starts)
            ]
            subprocess.run(
                [*command, "--config", "-"], input="\n".join(pages), text=True, check=True
            )
        return documents

    return run


def bare_landing(_: Couch, address: Address, documents: int) -> Callable[[], int]:
    """The same statement on one connection, with documents that are in memory already."""
    randomness = Random(1)
    reports = (report(number, randomness) for number in range(documents))
    ready = [
        Document(each["_id"].encode(), msgspec.json.encode(each), False, False) for each in reports
    ]
    connection = connect(address, autocommit=True)
    _empty(address)

    def run() -> int:
        land(connection, SOURCE, ready)
        return documents

    return run


def land(connection: psycopg.Connection, source: str, documents: Iterable[Document]) -> None:
    """As the sync does, with nothing else going on."""
    coming = iter(documents)
    while part := list(islice(coming, PART_DOCUMENTS)):
        with connection.transaction():
            store.write(connection, LANDING, source, part, now(connection))


def sync(couch: Couch, address: Address, _: int) -> Callable[[], int]:
    client, connection = _client(couch), connect(address, autocommit=True)
    _empty(address)
    return lambda: Sync(client, connection, LANDING, SOURCE, couch.database).once().written


# What a read costs depends on the server's pace: the simulated CHT is several times faster.
OF_COUCHDB = {"ratio_to_bare_read", "cpu_to_curl"}
# A real CouchDB takes the cores that landing needs.
OF_SIMULATION = {"ratio_to_bare_landing"}
LEGS = {"bare read": bare_read, "curl": curl, "bare landing": bare_landing, "sync": sync}


def _page_starts(client: ChtClient, couch: Couch, documents: int) -> list[str]:
    """The sequence before each page; reads the pages to learn them."""
    starts = ["0"]
    for _ in range(0, documents, PAGE_SIZE):
        tail, path = b"", f"/{couch.database}/_changes"
        with client.http.streamed("GET", path, query=_query(starts[-1])) as pieces:
            for piece in pieces:
                tail = (tail + piece)[-8192:] if len(piece) < 8192 else piece
        end = msgspec.json.decode(b"{" + tail[tail.rindex(b'"last_seq"') :])
        starts.append(end["last_seq"])
    return starts[:-1]


def _query(since: str) -> dict[str, str]:
    size = str(PAGE_SIZE)
    return {"include_docs": "true", "limit": size, "seq_interval": size, "since": since}


def _client(couch: Couch) -> ChtClient:
    return ChtClient(couch.url, couch.user, couch.password)


def _empty(address: Address) -> None:
    with connect(address, autocommit=True) as connection:
        connection.execute("truncate v1.couchdb, v1.couchdb_progress")
        connection.execute("checkpoint")


def measure(documents: int, rounds: int) -> tuple[dict[str, list[Leg]], bool]:
    """The legs by name, and whether the CHT was simulated."""
    legs: dict[str, list[Leg]] = {name: [] for name in LEGS}
    with servers.couch(documents) as couch, servers.postgres() as address:
        for prepare in LEGS.values():  # once that does not count: files and caches grow
            measured(prepare, documents, couch, address, documents)
        for _ in range(rounds):
            for name, prepare in LEGS.items():
                legs[name].append(measured(prepare, documents, couch, address, documents))
    return legs, couch.is_simulated


def figures_of(legs: dict[str, list[Leg]], documents: int) -> dict[str, float]:
    rates = {name: [documents / leg.seconds for leg in done] for name, done in legs.items()}
    cpu_seconds = {name: [leg.cpu_seconds for leg in done] for name, done in legs.items()}
    return {
        "docs_per_s": round(median(rates["sync"])),
        "ratio_to_bare_read": round(median_ratio(rates["sync"], rates["bare read"]), 2),
        "ratio_to_bare_landing": round(median_ratio(rates["sync"], rates["bare landing"]), 2),
        "cpu_to_curl": round(median_ratio(cpu_seconds["sync"], cpu_seconds["curl"]), 2),
        "peak_mb": round(max(leg.peak_mb for leg in legs["sync"]), 1),
    }


def _row(name: str, legs: list[Leg], documents: int) -> dict[str, str]:
    return {
        "leg": name,
        "docs/s": " ".join(f"{documents / leg.seconds:,.0f}" for leg in legs),
        "CPU s/100k": f"{median(leg.cpu_seconds for leg in legs) / documents * 100_000:.2f}",
        "peak MB": f"{max(leg.peak_mb for leg in legs):.0f}",
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--documents", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    if not shutil.which("curl"):
        raise SystemExit("curl is missing: install it (Debian: apt-get install curl).")
    legs, is_simulated = measure(given.documents, given.rounds)
    figures = figures_of(legs, given.documents)
    print_report(
        f"Sync of {given.documents:,} documents from "
        f"{'the simulated CHT' if is_simulated else 'a real CouchDB'}, {given.rounds} rounds",
        [_row(name, done, given.documents) for name, done in legs.items()],
        figures,
        not_judged=OF_COUCHDB if is_simulated else OF_SIMULATION,
    )


if __name__ == "__main__":
    main()
