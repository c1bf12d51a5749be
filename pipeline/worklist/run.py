"""Accepting verifications and notes, all in the caller's one transaction, which he commits."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from uuid import UUID

import psycopg
import sqlalchemy

from pipeline.database import driver
from pipeline.worklist import keys, notes, rules, store
from pipeline.worklist.records import Answer, Answering, Task, TaskNote, Verification, Viewer

Enqueue = Callable[[psycopg.Connection, UUID, str, dict[str, object], datetime], None]


class KeyReused(rules.InvalidInput):
    """One idempotency key, two different requests."""

    def __init__(self) -> None:
        super().__init__(
            "Idempotency-Key",
            "key_reused",
            "Idempotency-Key: used for something else before, make a new one.",
        )


def accept(
    connection: sqlalchemy.Connection,
    viewer: Viewer,
    task_uuid: UUID,
    answer: Answer,
    *,
    follows_round: int,
    enqueue: Enqueue,
    now: datetime,
    verification_id: UUID,
    idempotency_key: str,
) -> Verification:
    """Stores the answer and puts its report into the outbox; safe once the caller commits, who
    rolls back after an error.

    Raises UnknownTask, NotAllowed, InvalidInput or KeyReused (never the same again) and
    AlreadyVerified when the answer follows another round than the last. The same key with the
    same request gives the first answer again and changes nothing.
    """
    request_hash = rules.request_hash(task_uuid, answer, follows_round)
    if not keys.claim(
        connection, viewer.user_name, idempotency_key, request_hash, verification_id, now
    ):
        return _earlier(connection, viewer.user_name, idempotency_key, request_hash)
    task, answering = _open_to(connection, viewer, task_uuid)
    rules.check_answer(answer, answering.definition, answering.today)
    verification = _next(
        connection,
        viewer,
        task,
        answer,
        follows_round,
        verification_id,
        answering.instance_name,
        now,
    )
    if not store.insert_verification(connection, verification):
        raise rules.AlreadyVerified(store.history(connection, task.task_id)[0])
    report = _report(viewer, task, answer, verification, answering.lineage)
    enqueue(driver(connection), verification_id, verification.report_id, report, now)
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
        raise rules.InvalidInput("note", "note_missing", "note: say why it cannot be told yet.")
    rules.check_note(text)
    history = store.history(connection, task.task_id)
    if task.standing == "verified" and history:
        raise rules.AlreadyVerified(history[0])
    given = TaskNote(note_id, text, viewer.user_name, now)
    kept = notes.add(connection, task.task_id, given)
    if kept is None:
        raise KeyReused
    return kept


def _earlier(
    connection: sqlalchemy.Connection, user_name: str, key: str, request_hash: bytes
) -> Verification:
    """What was accepted under this key."""
    stored_hash, verification = keys.remembered(connection, user_name, key)
    if stored_hash != request_hash:
        raise KeyReused
    return verification


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
    answer: Answer,
    follows_round: int,
    verification_id: UUID,
    instance_name: str,
    now: datetime,
) -> Verification:
    """The verification of the round after the last one known, ours or landed."""
    history = store.history(connection, task.task_id) if task.last_round else []
    rules.check_follows(follows_round, history)
    round_ = follows_round + 1
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
    )


def _report(
    viewer: Viewer,
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
        verified_by=viewer.user_name,
        round_=verification.round,
        replaces=verification.replaces,
    )
