"""Of which task definitions a viewer's list can hold tasks."""

from sqlalchemy import Connection, select

from pipeline import tables
from pipeline.worklist import rules
from pipeline.worklist.records import Definition, Viewer


def seen(connection: Connection, viewer: Viewer) -> dict[str, Definition]:
    """By name, in the order of their titles."""
    known = tables.task_definition.c
    rows = connection.execute(
        select(known.name, known.title, known.roles, known.reasons).order_by(
            known.title, known.name
        )
    )
    every = [Definition(row.name, row.title, tuple(row.roles), tuple(row.reasons)) for row in rows]
    return {one.name: one for one in every if rules.may_see(viewer, one)}
