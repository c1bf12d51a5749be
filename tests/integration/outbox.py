"""The outbox of a test's database, and the write-back to a CHT that fails when told to."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect, now
from pipeline.sync.run import Sync
from pipeline.sync.store import Landing
from pipeline.writeback import store
from pipeline.writeback.channels import BulkDocs, Channel
from pipeline.writeback.outbox_pass import Summary
from pipeline.writeback.run import WriteBack

SOURCE = "cht.example/medic"
LANDING = Landing()
ACCEPTED = datetime(2026, 11, 20, 8, tzinfo=UTC)
FORM = "missed_appointment_verification"
SENDER = "7166e9b0-7d60-5e79-9ef6-6f250ebaa747"


class Outbox:
    """The outbox of the test's database, and one pass of the write-back."""

    def __init__(self, address: Address, looking: psycopg.Connection, client: ChtClient) -> None:
        self.address = address
        self.looking = looking
        self.client = client
        self.accepted = 0

    def accept(self, task: str = "", round_: int = 1, report_id: str = "") -> str:
        """Accepts a verification; returns the id of its report."""
        verification_id = uuid4()
        report_id = report_id or str(uuid4())
        self.accepted += 1
        accepted_at = ACCEPTED + timedelta(seconds=self.accepted)
        task = task or f"source-{self.accepted}~verify~verify-missed-appointment"
        accept(self.looking, report(report_id, verification_id, task, round_), accepted_at)
        store.notify(self.looking)
        return report_id

    def write_back(self, client: ChtClient | None = None, limit: int = 500) -> Summary:
        return self.write_back_by(BulkDocs(client or self.client, "medic", limit))

    def write_back_by(self, channel: Channel) -> Summary:
        with connect(self.address, autocommit=True) as connection:
            return WriteBack(channel, connection, LANDING.documents, SOURCE).once()

    def follow(self, stop: Event, went_well: Callable[[Summary], None]) -> None:
        with connect(self.address, autocommit=True) as connection:
            channel = BulkDocs(self.client, "medic")
            WriteBack(channel, connection, LANDING.documents, SOURCE).follow(stop, went_well)

    def sync(self) -> None:
        with connect(self.address) as connection:
            Sync(self.client, connection, LANDING, SOURCE, "medic").once()

    def now(self) -> datetime:
        return now(self.looking)

    def delete(self, report_id: str) -> None:
        """In the CHT, as a person does it there."""
        revision = self.client.document("medic", report_id).revision
        self.client.bulk_docs("medic", [{"_id": report_id, "_rev": revision, "_deleted": True}])

    def make_due(self) -> None:
        """Lets the pauses and leases pass."""
        self.looking.execute("update app.outbox set next_attempt_at = '-infinity'")

    def states(self) -> dict[str, str]:
        rows = self.looking.execute("select report_id, state from app.outbox").fetchall()
        return dict(rows)

    def row(self, report_id: str) -> tuple[str, int, str | None]:
        """State, attempts and last error."""
        found = self.looking.execute(
            "select state, attempts, last_error from app.outbox where report_id = %s", (report_id,)
        ).fetchone()
        assert found is not None
        return found

    def stored(self, report_id: str) -> dict[str, Any]:
        return dict(self.client.document("medic", report_id).content or {})


def accept(
    connection: psycopg.Connection, report: Mapping[str, Any], accepted_at: datetime
) -> None:
    """Stores the verification and its report as the service does."""
    fields = report["fields"]
    given = {
        "verification_id": UUID(fields["verification_id"]),
        "task_id": fields["task_id"],
        "round": fields["round"],
        "outcome": fields["verification"]["outcome"],
        "replaces": fields.get("replaces") or None,
        "report_id": report["_id"],
        "report": Jsonb(report),
        "accepted_at": accepted_at,
    }
    connection.execute(
        """
        with accepted as (
            insert into app.verification (
                verification_id, task_id, round, outcome, replaces, report_id, verified_by,
                verified_at
            )
            values (
                %(verification_id)s, %(task_id)s, %(round)s, %(outcome)s, %(replaces)s,
                %(report_id)s, 'supervisor_matope', %(accepted_at)s
            )
        )

        insert into app.outbox (verification_id, report_id, report, next_attempt_at, accepted_at)
        values (
            %(verification_id)s, %(report_id)s, %(report)s, '-infinity', %(accepted_at)s
        )
        """,
        given,
    )


def report(report_id: str, verification_id: UUID, task: str, round_: int) -> dict[str, Any]:
    return {
        "_id": report_id,
        "type": "data_record",
        "form": FORM,
        "content_type": "xml",
        "contact": {"_id": SENDER},
        "fields": {
            "verification": {"outcome": "visited", "visit_date": "", "note": "He came."},
            "verification_id": str(verification_id),
            "task_id": task,
            "round": str(round_),
        },
    }
