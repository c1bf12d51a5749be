"""Write-back of 10,000 verifications: against the same reports in the same pages, sent to
`_bulk_docs` from memory and forgotten. Each leg is a process of its own.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks import servers
from benchmarks.processes import measured_apart
from benchmarks.report import median, tell
from benchmarks.servers import Couch
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.writeback.delivery import BulkDocs
from pipeline.writeback.run import WriteBack

SOURCE = "bench/reports"
DOCUMENTS = sql.Identifier("v1", "couchdb")
PAGE_SIZE = BulkDocs.page_size
ACCEPTED = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Leg:
    """Seconds on the clock, seconds of our process's CPU."""

    seconds: float
    cpu_seconds: float


def bare(couch: Couch, _: Address, reports: list[dict[str, Any]]) -> Callable[[], int]:
    client = _client(couch)
    pages = [
        [msgspec.Raw(msgspec.json.encode(report)) for report in reports[start : start + PAGE_SIZE]]
        for start in range(0, len(reports), PAGE_SIZE)
    ]

    def run() -> int:
        return sum(one.ok for page in pages for one in client.bulk_docs(couch.database, page))

    return run


def write_back(couch: Couch, address: Address, reports: list[dict[str, Any]]) -> Callable[[], int]:
    _accept(address, reports)
    client, connection = _client(couch), connect(address, autocommit=True)
    worker = WriteBack(BulkDocs(client, couch.database), connection, DOCUMENTS, SOURCE)
    return lambda: worker.once().sent


LEGS = {"bare _bulk_docs": bare, "write-back": write_back}


def _client(couch: Couch) -> ChtClient:
    return ChtClient(couch.url, couch.user, couch.password)


def reports(count: int, seed: int) -> list[dict[str, Any]]:
    """Verification reports as `worklist.rules` makes them, about 1 KB as JSON."""
    randomness = Random(seed)

    def uuid() -> str:
        return str(UUID(int=randomness.getrandbits(128), version=4))

    def report(number: int) -> dict[str, Any]:
        source, patient = uuid(), uuid()
        task_id = f"{source}~verify~verify-missed-appointment"
        return {
            "_id": uuid(),
            "type": "data_record",
            "form": "missed_appointment_verification",
            "content_type": "xml",
            "reported_date": 1_795_300_000_000 + number,
            "contact": {"_id": uuid(), "parent": {"_id": uuid()}},
            "hidden_fields": ["inputs", "verification_id", "task_id", "round", "replaces", "meta"],
            "fields": {
                "inputs": {
                    "source": "task",
                    "source_id": source,
                    "task_id": task_id,
                    "contact": {"_id": patient},
                },
                "patient_uuid": patient,
                "patient_id": str(number),
                "patient_name": f"Person {number}",
                "appointment_date": "2026-10-21",
                "verification": {
                    "outcome": "visited",
                    "visit_date": "2026-10-22",
                    "reason": "",
                    "note": "",
                },
                "verified_by": "supervisor_matope",
                "verification_id": uuid(),
                "task_id": task_id,
                "round": "1",
                "replaces": "",
            },
        }

    return [report(number) for number in range(count)]


def _accept(address: Address, accepted: list[dict[str, Any]]) -> None:
    """As `worklist.run.accept` leaves them, but all at once."""
    with connect(address, autocommit=True) as connection:
        connection.execute("truncate app.verification, app.outbox cascade")
        verifications = """
            copy app.verification (
                verification_id, task_id, round, outcome, report_id, verified_by, verified_at
            )
            from stdin
        """
        outbox = """
            copy app.outbox (verification_id, report_id, report, next_attempt_at, accepted_at)
            from stdin
        """
        with connection.cursor() as cursor, cursor.copy(verifications) as copy:
            for number, one in enumerate(accepted):
                fields, moment = one["fields"], ACCEPTED + timedelta(seconds=number)
                answer = (fields["verification_id"], fields["task_id"], 1, "visited")
                copy.write_row((*answer, one["_id"], fields["verified_by"], moment))
        with connection.cursor() as cursor, cursor.copy(outbox) as copy:
            for number, one in enumerate(accepted):
                id_, moment = one["fields"]["verification_id"], ACCEPTED + timedelta(seconds=number)
                copy.write_row((id_, one["_id"], Jsonb(one), "-infinity", moment))
        connection.execute("vacuum analyze app.verification, app.outbox")
        connection.execute("checkpoint")


def _run(
    said: Connection, name: str, couch: Couch, address: Address, count: int, seed: int
) -> None:
    run = LEGS[name](couch, address, reports(count, seed))
    began, cpu = time.perf_counter(), time.process_time()
    written = run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if written != count:
        raise SystemExit(f"{name}: {written} reports instead of {count}")
    said.send(Leg(seconds, cpu))


def measure(name: str, *arguments: Any) -> Leg:
    leg: Leg = measured_apart(_run, name, *arguments)
    return leg


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--reports", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    rounds: dict[str, list[Leg]] = {name: [] for name in LEGS}
    with servers.couch(0) as couch, servers.postgres() as address:
        for name in LEGS:  # files and caches grow once only
            measure(name, couch, address, given.reports, -1 - len(name))
        for number in range(given.rounds):
            for place, (name, legs) in enumerate(rounds.items()):
                seed = 2 * number + place
                legs.append(measure(name, couch, address, given.reports, seed))
    rates = {name: [given.reports / leg.seconds for leg in legs] for name, legs in rounds.items()}
    rows = [
        {
            "leg": name,
            "reports/s": " ".join(f"{rate:,.0f}" for rate in rates[name]),
            "CPU s": f"{median([leg.cpu_seconds for leg in legs]):.2f}",
        }
        for name, legs in rounds.items()
    ]
    pairs = zip(rates["write-back"], rates["bare _bulk_docs"], strict=True)
    figures = {
        "reports_per_s": round(median(rates["write-back"])),
        "ratio_to_bare_bulk_docs": round(median([ours / theirs for ours, theirs in pairs]), 2),
    }
    where = "the simulated CHT" if couch.is_simulated else "a real CouchDB"
    tell(f"Write-back of {given.reports:,} reports to {where}", rows, figures)


if __name__ == "__main__":
    main()
