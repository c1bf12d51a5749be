"""Why a task is in its state, or why a document has no task, in sentences. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Answered:
    """An answer to the task, ours or landed; with a `void_reason` it does not count."""

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
    """A report that resolves the task, together with the others of its alternative."""

    alternative: int
    form: str
    is_default: bool
    condition: str | None
    source_path: Sequence[str] | None
    visit_path: Sequence[str] | None


@dataclass(frozen=True)
class Facts:
    """What decides the state of a task; `supervisors` are the users who see it while it is open.

    `appointment_task_id` is the task of the appointment, which `report_count` reports are about.
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
    """A document as one definition sees it."""

    source_id: str
    definition: str
    kind: str | None
    type: str | None
    is_deleted: bool
    is_type_named: bool
    is_asked: bool


_FLAGS = {
    "ambiguous_patient": "several contacts have the number in the report, and no uuid decides",
    "appointment_changed": "an answer that names it was given for another day or patient",
    "bad_reported_date": "the date of the report cannot be read or cannot be true; the time it "
    "landed counts",
    "distant_appointment_date": "the appointment is more than two years before the report",
    "unknown_patient": "no contact matches the reference in the report",
    "place_from_sender": "the task was assigned to the place of the report's sender",
    "no_appointment_date": "the day of the appointment is missing",
    "bad_appointment_date": "the day of the appointment cannot be read",
    "future_appointment_date": "the day of the appointment is later than the day the task is due",
    "no_due_date": "the CHT would read no due date; the day of the report counts",
    "text_altered": "the document contained a character that could not be stored",
    "duplicate_open": "the same patient has another open task of this definition",
    "orphan_place": "the place, or one above it, is missing, deleted or its own ancestor",
}


def explain(facts: Facts, *, names_readers: bool = True) -> list[str]:
    """A list of sentences, the state first; users by name, all else by id. `names_readers`, who may
    see the task, is for operators only.
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
    since = f" of {moment(facts.reported_at, facts.zone)}" if facts.reported_at else ""
    yield (
        f"The {kind} {facts.source_id}{since} is its source: "
        f"definition {facts.definition}, event {facts.event}."
    )
    if "ambiguous_patient" in facts.flags:
        yield "Several contacts have the number in it, so it is assigned to none of them."
    elif facts.patient_uuid is None:
        yield "The patient in it is not known."
    elif facts.patient_uuid != facts.source_id:
        yield f"The patient is {facts.patient_uuid}."
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
    """What led to the standing."""
    match facts.standing:
        case "repeated":
            yield (
                "The appointment had been reported before: its task is "
                f"{facts.appointment_task_id}."
            )
        case "verified":
            yield f"The verification of round {facts.verification_round} counts."
        case "withdrawn":
            yield "It was withdrawn: the document was deleted in the CHT."
        case "excluded":
            yield f"It is excluded: the patient {_EXCLUDED[facts.excluded_reason or '']}."
        case "resolved":
            yield _resolved(facts)
        case "upcoming":
            yield "It has not opened yet, so it cannot be answered yet."
        case "expired":
            yield "It has closed, but can still be answered."
        case _:
            yield from _waits_for(facts)


_EXCLUDED = {"deceased": "has a date of death", "muted": "is muted", "": "gets no tasks"}


def _resolved(facts: Facts) -> str:
    when = f" of {moment(facts.resolved_at, facts.zone)}" if facts.resolved_at else ""
    if facts.resolved_by_form is None:
        return f"The scheduled task was cleared{when}."
    form = facts.resolved_by_form
    matching = [
        alternative
        for alternative in _alternatives(facts.resolvers)
        if any(one.form == form for one in alternative)
    ]
    asked = [" and ".join(map(_wanted, alternative)) for alternative in matching]
    why = f": the definition is resolved by {', or by '.join(asked)}" if asked else ""
    return f"The report {facts.resolved_by_report} of form {form}{when} resolves it{why}."


def _alternatives(resolvers: Sequence[Resolver]) -> list[list[Resolver]]:
    """Grouped by alternative."""
    return [list(group) for _, group in groupby(resolvers, key=lambda one: one.alternative)]


def _wanted(resolver: Resolver) -> str:
    """The report that would resolve the task."""
    said = f"a {'' if resolver.is_default else 'later '}report of form {resolver.form}"
    if resolver.is_default:
        said += " within the window"
    if resolver.condition:
        said += f", for which {resolver.condition} is true"
    if resolver.source_path:
        said += f" that names the source at {'.'.join(resolver.source_path)}"
    if resolver.visit_path:
        said += f", whose date at {'.'.join(resolver.visit_path)} is not before the appointment"
    return said


def _waits_for(facts: Facts) -> Iterator[str]:
    for alternative in _alternatives(facts.resolvers):
        wanted = " and ".join(map(_wanted, alternative))
        yield f"{wanted[0].upper()}{wanted[1:]} would resolve it."
    if facts.is_resolved_when_cleared:
        yield "It would be resolved when the scheduled task is cleared."
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
    "no_outcome": "it says neither visited nor not_visited",
    "not_authorised": "its sender is not the contact of an online user who may verify",
}


def _answered_by(answer: Answered) -> str:
    if answer.answered_in == "cht":
        return f"the contact {answer.sender_uuid or 'unknown'} in the CHT"
    return answer.verified_by or "an unknown user"


def _readers(facts: Facts) -> Iterator[str]:
    if facts.place_uuid is None:
        yield "It belongs to no place, so no supervisor sees it; programme-wide roles do."
    elif facts.supervisors:
        yield f"Visible to {', '.join(facts.supervisors)} through the place {facts.place_uuid}."
    else:
        yield (
            f"No supervisor sees it: no user with the role {' or '.join(facts.roles)} has the "
            f"place "
            f"{facts.place_uuid} or one above it."
        )


def explain_absence(considered: Sequence[Considered]) -> list[str]:
    """Why a document has no task."""
    document = considered[0]
    if document.kind is None:
        return [f"{document.source_id} is neither a report nor a contact, so it has no task."]
    deleted = " It has been deleted in the CHT." if document.is_deleted else ""
    return [
        f"{document.source_id} is a {document.kind} of type {document.type or 'none'}.{deleted}",
        *refusals(considered),
    ]


def refusals(considered: Sequence[Considered]) -> list[str]:
    """Why each definition has no task for a document."""
    return [f"Definition {one.definition}: {_refusal(one)}." for one in considered]


def _refusal(considered: Considered) -> str:
    if considered.is_asked:
        return "it applies: the next refresh will create the task"
    if considered.is_type_named:
        return "it applies to this type, but its `appliesIf` is not true for it"
    return "it does not apply to this type"


def moment(then: datetime, zone: str) -> str:
    return f"{then.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"
