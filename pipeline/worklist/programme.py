"""What the CHT and `tasks.yml` say of the programme: definitions, places, its zone and name.

Statements are composed once: that takes longer than running them.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Text, any_, bindparam, func, select

from pipeline import tables
from pipeline.errors import Refused
from pipeline.statements import Statement
from pipeline.worklist import marts, rules
from pipeline.worklist.records import Answering, Definition, Programme, Task, Viewer

_known = tables.task_definition.c
_DEFINITIONS = select(_known.name, _known.title, _known.roles, _known.reasons)
_DEFINITION = Statement(_DEFINITIONS.where(_known.name == bindparam("name")))
_BY_TITLE = Statement(_DEFINITIONS.order_by(_known.title, _known.name))


def definition(connection: Connection, name: str) -> Definition:
    """A definition that has left `tasks.yml` is assigned to nobody and has no reasons."""
    return _definition(name, _DEFINITION.row(connection, {"name": name}))


def definitions_of(connection: Connection, viewer: Viewer) -> dict[str, Definition]:
    """Those whose tasks the viewer's list can hold: by name, in the order of their titles."""
    every = [_definition(row.name, row) for row in _BY_TITLE.rows(connection)]
    return {one.name: one for one in every if rules.may_see(viewer, one)}


def _definition(name: str, row: Any) -> Definition:
    if row is None or row.name is None:
        return Definition(name, name, (), ())
    return Definition(row.name, row.title, tuple(row.roles), tuple(row.reasons))


def _lineage() -> ColumnElement[list[str]]:
    """The places above the contact `contact_uuid`, its own first."""
    home, scope = marts.contact_place.c, marts.place_scope.c
    above = (
        select(scope.ancestor_uuid)
        .where(
            home.contact_uuid == bindparam("contact_uuid", type_=Text),
            scope.place_uuid == home.place_uuid,
        )
        .order_by(scope.depth)
    )
    return func.array(above.scalar_subquery())


# What an answer by the contact `contact_uuid` needs, beside a task whose definition is joined.
ANSWERING = (
    _known.name,
    _known.roles,
    _known.reasons,
    select(tables.instance.c.name).scalar_subquery().label("instance_name"),
    func.app.today().label("today"),
    _lineage().label("lineage"),
)


def answering(row: Any, task: Task, contact_uuid: str | None) -> Answering:
    """For an answer by this contact to the task, of a row with its title and with ANSWERING."""
    if row.instance_name is None:
        raise Refused("The database does not know the name of its CHT yet: run `worklist migrate`.")
    lineage = (contact_uuid or "", *row.lineage)
    return Answering(_definition(task.definition, row), row.today, row.instance_name, lineage)


_ROLES = Statement(select(func.unnest(tables.task_definition.c.roles).label("role")).distinct())


def assigned_roles(connection: Connection) -> set[str]:
    """Every role that any definition is assigned to."""
    return {row.role for row in _ROLES.rows(connection)}


_PLACE_NAMES = Statement(
    select(marts.place.c.place_name)
    .where(marts.place.c.place_uuid == any_(bindparam("place_uuids", type_=ARRAY(Text))))
    .order_by(marts.place.c.place_name)
)


def place_names(connection: Connection, place_uuids: Sequence[str]) -> list[str]:
    rows = _PLACE_NAMES.rows(connection, {"place_uuids": list(place_uuids)})
    return [row.place_name for row in rows]


_DAYS = Statement(
    select(
        func.app.programme_zone().label("zone"),
        func.app.today().label("today"),
        select(func.max(tables.refresh_run.c.finished_at))
        .where(tables.refresh_run.c.tier == "live", tables.refresh_run.c.is_success)
        .scalar_subquery()
        .label("as_of"),
    )
)


def days(connection: Connection) -> Programme:
    (row,) = _DAYS.rows(connection)
    return Programme(zone=row.zone, today=row.today, as_of=row.as_of)


_TRANSLATIONS = Statement(
    select(marts.translation.c.language, marts.translation.c.key, marts.translation.c.text).where(
        marts.translation.c.language == any_(bindparam("languages", type_=ARRAY(Text))),
        marts.translation.c.key == any_(bindparam("keys", type_=ARRAY(Text))),
    )
)


def translations(connection: Connection, language: str, keys: Collection[str]) -> dict[str, str]:
    """What the CHT's messages say in this language, else in English; keys without any are left out.

    Titles, labels and reasons of `tasks.yml` may be such keys.
    """
    asked = {"languages": [language, "en"], "keys": sorted(set(keys))}
    rows = _TRANSLATIONS.rows(connection, asked)
    # the wanted language last, so that it replaces the other
    return {row.key: row.text for row in sorted(rows, key=lambda row: row.language == language)}
