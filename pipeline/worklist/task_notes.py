"""Notes on tasks that cannot be answered yet: `app.task_note`. Commits nothing."""

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.dialects.postgresql import insert

from pipeline.tables import task_note
from pipeline.worklist.records import TaskNote


def add(connection: Connection, task_id: str, note: TaskNote) -> TaskNote | None:
    """The note as first stored under its `note_id`; None if a different note has that id."""
    connection.execute(
        insert(task_note).values(task_id=task_id, **vars(note)).on_conflict_do_nothing()
    )
    is_it = task_note.c.note_id == note.note_id
    for known in _notes(connection, is_it, task_note.c.task_id == task_id):
        if known.note == note.note:
            return known
    return None


def of_task(connection: Connection, task_id: str) -> list[TaskNote]:
    """Newest first; ask `store.task` first whether the viewer sees it."""
    return _notes(connection, task_note.c.task_id == task_id)


def _notes(connection: Connection, *wanted: ColumnElement[bool]) -> list[TaskNote]:
    known = task_note.c
    rows = connection.execute(
        select(known.note_id, known.note, known.noted_by, known.noted_at)
        .where(*wanted)
        .order_by(known.noted_at.desc(), known.note_id)
    )
    return [TaskNote(**row) for row in rows.mappings()]
