"""Who may answer which task, with what, and the report that carries the answer. Pure."""

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid5

from pipeline.errors import Conflict, Refused
from pipeline.online_users import is_online
from pipeline.translatable import gettext_noop
from pipeline.worklist.records import Answer, Definition, KnownVerification, Sent, Task, Viewer

FORM = "missed_appointment_verification"
OUTCOMES = ("visited", "not_visited")
NOTE_LENGTH = 2000
HIDDEN_FIELDS = ("inputs", "verification_id", "task_id", "round", "replaces", "meta")
# The namespace of every verification report's id; changing it would send all answers again.
REPORT_NAMESPACE = UUID("8f6c1a52-3f0e-4c55-9a3d-6d0a6b1f7e24")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST_VISIT = date(2000, 1, 1)

WHY_NOT = {
    "online": gettext_noop(
        "Only online users can verify. The tasks of offline users are on their phones."
    ),
    "role": gettext_noop("None of your roles can verify this type of task."),
    "contact": gettext_noop(
        "Your CHT account has no contact, so you can view tasks but not verify them. "
        "Ask your CHT administrator to add one."
    ),
    "scope": gettext_noop("This task is outside your places."),
    "upcoming": gettext_noop("This task is not open yet."),
    "repeated": gettext_noop(
        "Another report about this appointment came first. Answer the task of that report instead."
    ),
    "withdrawn": gettext_noop("The report was deleted in the CHT, so there is nothing to verify."),
    "excluded": gettext_noop("This patient is excluded in the CHT, so there is nothing to verify."),
}

_NOT_ANSWERABLE = ("upcoming", "repeated", "withdrawn", "excluded")

Missing = Literal["online", "role", "place", "contact"]


class UnknownTask(Refused):
    """Nothing by that id in what the viewer may see; whether it exists is not said."""

    def __init__(self) -> None:
        super().__init__("There is no such task on your worklist.")


class NotAllowed(Refused):
    """A rule forbids this viewer to answer this task; `rule` is its name."""

    def __init__(self, rule: str) -> None:
        super().__init__(WHY_NOT[rule])
        self.rule = rule


