"""Why a task is in its state, or why a document gave none, in plain sentences. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Answered:
    """One answer of the task, ours or landed; one with a `void_reason` answers nothing."""

    report_id: str
    round: int
    outcome: str | None
    appointment_on: date | None
    answered_in: str
    void_reason: str | None
    sender_uuid: str | None
    verified_by: str | None
    verified_at: datetime | None
    delivery: str


@dataclass(frozen=True)
class Resolver:
    """A report that resolves the task; those of one alternative are all needed."""

    alternative: int
    form: str
    is_default: bool
    condition: str | None
    source_path: Sequence[str] | None
    visit_path: Sequence[str] | None


@dataclass(frozen=True)
class Facts:
    """What decides a task; `supervisors` are the names of those who see it while it is open.

    `appointment_task_id` carries the appointment, which `report_count` reports are about.
    """

    task_id: str
    source_id: str
    definition: str
    event: str
    state: str
    standing: str
    excluded_reason: str | None
    appointment_task_id: str
    report_count: int
    last_reported_at: datetime | None
    flags: Sequence[str]
    patient_uuid: str | None
    place_uuid: str | None
    reported_at: datetime | None
    appointment_on: date | None
    opens_on: date
    due_on: date
    closes_on: date
    resolved_by_report: str | None
    resolved_by_form: str | None
    resolved_at: datetime | None
    verification_round: int | None
    applies_to: str
    is_resolved_when_cleared: bool
    roles: Sequence[str]
    today: date
    zone: str
    resolvers: Sequence[Resolver] = ()
    answers: Sequence[Answered] = ()
    supervisors: Sequence[str] = ()


@dataclass(frozen=True)
class Considered:
    """A document beside one definition."""

    source_id: str
    definition: str
    kind: str | None
    type: str | None
    is_deleted: bool
    is_type_named: bool
    is_asked: bool


_FLAGS = {
    "ambiguous_patient": "several contacts have the number in the report, and it has no known uuid",
    "appointment_changed": "it was answered for another appointment day or another patient",
    "bad_reported_date": "the date of the report cannot be read or cannot be true; when it landed "
    "counts",
    "distant_appointment_date": "the appointment is more than two years before the report",
    "unknown_patient": "no contact matches the patient in the report",
    "place_from_sender": "the task is at the place of the report's sender",
    "no_appointment_date": "the day of the appointment is missing",
    "bad_appointment_date": "the day of the appointment cannot be read",
    "future_appointment_date": "the day of the appointment is later than the day the task is due",
    "no_due_date": "it has no due date that the CHT could read; the day of the report is used",
    "text_altered": "the document had a character that PostgreSQL cannot store",
    "duplicate_open": "the same patient has another open task of this definition",
    "orphan_place": "the place, or one above it, is missing or deleted, or they form a cycle",
}


def explain(facts: Facts, *, names_readers: bool = True) -> list[str]:
    """One sentence a line, the state first; people by user name, all else by its id. Who else may
    see the task is for operators only.
    """
    return [
        f"{facts.task_id} is {facts.state} ({facts.standing}).",
        *_origin(facts),
        *_window(facts),
        *_decision(facts),
        *_answers(facts),
        *(_readers(facts) if names_readers else ()),
        *(f"Flag {flag}: {_FLAGS.get(flag, flag)}." for flag in facts.flags),
    ]


def _origin(facts: Facts) -> Iterator[str]:
    kind = "contact" if facts.applies_to == "contacts" else "report"
    since = f", of {moment(facts.reported_at, facts.zone)}" if facts.reported_at else ""
    yield (
        f"The {kind} {facts.source_id}{since} gave this task: "
        f"definition {facts.definition}, event {facts.event}."
    )
    if "ambiguous_patient" in facts.flags:
        yield "Several contacts have the patient number in it, so it names none of them."
    elif facts.patient_uuid is None:
        yield "No contact matches the patient in it."
    elif facts.patient_uuid != facts.source_id:
        yield f"It is about {facts.patient_uuid}."
    if facts.appointment_on:
        yield f"The appointment was on {facts.appointment_on}."
    if facts.report_count > 1 and facts.last_reported_at:
        last = moment(facts.last_reported_at, facts.zone)
        yield f"{facts.report_count} reports are about this appointment, the latest from {last}."


def _window(facts: Facts) -> Iterator[str]:
    yield (
        f"It opens on {facts.opens_on}, is due on {facts.due_on} and closes on {facts.closes_on}; "
        f"today is {facts.today}."
    )


def _decision(facts: Facts) -> Iterator[str]:
    """What made it what it is; the first that holds, in the order of the standings."""
    match facts.standing:
        case "repeated":
            yield (
                "The same appointment was reported earlier; "
                f"{facts.appointment_task_id} is the task for it."
            )
        case "verified":
            yield f"The answer of round {facts.verification_round} counts."
        case "withdrawn":
            yield "It was withdrawn: the document is deleted in the CHT."
        case "excluded":
            yield f"It is excluded: the patient {_EXCLUDED[facts.excluded_reason or '']}."
        case "resolved":
            yield _resolved(facts)
        case "upcoming":
            yield "Its first day has not come yet, so it cannot be answered."
        case "expired":
            yield "Its last day has passed; it can still be answered."
        case _:
            yield from _waits_for(facts)


_EXCLUDED = {"deceased": "has a date of death", "muted": "is muted", "": "gets no tasks"}


def _resolved(facts: Facts) -> str:
    when = f", of {moment(facts.resolved_at, facts.zone)}" if facts.resolved_at else ""
    if facts.resolved_by_form is None:
        return f"The scheduled task was cleared{when}."
    form = facts.resolved_by_form
    told = [
        alternative
        for alternative in _alternatives(facts.resolvers)
        if any(one.form == form for one in alternative)
    ]
    asked = [" and ".join(map(_asked, alternative)) for alternative in told]
    why = f": the definition is resolved by {', or by '.join(asked)}" if asked else ""
    return f"The report {facts.resolved_by_report} of form {form}{when} resolves it{why}."


def _alternatives(resolvers: Sequence[Resolver]) -> list[list[Resolver]]:
    """Those that are needed together."""
    return [list(group) for _, group in groupby(resolvers, key=lambda one: one.alternative)]


def _asked(resolver: Resolver) -> str:
    """What a report must be to resolve the task."""
    said = f"a {'' if resolver.is_default else 'later '}report of form {resolver.form}"
    if resolver.is_default:
        said += " inside the window"
    if resolver.condition:
        said += f", for which {resolver.condition} is true"
    if resolver.source_path:
        said += f", that names the source at {'.'.join(resolver.source_path)}"
    if resolver.visit_path:
        said += f", whose day at {'.'.join(resolver.visit_path)} is not before the appointment"
    return said


def _waits_for(facts: Facts) -> Iterator[str]:
    for alternative in _alternatives(facts.resolvers):
        asked = " and ".join(map(_asked, alternative))
        yield f"{asked[0].upper()}{asked[1:]} would resolve it."
    if facts.is_resolved_when_cleared:
        yield "Clearing the scheduled task would resolve it."
    yield "A verification would close it."


def _answers(facts: Facts) -> Iterator[str]:
    for answer in facts.answers:
        when = f" at {moment(answer.verified_at, facts.zone)}" if answer.verified_at else ""
        day = answer.appointment_on
        other = f" for the appointment of {day}" if day and day != facts.appointment_on else ""
        void = f"; it does not count: {_VOID[answer.void_reason]}" if answer.void_reason else ""
        yield (
            f"Round {answer.round}: {answer.outcome or 'no outcome'}{other}, by "
            f"{_answered_by(answer)}{when}, report {answer.report_id}, {answer.delivery}{void}."
        )


_VOID = {
    "no_outcome": "it has no outcome, visited or not_visited",
    "not_authorised": "its sender is not the contact of an online user who may verify",
}


def _answered_by(answer: Answered) -> str:
    if answer.answered_in == "cht":
        return f"the contact {answer.sender_uuid or 'nobody'} in the CHT"
    return answer.verified_by or "somebody"


def _readers(facts: Facts) -> Iterator[str]:
    if facts.place_uuid is None:
        yield "It belongs to no place, so no supervisor sees it; programme-wide roles do."
    elif facts.supervisors:
        yield f"{', '.join(facts.supervisors)} may see it, by the place {facts.place_uuid}."
    else:
        yield (
            f"No supervisor sees it: nobody with the role {' or '.join(facts.roles)} has a place "
            f"above {facts.place_uuid}."
        )


def explain_absence(considered: Sequence[Considered]) -> list[str]:
    """Why a document gave no task."""
    document = considered[0]
    if document.kind is None:
        return [f"{document.source_id} is neither a report nor a contact, so it gives no task."]
    deleted = " It is deleted in the CHT." if document.is_deleted else ""
    return [
        f"{document.source_id} is a {document.kind} of type {document.type or 'none'}.{deleted}",
        *refusals(considered),
    ]


def refusals(considered: Sequence[Considered]) -> list[str]:
    """What each definition makes of a document that gave it no task."""
    return [f"Definition {one.definition}: {_refusal(one)}." for one in considered]


def _refusal(considered: Considered) -> str:
    if considered.is_asked:
        return "it applies; the task comes with the next refresh"
    if considered.is_type_named:
        return "it applies to documents of this type, but its `appliesIf` is false for this one"
    return "it does not apply to documents of this type"


def moment(then: datetime, zone: str) -> str:
    return f"{then.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
