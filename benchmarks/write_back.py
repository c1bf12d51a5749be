"""The write-back of 10,000 verifications, compared with sending the same reports in the same pages
to `_bulk_docs` from memory.
"""

import argparse
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks import servers
from benchmarks.measured_legs import Leg, measured, median_ratio
from benchmarks.report import print_report
from benchmarks.servers import Couch
from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.writeback.channels import BulkDocs
from pipeline.writeback.run import WriteBack

SOURCE = "bench/reports"
DOCUMENTS = sql.Identifier("v1", "couchdb")
PAGE_SIZE = BulkDocs.page_size
ACCEPTED = datetime(2026, 11, 20, tzinfo=UTC)


def bare(couch: Couch, _: Address, count: int, seed: int) -> Callable[[], int]:
    client = _client(couch)
    ready = [msgspec.Raw(msgspec.json.encode(report)) for report in reports(count, seed)]
    pages = [ready[start : start + PAGE_SIZE] for start in range(0, count, PAGE_SIZE)]

    def run() -> int:
        return sum(one.ok for page in pages for one in client.bulk_docs(couch.database, page))

    return run


def write_back(couch: Couch, address: Address, count: int, seed: int) -> Callable[[], int]:
    _accept(address, reports(count, seed))
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


def measure(count: int, rounds: int) -> tuple[dict[str, list[Leg]], bool]:
    """The legs by name, and whether the CHT was simulated."""
    legs: dict[str, list[Leg]] = {name: [] for name in LEGS}
    seeds = itertools.count(1)  # new reports for each leg
    with servers.couch(0) as couch, servers.postgres() as address:
        for prepare in LEGS.values():  # once that does not count: files and caches grow
            measured(prepare, count, couch, address, count, next(seeds))
        for _ in range(rounds):
            for name, prepare in LEGS.items():
                legs[name].append(measured(prepare, count, couch, address, count, next(seeds)))
    return legs, couch.is_simulated


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--reports", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    legs, is_simulated = measure(given.reports, given.rounds)
    rates = {name: [given.reports / leg.seconds for leg in done] for name, done in legs.items()}
    rows = [
        {
            "leg": name,
            "reports/s": " ".join(f"{rate:,.0f}" for rate in rates[name]),
            "CPU s": f"{median(leg.cpu_seconds for leg in legs[name]):.2f}",
        }
        for name in legs
    ]
    ratio = median_ratio(rates["write-back"], rates["bare _bulk_docs"])
    print_report(
        f"Write-back of {given.reports:,} reports to "
        f"{'the simulated CHT' if is_simulated else 'a real CouchDB'}, {given.rounds} rounds",
        rows,
        {
            "reports_per_s": round(median(rates["write-back"])),
            "ratio_to_bare_bulk_docs": round(ratio, 2),
        },
    )


if __name__ == "__main__":
    main()
