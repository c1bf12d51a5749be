"""The CHT's rules engine in the small: what it says of a case, and what we say instead.

Written from the prose of tests/data/task-oracle/README.md, once, with a switch for everything in
which we differ. With all switches off it must repeat what the engine recorded; with all on it
must say what our tables say: so a difference is excused only where it is the one foreseen.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from oracle import dates
from oracle.appointments import REPEATED, Key, Reported, Row, carried, united
from oracle.deviations import Deviation
from oracle.recorded_cases import ROLE, VERIFICATION_FORM

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """A document that a definition applies to, with what counts of its subject."""

    document: Document
    subject: str | None
    is_report: bool


class Judge:
    """Says of one case what is emitted, by the engine's rules but for `deviations`."""

    def __init__(self, case: Mapping[str, Any], deviations: frozenset[Deviation]) -> None:
        self.definition = case["definition"]
        self.documents: list[Document] = case["docs"]
        self.earlier: list[Mapping[str, Any]] = case.get("earlier", [])
        self.zone = ZoneInfo(case["timezone"])
        self.now = datetime.fromisoformat(case["now"])
        self.deviations = deviations

    def rows(self) -> dict[Key, Row]:
        """By source document and event."""
        reported = [
            self._reported(source, event)
            for source in self.sources.values()
            for event in self.definition["events"]
        ]
        tasks = carried(reported)
        states = {key: self._answered(united(group), group) for key, group in tasks.items()}
        return {one.key: states.get(one.key, REPEATED) for one in reported}

    def _reported(self, source: Source, event: Mapping[str, Any]) -> Reported:
        moment = dates.readable_moment(self._reported_date(source.document))
        row = self._row(source, event)
        return Reported(
            self._key(source, event),
            self._appointment(source, self._key(source, event)[1]),
            dates.milliseconds(self.now) if moment is None else moment,
            row,
            not row.deleted and self._is_resolved(source, event, row.due, VERIFICATION_FORM),
        )

    def _key(self, source: Source, event: Mapping[str, Any]) -> Key:
        place = self.definition["events"].index(event)
        return source.document["_id"], str(event["id"] or place)

    # which appointment, and who answers it

    def _appointment(self, source: Source, event_id: str) -> tuple[str, str, date] | None:
        """None where a report is an appointment of its own."""
        return self._about_day(source, event_id, self._appointment_day(source.document))

    def _about_day(
        self, source: Source, event_id: str, day: date | None
    ) -> tuple[str, str, date] | None:
        is_known = self._is_known(source.subject)
        if not self._differs(Deviation.ONE_APPOINTMENT) or day is None or not is_known:
            return None
        return str(source.subject), event_id, day

    def _is_known(self, subject: str | None) -> bool:
        return subject in {contact["_id"] for contact in self.contacts}

    def _appointment_day(self, document: Document) -> date | None:
        """Only our own definitions have a path to it."""
        path = self.definition.get("appointmentDatePath")
        value = dates.number_of_digits(_at(document, path)) if path else None
        day = dates.readable_day(value, self.zone)
        return day if day and dates.is_believable_day(day) else None

    def _answered(self, row: Row, group: list[Reported]) -> Row:
        """With the state: a verification answers whichever report it names."""
        is_answered = any(one.is_answered for one in group) or (
            self._differs(Deviation.ANSWERED)
            and any(self._answers(subject, report, group) for subject, report in self.reports)
        )
        if row.deleted or (not is_answered and len(group) == 1):
            return row
        is_resolved = row.resolved or is_answered
        state = self._state(is_resolved, row.deleted, row.start, row.end)
        return replace(row, resolved=is_resolved, calculated=state)

    def _answers(self, subject: str | None, report: Document, group: list[Reported]) -> bool:
        """Whether it names one of the group, or one that was withdrawn and handed over, or one that
        was about the same appointment when it was answered.
        """
        named = self._named(report)
        if report["form"] != VERIFICATION_FORM or named is None or named[0] not in self.sources:
            return False
        if report.get("deleted") or self._is_void(report):
            return False
        source = self.sources[named[0]]
        are_known = self._is_known(subject) and self._is_known(source.subject)
        if are_known and subject != source.subject:
            return False
        said = dates.readable_day(_at(report, "fields.appointment_date"), self.zone)
        is_changed = said not in (None, self._appointment_day(source.document))
        if not is_changed or not self._differs(Deviation.APPOINTMENT_CHANGED):
            if named in {one.key for one in group}:
                return True
            said = self._appointment_day(source.document)
        appointment = self._about_day(source, named[1], said)
        return appointment is not None and appointment == group[0].appointment

    def _named(self, report: Document) -> Key | None:
        """The source and event of the task that a report names."""
        named = _at(report, "fields.inputs.task_id")
        if not isinstance(named, str) or named.count("~") != 2:
            return None
        source, event, _ = named.split("~")
        return source, event

    # whom a report is about

    @cached_property
    def contacts(self) -> list[Document]:
        others = ("data_record", "user-settings")
        contacts = [document for document in self.documents if document["type"] not in others]
        return sorted(contacts, key=lambda contact: (_contact_type(contact), contact["_id"]))

    @cached_property
    def reports(self) -> list[tuple[str | None, Document]]:
        """With the subject of each; only those that are seen."""
        return [
            (self._subject(document), document)
            for document in self.documents
            if document["type"] == "data_record"
            and (
                _is_seen(document)
                or self._differs(
                    Deviation.PATIENT_UUID
                    if document.get("patient_uuid")
                    else Deviation.UNSEEN_REPORTS
                )
            )
        ]

    def _subject(self, report: Document) -> str | None:
        reference = _first_filled(report, "patient_id", "patient_uuid", "place_id", "place_uuid")
        known = self._called(reference)
        is_shared = self._is_shared(reference)
        if known is None and (self._differs(Deviation.PATIENT_UUID) or is_shared):
            known = self._called(_first_filled(report, "patient_uuid"))
        if known is None and is_shared and not _first_filled(report, "patient_id"):
            known = self._called(_first_filled(report, "place_uuid"))
        if known is None and is_shared:
            return f"nobody, as {report['_id']} says"
        return known or reference

    def _called(self, reference: str | None) -> str | None:
        """The first contact that is called so; of a shared shortcode nobody but the uuid's."""
        if self._is_shared(reference):
            return None
        called = self._answering(reference)
        return called[0] if called else None

    def _is_shared(self, reference: str | None) -> bool:
        called = self._answering(reference)
        return (
            self._differs(Deviation.SHARED_SHORTCODE)
            and len(called) > 1
            and reference not in called
        )

    def _answering(self, reference: str | None) -> list[str]:
        return [
            str(contact["_id"])
            for contact in self.contacts
            if reference is not None and reference in {contact["_id"], *_shortcodes(contact)}
        ]

    # what the definition applies to

    @cached_property
    def sources(self) -> dict[str, Source]:
        return {source.document["_id"]: source for source in self._sources()}

    def _sources(self) -> Iterator[Source]:
        candidates = (
            self._report_sources()
            if self.definition["appliesTo"] == "reports"
            else self._contact_sources()
        )
        for source in candidates:
            if not self._is_excluded(source) and _applies(
                self.definition["appliesIf"], source.document
            ):
                yield source

    def _report_sources(self) -> Iterator[Source]:
        for subject, report in self.reports:
            if self._is_of_type(report["form"]):
                yield Source(report, subject, is_report=True)

    def _contact_sources(self) -> Iterator[Source]:
        known = {contact["_id"] for contact in self.contacts}
        for contact in self.contacts:
            if self._is_of_type(_contact_type(contact)):
                yield Source(contact, contact["_id"], is_report=False)
        if self.definition["appliesToType"] is None and not self._differs(Deviation.BARE_CONTACTS):
            for subject in self._bare_contacts() - known:
                yield Source({"_id": subject}, subject, is_report=False)

    def _bare_contacts(self) -> set[str]:
        """Known from reports alone, or from a task of a contact that vanished."""
        vanished = {
            document["_id"]
            for earlier in self.earlier
            for document in earlier["docs"]
            if document["type"] != "data_record"
        }
        return {subject for subject, _ in self.reports if subject} | vanished

    def _is_of_type(self, kind: str) -> bool:
        kinds = self.definition["appliesToType"]
        return kinds is None or kind in kinds

    def _is_excluded(self, source: Source) -> bool:
        return bool(self.definition["excludeMutedOrDead"]) and any(
            contact["_id"] == source.subject
            and (contact.get("muted") or contact.get("date_of_death"))
            for contact in self.contacts
        )

    # when it is due

    def _row(self, source: Source, event: Mapping[str, Any]) -> Row:
        returns_nothing = self._returns_nothing(source, event)
        due = self.today if returns_nothing else self._due(source, event)
        start = due and dates.shifted(due, -event["start"])
        end = due and dates.shifted(due, event["end"])
        is_resolved = self._is_resolved(source, event, due)
        is_deleted = bool(source.document.get("deleted"))
        return Row(
            due,
            start,
            end,
            is_resolved,
            is_deleted,
            bool(start and end and self._is_timely(start, end)),
            self._state(is_resolved, is_deleted, None if returns_nothing else start, end),
        )

    def _returns_nothing(self, source: Source, event: Mapping[str, Any]) -> bool:
        """A date function that returns nothing at all: a window around today, and no state."""
        return (
            event.get("dateReader") == "undefined-when-missing"
            and not self._differs(Deviation.DATE_READER)
            and _at(source.document, event["dueDatePath"]) in (ABSENT, None, "")
        )

    def _due(self, source: Source, event: Mapping[str, Any]) -> date | None:
        if "dueDatePath" not in event:
            anchor = self._anchor(source)
            return anchor and dates.shifted(anchor, event["days"])
        due = self._named_day(source, event)
        if due is not None:
            return due
        return self._fallback(source) if self._differs(Deviation.READABLE_DATES) else None

    def _named_day(self, source: Source, event: Mapping[str, Any]) -> date | None:
        value = _at(source.document, event["dueDatePath"])
        if self._differs(Deviation.READABLE_DATES):
            value = dates.number_of_digits(value)
        read = self._read_day(value, event["dateReader"])
        if read is None:
            return None
        due = dates.shifted(read, event["offsetDays"])
        return None if self._is_impossible(value, read, due, event) else due

    def _is_impossible(self, value: Any, read: date, due: date, event: Mapping[str, Any]) -> bool:
        """A day of another age, also one whose window leads there, or a number of seconds."""
        window = (dates.shifted(due, -event["start"]), dates.shifted(due, event["end"]))
        moment = dates.number(value)
        return self._differs(Deviation.IMPOSSIBLE_DATES) and not (
            all(map(dates.is_believable_day, (read, due, *window)))
            and (moment is None or dates.is_believable_moment(moment))
        )

    def _anchor(self, source: Source) -> date | None:
        written = self._reported_date(source.document)
        if not source.is_report and written is None:
            return self.today
        moment = dates.javascript_date(written)
        if moment is not None:
            return dates.local_day(moment, self.zone)
        return self._fallback(source) if self._differs(Deviation.READABLE_DATES) else None

    def _fallback(self, source: Source) -> date:
        """The day of `reported_date` in any form; where there is none, of landing or reading."""
        moment = dates.readable_moment(self._reported_date(source.document))
        return self.today if moment is None else dates.local_day(moment, self.zone)

    def _read_day(self, value: Any, reader: str) -> date | None:
        absent = value is ABSENT
        value = None if absent else value
        if self._differs(Deviation.DATE_READER):
            reader = "local-date"
        if reader == "js-date":
            return None if absent else dates.javascript_day(value, self.zone)
        rolls_over = not self._differs(Deviation.ROLLED_OVER)
        read = dates.rolled_over_day if rolls_over else dates.readable_day
        day = read(value, self.zone)
        return self.today if day is None and reader == "local-date-or-now" else day

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def _is_timely(self, start: date, end: date) -> bool:
        local = self.now.astimezone(self.zone).replace(tzinfo=None)
        midnight = datetime.min.time()
        return datetime.combine(end, midnight) > local - timedelta(days=60) and datetime.combine(
            start, midnight
        ) < local + timedelta(days=180)

    def _state(
        self, is_resolved: bool, is_deleted: bool, start: date | None, end: date | None
    ) -> str | None:
        if is_resolved:
            return "Completed"
        if is_deleted:
            return "Cancelled"
        if start is None or end is None:
            return None
        if start > self.today:
            return "Draft"
        return "Failed" if end < self.today else "Ready"

    # what resolves it

    def _is_resolved(
        self,
        source: Source,
        event: Mapping[str, Any],
        due: date | None,
        only: str | None = None,
    ) -> bool:
        """By a report of any form that the definition names, or of one of them."""
        rule = self.definition["resolvedBy"]
        forms = rule.get("forms") or rule.get("orForms") or []
        newer = [form for form in forms if only in (None, form)]
        is_asked = rule.get("default") and only in (None, rule["form"])
        return bool(is_asked and self._by_default(source, event, due)) or any(
            self._is_newer(report, source) for report in self._about(source, event, newer)
        )

    def _about(
        self, source: Source, event: Mapping[str, Any], forms: list[str]
    ) -> Iterator[Document]:
        nobody = source.subject is None and self._differs(Deviation.SHARED_NOBODY)
        key = self._key(source, event)
        for subject, report in self.reports:
            is_about = report["form"] in forms and subject == source.subject and not nobody
            if is_about and not self._is_void(report) and self._may_close(report, key):
                yield report

    def _may_close(self, report: Document, key: Key) -> bool:
        """A verification that names its task is an answer, or it is nothing."""
        named = self._named(report)
        if named is None or not self._differs(Deviation.NAMED_TASK):
            return True
        return report["form"] != VERIFICATION_FORM and named == key

    def _is_void(self, report: Document) -> bool:
        if report["form"] != VERIFICATION_FORM or not self._differs(Deviation.WHO_VERIFIES):
            return False
        outcome = _at(report, "fields.verification.outcome")
        sender = _at(report, "contact._id")
        return outcome not in ("visited", "not_visited") or sender not in self.verifiers

    @cached_property
    def verifiers(self) -> set[str]:
        """The contacts of online users with the role that every definition here is assigned to."""
        return {
            document["contact_id"]
            for document in self.documents
            if document["type"] == "user-settings" and {"mm-online", ROLE} <= {*document["roles"]}
        }

    def _by_default(self, source: Source, event: Mapping[str, Any], due: date | None) -> bool:
        if due is None:
            return False
        opens = dates.local_midnight(dates.shifted(due, -event["start"]), self.zone)
        closes = dates.local_midnight(dates.shifted(due, event["end"] + 1), self.zone)
        if source.is_report:
            after = self._after(source)
            if after is None:
                return False
            opens = max(opens, after + 1)
        return any(
            (moment := self._moment(report)) is not None
            and opens <= moment <= closes
            and not (report.get("deleted") and self._differs(Deviation.DELETED_REPORTS))
            for report in self._about(source, event, [self.definition["resolvedBy"]["form"]])
        )

    def _after(self, source: Source) -> float | None:
        """What a report must be later than to fall into the window; None where none can."""
        written = self._reported_date(source.document)
        if not self._differs(Deviation.READABLE_DATES):
            return dates.number(written)
        moment = dates.readable_moment(written)
        return self._unread(source) if moment is None else moment

    def _moment(self, report: Document) -> float | None:
        read = (
            dates.readable_moment
            if self._differs(Deviation.READABLE_DATES)
            else dates.javascript_number
        )
        return read(self._reported_date(report))

    def _reported_date(self, document: Document) -> Any:
        """None where what is written cannot be true."""
        written = document.get("reported_date")
        moment = dates.readable_moment(written)
        is_impossible = moment is not None and not dates.is_believable_moment(moment)
        return None if is_impossible and self._differs(Deviation.IMPOSSIBLE_DATES) else written

    def _is_newer(self, report: Document, source: Source) -> bool:
        moment = self._moment(report)
        if report.get("deleted") or moment is None:
            return False
        after = self._newer_than(source)
        return after is not None and moment > after

    def _newer_than(self, source: Source) -> float | None:
        """None where nothing is newer."""
        written = self._reported_date(source.document)
        counts_landing = source.is_report and self._differs(Deviation.NEWER_THAN_NOTHING)
        if not written and not counts_landing:
            return -math.inf
        if not self._differs(Deviation.READABLE_DATES):
            return dates.javascript_number(written)
        moment = dates.readable_moment(written)
        return self._unread(source) if moment is None else moment

    def _unread(self, source: Source) -> float:
        return dates.milliseconds(self.now) if source.is_report else -math.inf

    def _differs(self, deviation: Deviation) -> bool:
        return deviation in self.deviations


