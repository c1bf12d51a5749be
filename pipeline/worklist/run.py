"""Accepts verifications and notes. Commits nothing."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy

from pipeline.errors import Conflict, Refused
from pipeline.worklist import rules, store, task_notes, verification_store
from pipeline.worklist.records import (
    Answer,
    Answering,
    KnownVerification,
    Sent,
    Task,
    TaskNote,
    Verification,
    Viewer,
)


def accept(
    connection: sqlalchemy.Connection,
    viewer: Viewer,
    task_uuid: UUID,
    sent: Sent,
    *,
    now: datetime,
    verification_id: UUID,
) -> Verification:
    """Stores the answer and puts its report into the outbox; safe once that is committed.

    Raises UnknownTask, NotAllowed, InvalidInput or KeyReused (never the same again) and
    AlreadyVerified when the answer follows another round than the last. The same key with the
    same request gives the first answer again, whatever became of the task, and changes nothing.
    """
    request_hash = rules.request_hash(task_uuid, sent)
    try:
        task, answering = _open_to(connection, viewer, task_uuid)
        rules.check_answer(sent.answer, answering.definition, answering.today)
        verification = _next(
            connection, viewer, task, sent, verification_id, answering.instance_name, now
        )
        report = _report(task, sent.answer, verification, answering.lineage)
        if verification_store.keep(connection, verification, sent.key, request_hash, report):
            return verification
        raise rules.AlreadyVerified(_answers(connection, task)[0])
    except rules.KeyReused:
        raise
    except (Refused, Conflict):
        earlier = verification_store.remembered(connection, viewer.user_name, sent.key, now)
        if earlier is None:
            raise
    its_hash, verification = earlier
    if its_hash != request_hash:
        raise rules.KeyReused
    return verification


def note(
    connection: sqlalchemy.Connection,
    viewer: Viewer,
    task_uuid: UUID,
    text: str,
    *,
    note_id: UUID,
    now: datetime,
) -> TaskNote:
    """Keeps why a task cannot be answered yet; the task stays open. The same `note_id` with the
    same text gives the first note again.

    Raises UnknownTask, NotAllowed, InvalidInput (KeyReused), and AlreadyVerified when somebody has
    answered it meanwhile.
    """
    task, _ = _open_to(connection, viewer, task_uuid)
    if not text:
        raise rules.InvalidInput("note", "note_missing", "note: say why you cannot tell yet.")
    rules.check_note(text)
    history = _answers(connection, task)
    if task.standing == "verified" and history:
        raise rules.AlreadyVerified(history[0])
    given = TaskNote(note_id, text, viewer.user_name, now)
    kept = task_notes.add(connection, task.task_id, given)
    if kept is None:
        raise rules.KeyReused
    return kept


def _open_to(
    connection: sqlalchemy.Connection, viewer: Viewer, task_uuid: UUID
) -> tuple[Task, Answering]:
    """A task that the viewer may verify. Raises UnknownTask or NotAllowed."""
    found = store.task_to_answer(connection, viewer, task_uuid)
    if found is None:
        raise rules.UnknownTask
    task, answering = found
    rules.check_may_verify(viewer, task, answering.definition)
    return task, answering


def _next(
    connection: sqlalchemy.Connection,
    viewer: Viewer,
    task: Task,
    sent: Sent,
    verification_id: UUID,
    instance_name: str,
    now: datetime,
) -> Verification:
    """The verification of the round after the last one known, ours or landed."""
    history = _answers(connection, task) if task.last_round else []
    rules.check_follows(sent.follows_round, history)
    answer, round_ = sent.answer, sent.follows_round + 1
    return Verification(
        verification_id=verification_id,
        task_id=task.task_id,
        round=round_,
        outcome=answer.outcome,
        visit_on=date.fromisoformat(answer.visit_date) if answer.visit_date else None,
        reason=answer.reason or None,
        note=answer.note,
        replaces=next((one.report_id for one in history if one.delivery != "withdrawn"), None),
        report_id=rules.report_id(instance_name, task.task_id, round_),
        verified_by=viewer.user_name,
        verified_at=now,
        appointment_on=task.appointment_on,
        patient_uuid=task.patient_uuid,
    )


def _answers(connection: sqlalchemy.Connection, task: Task) -> list[KnownVerification]:
    """Those that are rounds of the task, newest first."""
    return [one for one in store.history(connection, task.task_id) if one.void_reason is None]


def _report(
    task: Task,
    answer: Answer,
    verification: Verification,
    lineage: Sequence[str],
) -> dict[str, object]:
    return rules.verification_report(
        report_id=verification.report_id,
        reported_at=verification.verified_at,
        lineage=lineage,
        task=task,
        answer=answer,
        verification_id=verification.verification_id,
        verified_by=verification.verified_by,
        round_=verification.round,
        replaces=verification.replaces,
    )
