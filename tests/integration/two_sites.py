"""A small programme of two sites, and the documents that happen to it; it is 20 November 2026.

Site 1 has the household `hh1`, the CHW `chw1` and the supervisor `sup1`, whose contact is `boss1`;
site 2 the same with a 2. Everybody else a test registers itself.
"""

import json
import re
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy
from psycopg.rows import dict_row

from pipeline import database
from pipeline.worklist import run, store
from pipeline.worklist.records import Answer, Progress, Sent
from tests.integration.recorded_programme import Programme

FEEDS = Path(__file__).parents[1] / "data" / "field-cases"
VERIFICATION = "missed_appointment_verification"
APPOINTMENT = "2026-11-01"

Document = dict[str, Any]
_DEFINITION: Document = {
    "name": "verify",
    "title": "Verify missed appointment",
    "appliesTo": "reports",
    "appliesToType": ["trace"],
    "appointmentDate": "fields.trace_details.missed_appointment_date",
    "events": [{"id": "missed", "days": 0, "start": 0, "end": 28}],
    "resolvedIf": {"default": True, "newerReport": ["visit_verification"]},
    "actions": [{"form": VERIFICATION}],
    "assignedTo": {"roles": ["site_supervisor"]},
    "reasons": ["transferred_out", "moved", "died", "record_error", "other"],
}
# What the reports of a visit form say of the next visit.
NEXT_VISIT: Document = {
    "appliesToType": ["visit_verification"],
    "appointmentDate": "fields.next",
    "events": [
        {
            "id": "missed",
            "dueDate": {"path": "fields.next", "offsetDays": 3},
            "start": 7,
            "end": 28,
        }
    ],
    "resolvedIf": {"default": True},
}


def tasks_yml(**keys: Any) -> str:
    """One definition, `verify~missed`, with keys of its own. JSON is YAML."""
    programme = {
        "timezone": "Africa/Blantyre",
        "areaType": "chw_area",
        "tasks": [_DEFINITION | keys],
    }
    return json.dumps(programme)


def documents(feed: str) -> list[Document]:
    lines = (FEEDS / f"{feed}.feed.jsonl").read_text().splitlines()
    return [row["doc"] for row in map(json.loads, lines) if "doc" in row]


class TwoSites(Programme):
    """The small programme, in the words of its people."""

    _begun: tuple[Any, ...] = ()

    def begin(self, *more: Document, **keys: Any) -> None:
        """Everything anew: two sites, the definition with these keys, and these documents. Nothing
        is done where it last began with the same and nothing has happened since.
        """
        if self._begun == (more, keys):
            return
        self.empty()
        self.define(tasks_yml(**keys))
        own = {"n1", "night1", "night2", "night3"}
        self.change(*(one for one in documents("nightly") if one["_id"] not in own), *more)
        self._begun = (more, keys)

    def save(self, document: Document) -> None:
        self._begun = ()
        super().save(document)

    def delete(self, document_id: str, *, is_kept: bool = True) -> None:
        self._begun = ()
        super().delete(document_id, is_kept=is_kept)

    def change(self, *changed: Document) -> None:
        for document in changed:
            self.save(document)
        self.refresh()

    def withdraw(self, *document_ids: str) -> None:
        for document_id in document_ids:
            self.delete(document_id)
        self.refresh()

    def records(self, view: str, order: str) -> list[Document]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            query = f"select * from worklist_live.{view} order by {order}"  # noqa: S608
            return cursor.execute(query).fetchall()

    def ledger(self, source_id: str) -> Document:
        (row,) = (row for row in self._ledger() if row["source_id"] == source_id)
        return row

    def standings(self) -> dict[str, str]:
        return {row["source_id"]: row["standing"] for row in self._ledger()}

    def _ledger(self) -> list[Document]:
        return self.records("missed_appointment", "task_id")

    def listed(self, supervisor: str = "sup1") -> list[str]:
        """The reports whose tasks are on a supervisor's list."""
        rows = self.records("open_task", "source_id")
        return [row["source_id"] for row in rows if row["supervisor"] == supervisor]

    def verification(self, report_id: str) -> Document:
        rows = self.records("verification", "report_id")
        (row,) = (row for row in rows if row["report_id"] == report_id)
        return row

    def to_trace(self) -> dict[str, Document]:
        """By patient."""
        return {row["patient_uuid"]: row for row in self.records("to_trace", "patient_uuid")}

    def answer(
        self, source_id: str, outcome: str = "visited", *, reason: str = "", follows_round: int = 0
    ) -> str:
        """On the page, by `sup1`; the id of the report on its way to the CHT."""
        self._begun = ()
        with self.engine.begin() as connection:
            return run.accept(
                connection,
                store.viewer(connection, "sup1", ()),
                self.ledger(source_id)["task_uuid"],
                Sent(Answer(outcome, reason=reason), follows_round, str(uuid4())),
                now=database.now(connection),
                verification_id=uuid4(),
            ).report_id

    def progress(self) -> Progress:
        with self.engine.begin() as connection:
            return store.progress(connection, store.viewer(connection, "sup1", ()))

    @property
    def engine(self) -> sqlalchemy.Engine:
        if not hasattr(self, "_engine"):
            self._engine = database.engine(self.address)
        return self._engine


