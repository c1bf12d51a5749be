"""What `store` reads, `rules` checks and the service shows."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True)
class Viewer:
    """A user of the worklist, with rights as last known."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    contact_uuid: str | None
    is_online: bool
    is_programme_wide: bool = False


@dataclass(frozen=True)
class Definition:
    """The part of a task definition that answering its tasks needs."""

    name: str
    title: str
    roles: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Answering:
    """What an answer needs to know of the programme. `lineage` is the sender: the contact itself,
    its place, and every place above it, in this order.
    """

    definition: Definition
    today: date
    instance_name: str
    lineage: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One row of the ledger, as one viewer sees it.

    `facility_uuid` is the nearest of the viewer's own places above the task's place; None where
    only a programme-wide role shows the task. Where the patient is unknown, name, number and
    `reported_patient_uuid` are what the source report says. `last_round` is the highest round
    known, 0 for none: what an answer says it follows. `last_note` is the latest "cannot tell yet".
    `appointment_task_uuid` is the task that carries the appointment, its own where it is the first
    of `report_count` reports. `verification_answered_in` is `worklist`, or `cht` for an answer made
    there, which names the contact that sent it. `trace_outcome` is what a CHW found, in the words
    of the form, since the appointment. `title`, `icon` and `priority_…` are as in tasks.yml now.
    """

    task_id: str
    task_uuid: UUID
    source_id: str
    definition: str
    state: str
    standing: str
    flags: list[str]
    excluded_reason: str | None
    appointment_task_uuid: UUID
    report_count: int
    last_reported_at: datetime | None
    patient_uuid: str | None
    place_uuid: str | None
    place_name: str | None
    area_uuid: str | None
    area_name: str | None
    chw_uuid: str | None
    chw_name: str | None
    facility_uuid: str | None
    facility_name: str | None
    appointment_on: date | None
    days_since_appointment: int | None
    reported_at: datetime | None
    opens_on: date
    due_on: date
    closes_on: date
    days_overdue: int
    days_left: int
    resolved_at: datetime | None
    resolved_by_report: str | None
    resolved_by_form: str | None
    verification_round: int | None
    verification_outcome: str | None
    verification_reason: str | None
    verification_answered_in: str | None
    verification_sender_name: str | None
    verified_at: datetime | None
    verified_by: str | None
    title: str
    icon: str | None
    priority_level: int | None
    priority_label: str | None
    patient_name: str | None
    patient_id: str | None
    reported_patient_uuid: str | None
    phone: str | None
    sex: str | None
    date_of_birth: date | None
    traced_at: datetime | None
    trace_outcome: str | None
    last_round: int
    last_note: str | None
    noted_by: str | None
    noted_at: datetime | None


@dataclass(frozen=True)
class Filters:
    """Which tasks of a list are wanted; what is empty does not narrow it.

    `place_uuid` means the place and all below it, `search` the patient's name, shortcode or phone,
    `reason` that of a verification, `is_overdue` that the due day has passed.
    """

    standing: str = "open"
    state: str = ""
    definition: str = ""
    place_uuid: str = ""
    area_uuid: str = ""
    reason: str = ""
    flag: str = ""
    is_overdue: bool = False
    search: str = ""


@dataclass(frozen=True)
class Area:
    """A CHW's area with how many tasks of a list are in it; all None where a task is in none."""

    area_uuid: str | None
    area_name: str | None
    chw_name: str | None
    count: int


@dataclass(frozen=True)
class TaskNote:
    """Why a task could not be answered yet. It never changes and stays with us."""

    note_id: UUID
    note: str
    noted_by: str
    noted_at: datetime


@dataclass(frozen=True)
class PatientReport:
    """A report about a patient that a task definition or the tracing names.

    `kind` is `reported` (an appointment was missed), `visited` (the form can resolve it) or
    `traced` (a CHW went to look); `trace_outcome` is what was found, in the words of the form.
    """

    report_uuid: str
    form: str
    kind: str
    reported_at: datetime | None
    trace_outcome: str | None


@dataclass(frozen=True)
class ToTrace:
    """A patient whose missed appointment is confirmed and whom nobody has traced since.

    `traced_at` and `trace_outcome` are of a trace made between the appointment and the answer.
    """

    task_uuid: UUID
    patient_uuid: str
    patient_name: str | None
    patient_id: str | None
    phone: str | None
    sex: str | None
    date_of_birth: date | None
    place_name: str | None
    area_uuid: str | None
    area_name: str | None
    chw_uuid: str | None
    chw_name: str | None
    facility_name: str | None
    appointment_on: date | None
    days_since_appointment: int | None
    reason: str | None
    note: str | None
    verification_answered_in: str | None
    verification_sender_name: str | None
    verified_by: str | None
    verified_at: datetime | None
    traced_at: datetime | None
    trace_outcome: str | None


@dataclass(frozen=True)
class Answer:
    """What a supervisor found out, as it was given: to be checked by `rules.check_answer`."""

    outcome: str
    visit_date: str = ""
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sent:
    """An answer as received: the round it follows, 0 for none, and its idempotency key."""

    answer: Answer
    follows_round: int
    key: str


@dataclass(frozen=True)
class Verification:
    """An answer that was accepted here; it never changes."""

    verification_id: UUID
    task_id: str
    round: int
    outcome: str
    visit_on: date | None
    reason: str | None
    note: str
    replaces: str | None
    report_id: str
    verified_by: str
    verified_at: datetime
    appointment_on: date | None
    patient_uuid: str | None


@dataclass(frozen=True)
class KnownVerification:
    """An answer given here or landed from the CHT, with its delivery.

    One made in the CHT has no user but the contact that sent it. `void_reason` says why it answers
    nothing: `no_outcome`, or `not_authorised`.
    """

    report_id: str
    task_id: str
    task_uuid: UUID
    round: int
    outcome: str | None
    appointment_on: date | None
    visit_on: date | None
    reason: str | None
    note: str | None
    answered_in: str
    void_reason: str | None
    sender_uuid: str | None
    sender_name: str | None
    verified_by: str | None
    verified_at: datetime | None
    delivery: str
    replaces: str | None

    @property
    def by(self) -> str | None:
        """Who answered, as people know them."""
        return self.verified_by or self.sender_name


@dataclass(frozen=True)
class Progress:
    """ "37 of 118": done of all that are due today; and how many tasks have each standing, ever."""

    done_count: int
    asked_count: int
    count_by_standing: dict[str, int]


@dataclass(frozen=True)
class Programme:
    """Today and the time zone of the programme, and the moment of the derived tables."""

    zone: str
    today: date
    as_of: datetime | None
