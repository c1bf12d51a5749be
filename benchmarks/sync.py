"""Sync of 200,000 documents of 1.4 KB: against reading them and throwing them away, and against
landing them from memory with nothing else going on. Each leg is a process of its own.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import msgspec

from benchmarks import servers
from benchmarks.documents import report
from benchmarks.processes import measured_apart
from benchmarks.report import median, tell
from benchmarks.servers import Couch
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect, now
from pipeline.sync import store
from pipeline.sync.rules import Document
from pipeline.sync.run import PAGE_SIZE, Sync
from pipeline.sync.store import Landing

LANDING = Landing()
PART_DOCUMENTS = 1500  # about what a part of a page holds
SOURCE = "bench/reports"


@dataclass(frozen=True)
class Leg:
    """Seconds on the clock, seconds of our process's CPU, its peak memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def read(couch: Couch, _: Address, documents: int) -> Callable[[], int]:
    """The feed in the same pages, by the same client, thrown away unread."""
    client = _client(couch)

    def run() -> int:
        since, count = "0", 0
        while count < documents:
            query = {"include_docs": "true", "limit": str(PAGE_SIZE), "since": since}
            query["seq_interval"] = str(PAGE_SIZE)
            tail = b""
            with client.http.streamed("GET", f"/{couch.database}/_changes", query=query) as pieces:
                for piece in pieces:
                    tail = (tail + piece)[-8192:] if len(piece) < 8192 else piece
            since = msgspec.json.decode(b"{" + tail[tail.rindex(b'"last_seq"') :])["last_seq"]
            count += PAGE_SIZE
        return documents

    return run


def land(_: Couch, address: Address, documents: int) -> Callable[[], int]:
    """The same statement on one connection, with documents that are in memory already."""
    randomness = Random(1)
    reports = (report(number, randomness) for number in range(documents))
    ready = [
        Document(each["_id"].encode(), msgspec.json.encode(each), False, False) for each in reports
    ]
    connection = connect(address)
    _empty(address)

    def run() -> int:
        parts = iter(ready)
        while part := list(islice(parts, PART_DOCUMENTS)):
            store.write(connection, LANDING, SOURCE, part, now(connection))
            connection.commit()
        return documents

    return run


def sync(couch: Couch, address: Address, _: int) -> Callable[[], int]:
    client, connection = _client(couch), connect(address, autocommit=True)
    _empty(address)
    return lambda: Sync(client, connection, LANDING, SOURCE, couch.database).once().written


LEGS = {"bare read": read, "bare landing": land, "sync": sync}


def _client(couch: Couch) -> ChtClient:
    return ChtClient(couch.url, couch.user, couch.password)


def _empty(address: Address) -> None:
    with connect(address, autocommit=True) as connection:
        connection.execute("truncate v1.couchdb, v1.couchdb_progress")
        connection.execute("checkpoint")


def _run(said: Connection, name: str, couch: Couch, address: Address, documents: int) -> None:
    run = LEGS[name](couch, address, documents)
    began, cpu = time.perf_counter(), time.process_time()
    count = run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if count != documents:
        raise SystemExit(f"{name}: {count} documents instead of {documents}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said.send(Leg(seconds, cpu, peak))


def measure(name: str, *arguments: Any) -> Leg:
    leg: Leg = measured_apart(_run, name, *arguments)
    return leg


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--documents", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    rounds: dict[str, list[Leg]] = {name: [] for name in LEGS}
    with servers.couch(given.documents) as couch, servers.postgres() as address:
        measure("bare landing", couch, address, given.documents)  # files grow once only
        for _ in range(given.rounds):
            for name, legs in rounds.items():
                legs.append(measure(name, couch, address, given.documents))
    rates = {name: [given.documents / leg.seconds for leg in legs] for name, legs in rounds.items()}
    rows = [
        {
            "leg": name,
            "docs/s": " ".join(f"{rate:,.0f}" for rate in rates[name]),
            "CPU s/100k": f"{median([_cpu_per_100k(leg, given.documents) for leg in legs]):.2f}",
            "peak MB": f"{max(leg.peak_mb for leg in legs):.0f}",
        }
        for name, legs in rounds.items()
    ]
    figures = {
        "docs_per_s": round(median(rates["sync"])),
        "ratio_to_bare_read": _ratio(rates, "bare read"),
        "ratio_to_bare_landing": _ratio(rates, "bare landing"),
        "cpu_s_per_100k": round(
            median([_cpu_per_100k(leg, given.documents) for leg in rounds["sync"]]), 2
        ),
        "peak_mb": round(max(leg.peak_mb for leg in rounds["sync"]), 1),
    }
    where = "the simulated CHT" if couch.is_simulated else "a real CouchDB"
    tell(
        f"Sync of {given.documents:,} documents from {where}, {given.rounds} rounds", rows, figures
    )


def _cpu_per_100k(leg: Leg, documents: int) -> float:
    return leg.cpu_seconds / documents * 100_000


def _ratio(rates: dict[str, list[float]], baseline: str) -> float:
    """The median of the rounds' own ratios, since the machine's pace changes between rounds."""
    pairs = zip(rates["sync"], rates[baseline], strict=True)
    return round(median([ours / theirs for ours, theirs in pairs]), 2)


if __name__ == "__main__":
    main()