def moment(day: str, hour: int = 8) -> int:
    """As the CHT writes it: milliseconds since 1970."""
    written = datetime.combine(datetime.fromisoformat(day), time(hour), UTC)
    return int(written.timestamp() * 1000)


def person(uuid: str, household: str = "hh1", **more: Any) -> Document:
    parent = {"_id": household}
    return {"_id": uuid, "type": "contact", "contact_type": "person", "parent": parent, **more}


def account(name: str, contact: str, *roles: str, **more: Any) -> Document:
    """An online user's."""
    return {
        "_id": f"org.couchdb.user:{name}",
        "type": "user-settings",
        "name": name,
        "roles": ["mm-online", *roles],
        "contact_id": contact,
        **more,
    }


def report(
    uuid: str,
    form: str,
    about: str | Document,
    reported: Any = "2026-11-19",
    sender: str = "boss1",
    **more: Any,
) -> Document:
    """About a patient by uuid, or as `about` names one; reported on a day, or as it is given."""
    is_day = isinstance(reported, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", reported)
    return {
        "_id": uuid,
        "type": "data_record",
        "form": form,
        "content_type": "xml",
        "reported_date": moment(reported) if is_day else reported,
        "contact": {"_id": sender},
        "fields": ({"patient_uuid": about} if isinstance(about, str) else about) | more,
    }


def missed(
    uuid: str,
    about: str | Document,
    on: Any = APPOINTMENT,
    reported: Any = "2026-11-18",
    **more: Any,
) -> Document:
    """The medical record system says that a patient missed an appointment."""
    details = {"trace_reasons": "art", "missed_appointment_date": on}
    return report(uuid, "trace", about, reported, trace_details=details, **more)


def visit(uuid: str, about: str | Document, reported: Any = "2026-11-19", **more: Any) -> Document:
    return report(uuid, "visit_verification", about, reported, **more)


def verification(
    uuid: str,
    task: str,
    outcome: str = "visited",
    *,
    sender: str = "boss1",
    about: str | Document = "anna",
    round_: int = 1,
    **more: Any,
) -> Document:
    """As the CHT has it; `task` is the report whose task it names, or empty."""
    task_id = f"{task}~missed~verify" if task else ""
    return report(
        uuid,
        VERIFICATION,
        about,
        "2026-11-20",
        sender,
        inputs={"source": "task", "source_id": task, "task_id": task_id},
        task_id=task_id,
        round=str(round_),
        verification={"outcome": outcome, "visit_date": "", "reason": more.pop("reason", "")},
        **more,
    )
