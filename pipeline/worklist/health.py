"""What machines ask of the service: can it answer, and how much is waiting."""

from sqlalchemy import Connection, func, select

from pipeline import tables
from pipeline.worklist import mart_tables

_NEEDED = (
    mart_tables.identified_task,
    mart_tables.place,
    mart_tables.place_scope,
    mart_tables.contact_place,
    mart_tables.verification,
    mart_tables.note,
    mart_tables.translation,
)


def missing_marts(connection: Connection) -> list[str]:
    """The marts that no refresh has built yet."""
    names = [f"{mart.schema}.{mart.name}" for mart in _NEEDED]
    return [
        name
        for name in names
        if connection.execute(select(func.to_regclass(name))).scalar_one() is None
    ]


def may_serve(connection: Connection) -> bool:
    """Whether this account may let people sign in and answer."""
    needed = (tables.session, tables.verification, tables.outbox)
    held = (func.has_table_privilege(f"{table.schema}.{table.name}", "insert") for table in needed)
    return all(connection.execute(select(*held)).one())


def open_task_count(connection: Connection) -> int:
    task = mart_tables.identified_task
    return connection.execute(
        select(func.count()).select_from(task).where(task.c.standing == "open")
    ).scalar_one()


def outbox_counts(connection: Connection) -> dict[str, int]:
    state = tables.outbox.c.state
    rows = connection.execute(
        select(state.label("state"), func.count().label("row_count")).group_by(state)
    )
    return {row.state: row.row_count for row in rows}