class _Absent:
    """The value at a path that does not exist; null exists."""


ABSENT = _Absent()


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(document, Mapping) or step not in document:
            return ABSENT
        document = document[step]
    return document


def _contact_type(contact: Document) -> str:
    kind = contact.get("contact_type") if contact["type"] == "contact" else contact["type"]
    return str(kind)


def _shortcodes(contact: Document) -> set[str]:
    return {str(contact[key]) for key in ("patient_id", "place_id") if contact.get(key)}


def _first_filled(report: Document, *keys: str) -> str | None:
    fields = report.get("fields") or {}
    values = (place.get(key) for key in keys for place in (report, fields))
    return next((str(value) for value in values if value), None)


def _is_seen(report: Document) -> bool:
    """The view that finds a contact's reports does not know a top-level uuid."""
    fields = report.get("fields") or {}
    seen_above = ("patient_id", "place_id", "case_id")
    return any(report.get(key) for key in seen_above) or any(
        fields.get(key) for key in (*seen_above, "patient_uuid", "place_uuid")
    )


def _applies(predicate: Mapping[str, Any] | None, document: Document) -> bool:
    if predicate is None:
        return True
    value, wanted = _at(document, predicate["field"]), predicate["value"]
    exists = value is not ABSENT and value is not None and value != ""
    match predicate["op"]:
        case "exists":
            return exists
        case "missing":
            return not exists
        case "eq":
            return _is_same(value, wanted)
        case "ne":
            return not _is_same(value, wanted)
        case "in":
            return any(_is_same(value, one) for one in wanted)
        case "contains":
            return isinstance(value, str) and wanted in value.split(" ")
    return exists and _compares(predicate["op"], value, wanted)


def _is_same(value: Any, wanted: Any) -> bool:
    is_alike = type(value) is type(wanted) or None not in map(dates.number, (value, wanted))
    return is_alike and value == wanted


def _compares(operator: str, value: Any, wanted: float) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return {
        "gt": number > wanted,
        "gte": number >= wanted,
        "lt": number < wanted,
        "lte": number <= wanted,
    }[operator]
