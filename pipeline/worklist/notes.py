"""Notes on tasks that cannot be answered yet: `app.task_note`. Commits nothing."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from pipeline.tables import task_note
from pipeline.worklist.records import TaskNote


def add(connection: Connection, task_id: str, note: TaskNote) -> bool:
    """Once for each `note_id`; False where it does not stand there as given."""
    connection.execute(
        insert(task_note).values(task_id=task_id, **vars(note)).on_conflict_do_nothing()
    )
    row = connection.execute(
        select(task_note.c.task_id, task_note.c.note, task_note.c.noted_by).where(
            task_note.c.note_id == note.note_id
        )
    ).one()
    return tuple(row) == (task_id, note.note, note.noted_by)


def of_task(connection: Connection, task_id: str) -> list[TaskNote]:
    """Newest first; ask `store.task` first whether the viewer sees it."""
    known = task_note.c
    rows = connection.execute(
        select(known.note_id, known.note, known.noted_by, known.noted_at)
        .where(known.task_id == task_id)
        .order_by(known.noted_at.desc(), known.note_id)
    )
    return [TaskNote(**row) for row in rows.mappings()]


def find(connection: Connection, note_id: UUID) -> TaskNote:
    known = task_note.c
    row = connection.execute(
        select(known.note_id, known.note, known.noted_by, known.noted_at).where(
            known.note_id == note_id
        )
    ).mappings()
    return TaskNote(**row.one())
