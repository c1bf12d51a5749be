"""What the CHT and `tasks.yml` say of the programme: definitions, places, its zone and name."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    any_,
    func,
    literal,
    select,
)

from pipeline import tables
from pipeline.errors import Refused
from pipeline.worklist import mart_tables, rules
from pipeline.worklist.records import Answering, Definition, Programme, Task, Viewer

_known = tables.task_definition.c
_DEFINITIONS = select(_known.name, _known.title, _known.roles, _known.reasons)


def definition(connection: Connection, name: str) -> Definition:
    """A definition that has left `tasks.yml` is assigned to nobody and has no reasons."""
    row = connection.execute(_DEFINITIONS.where(_known.name == name)).one_or_none()
    return _definition(name, row)


def definitions_of(connection: Connection, viewer: Viewer) -> dict[str, Definition]:
    """Those whose tasks the viewer's list can hold: by name, in the order of their titles."""
    rows = connection.execute(_DEFINITIONS.order_by(_known.title, _known.name))
    every = [_definition(row.name, row) for row in rows]
    return {one.name: one for one in every if rules.may_see(viewer, one)}


def _definition(name: str, row: Any) -> Definition:
    if row is None or row.name is None:
        return Definition(name, name, (), ())
    return Definition(row.name, row.title, tuple(row.roles), tuple(row.reasons))


def answering_columns(contact_uuid: str | None) -> Sequence[ColumnElement[Any]]:
    """What an answer by this contact needs, for a query that joins a task's definition."""
    return (
        _known.name,
        _known.roles,
        _known.reasons,
        select(tables.instance.c.name).scalar_subquery().label("instance_name"),
        func.app.today().label("today"),
        _lineage(contact_uuid).label("lineage"),
    )


def _lineage(contact_uuid: str | None) -> ColumnElement[list[str]]:
    """The places above the contact, its own first."""
    home, scope = mart_tables.contact_place.c, mart_tables.place_scope.c
    above = (
        select(scope.ancestor_uuid)
        .where(home.contact_uuid == contact_uuid, scope.place_uuid == home.place_uuid)
        .order_by(scope.depth)
    )
    return func.array(above.scalar_subquery())


def answering(row: Any, task: Task, contact_uuid: str | None) -> Answering:
    """For an answer by this contact to the task, from a row with `answering_columns`."""
    if row.instance_name is None:
        raise Refused("The database does not know the name of its CHT yet: run `worklist migrate`.")
    lineage = (contact_uuid or "", *row.lineage)
    return Answering(_definition(task.definition, row), row.today, row.instance_name, lineage)


def assigned_roles(connection: Connection) -> set[str]:
    """Every role that any definition is assigned to."""
    return set(connection.scalars(select(func.unnest(_known.roles)).distinct()))


def place_names(connection: Connection, place_uuids: Sequence[str]) -> list[str]:
    place = mart_tables.place.c
    is_wanted = place.place_uuid == any_(_texts(place_uuids))
    return list(
        connection.scalars(select(place.place_name).where(is_wanted).order_by(place.place_name))
    )


def days(connection: Connection) -> Programme:
    run = tables.refresh_run.c
    as_of = select(func.max(run.finished_at)).where(run.tier == "live", run.is_success)
    row = connection.execute(
        select(
            func.app.programme_zone().label("zone"),
            func.app.today().label("today"),
            as_of.scalar_subquery().label("as_of"),
        )
    ).one()
    return Programme(zone=row.zone, today=row.today, as_of=row.as_of)


def translations(connection: Connection, language: str, keys: Collection[str]) -> dict[str, str]:
    """What the CHT's messages say in this language, else in English; keys without any are left out.

    Titles, labels and reasons of `tasks.yml` may be such keys.
    """
    known = mart_tables.translation.c
    rows = connection.execute(
        select(known.key, known.text)
        .where(
            known.language == any_(_texts([language, "en"])),
            known.key == any_(_texts(sorted(set(keys)))),
        )
        .order_by(known.language == language)  # last, so that it replaces the English one
    )
    return {row.key: row.text for row in rows}


def _texts(values: Sequence[str]) -> ColumnElement[Sequence[str]]:
    return literal(list(values), ARRAY(Text))