class InvalidInput(Refused):
    """Invalid input; `field` says where, `problem` names it for translation."""

    def __init__(self, field: str, problem: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.problem = problem


class KeyReused(InvalidInput):
    """One idempotency key, two different requests."""

    def __init__(self) -> None:
        super().__init__(
            "Idempotency-Key",
            "key_reused",
            "Idempotency-Key: already used for a different request; use a new key.",
        )


class AlreadyVerified(Conflict):
    """The answer follows a round that is no longer the last; `standing` is the one that is."""

    def __init__(self, standing: KnownVerification) -> None:
        when = standing.verified_at.isoformat(timespec="minutes") if standing.verified_at else "?"
        super().__init__(f"Already verified by {standing.by or '?'} at {when}.")
        self.standing = standing


def viewer(
    user_name: str,
    roles: Sequence[str],
    facility_uuids: Sequence[str],
    contact_uuid: str | None,
    programme_roles: Sequence[str],
) -> Viewer:
    return Viewer(
        user_name=user_name,
        roles=tuple(roles),
        facility_uuids=tuple(facility_uuids),
        contact_uuid=contact_uuid,
        is_online=is_online(roles),
        is_programme_wide=not set(programme_roles).isdisjoint(roles),
    )


def missing(viewer: Viewer, assigned_roles: Collection[str]) -> list[Missing]:
    """What the account lacks to verify anything: `online`, or of `role`, `place`, `contact`.

    `assigned_roles` are those of all definitions. Who reads the whole programme lacks nothing.
    """
    if not viewer.is_online:
        return ["online"]
    has_role = not set(assigned_roles).isdisjoint(viewer.roles)
    if viewer.is_programme_wide and not has_role:
        return []
    has: dict[Missing, object] = {
        "role": has_role,
        "place": viewer.facility_uuids,
        "contact": viewer.contact_uuid,
    }
    return [code for code, value in has.items() if not value]


def has_worklist(viewer: Viewer, missing: Collection[Missing]) -> bool:
    """Whether tasks could be on the viewer's list, given what `missing` says."""
    if viewer.is_programme_wide:
        return viewer.is_online
    return {"online", "role", "place"}.isdisjoint(missing)


def may_see(viewer: Viewer, definition: Definition) -> bool:
    """Whether the viewer's list holds its tasks, as far as they are in scope."""
    if not viewer.is_online:
        return False
    return viewer.is_programme_wide or not set(viewer.roles).isdisjoint(definition.roles)


def why_not(viewer: Viewer, task: Task, definition: Definition) -> str | None:
    """The name of the first rule against answering, a key of WHY_NOT; None if there is none."""
    if not viewer.is_online:
        return "online"
    if set(viewer.roles).isdisjoint(definition.roles):
        return "role"
    if not viewer.contact_uuid:
        return "contact"
    if task.facility_uuid is None:
        return "scope"
    return task.standing if task.standing in _NOT_ANSWERABLE else None


def check_may_verify(viewer: Viewer, task: Task, definition: Definition) -> None:
    """Raises NotAllowed, naming the rule. Expired and answered tasks may be answered (again)."""
    rule = why_not(viewer, task, definition)
    if rule is not None:
        raise NotAllowed(rule)


def check_answer(answer: Answer, definition: Definition, today: date) -> None:
    """Raises InvalidInput, naming the field."""
    if answer.outcome not in OUTCOMES:
        raise InvalidInput("outcome", "outcome_unknown", "outcome: must be visited or not_visited.")
    _check_visit_date(answer, today)
    _check_reason(answer, definition)
    check_note(answer.note)


def check_note(note: str) -> None:
    """Raises InvalidInput."""
    if len(note) > NOTE_LENGTH:
        raise InvalidInput("note", "note_too_long", f"note: at most {NOTE_LENGTH} characters.")
    if "\0" in note:
        raise InvalidInput("note", "note_unreadable", "note: must not contain U+0000.")


def _check_visit_date(answer: Answer, today: date) -> None:
    if not answer.visit_date:
        return
    if answer.outcome != "visited":
        raise InvalidInput(
            "visit_date", "visit_date_without_visit", "visit_date: only allowed with visited."
        )
    visit_on = _iso_day(answer.visit_date)
    if visit_on is None or visit_on < _EARLIEST_VISIT:
        raise InvalidInput(
            "visit_date", "visit_date_unreadable", "visit_date: must be a date such as 2026-10-22."
        )
    if visit_on > today:
        raise InvalidInput(
            "visit_date", "visit_date_in_future", "visit_date: must not be in the future."
        )


def _iso_day(text: str) -> date | None:
    if not _ISO_DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _check_reason(answer: Answer, definition: Definition) -> None:
    if not answer.reason:
        return
    if answer.outcome != "not_visited":
        raise InvalidInput("reason", "reason_with_visit", "reason: only allowed with not_visited.")
    if answer.reason not in definition.reasons:
        raise InvalidInput(
            "reason", "reason_unknown", f"reason: must be one of {', '.join(definition.reasons)}."
        )


def check_follows(follows_round: int, history: Sequence[KnownVerification]) -> None:
    """`history` is newest first. Raises AlreadyVerified when somebody was faster."""
    last = history[0] if history else None
    if follows_round == (last.round if last else 0):
        return
    if last is None or follows_round > last.round:
        raise InvalidInput(
            "follows_round", "round_unknown", "follows_round: this task has no such round."
        )
    raise AlreadyVerified(last)


def note_id(user_name: str, key: str) -> UUID:
    """The id of the note that a user sent with this idempotency key."""
    return uuid5(REPORT_NAMESPACE, f"note\n{user_name}\n{key}")


def report_id(instance: str, task_id: str, round_: int) -> str:
    """UUIDv5 in REPORT_NAMESPACE of instance, task id and round, a line each."""
    return str(uuid5(REPORT_NAMESPACE, f"{instance}\n{task_id}\n{round_}"))


def request_hash(task_uuid: UUID, sent: Sent) -> bytes:
    """SHA-256 of the request that an idempotency key identifies."""
    answer = sent.answer
    parts = [str(task_uuid), answer.outcome, answer.visit_date, answer.reason, answer.note]
    return hashlib.sha256(json.dumps([*parts, sent.follows_round]).encode()).digest()


def verification_report(
    *,
    report_id: str,
    reported_at: datetime,
    lineage: Sequence[str],
    task: Task,
    answer: Answer,
    verification_id: UUID,
    verified_by: str,
    round_: int,
    replaces: str | None,
) -> dict[str, object]:
    """The document for the CHT. `lineage` is the sender's contact and all places above it."""
    patient_uuid = task.patient_uuid or task.reported_patient_uuid or ""
    return {
        "_id": report_id,
        "type": "data_record",
        "form": FORM,
        "content_type": "xml",
        "reported_date": int(reported_at.timestamp() * 1000),
        "contact": _minified(lineage),
        "hidden_fields": list(HIDDEN_FIELDS),
        "fields": {
            "inputs": {
                "source": "task",
                "source_id": task.source_id,
                "task_id": task.task_id,
                "contact": {"_id": patient_uuid},
            },
            "patient_uuid": patient_uuid,
            "patient_id": task.patient_id or "",
            "patient_name": task.patient_name or "",
            "appointment_date": task.appointment_on.isoformat() if task.appointment_on else "",
            "verification": {
                "outcome": answer.outcome,
                "visit_date": answer.visit_date,
                "reason": answer.reason,
                "note": answer.note,
            },
            "verified_by": verified_by,
            "verification_id": str(verification_id),
            "task_id": task.task_id,
            "round": str(round_),
            "replaces": replaces or "",
        },
    }


def _minified(lineage: Sequence[str]) -> dict[str, object]:
    """A contact as the CHT stores one in a report: ids only, each inside the one below it."""
    contact: dict[str, object] = {}
    for uuid in reversed(lineage):
        contact = {"_id": uuid, "parent": contact} if contact else {"_id": uuid}
    return contact
