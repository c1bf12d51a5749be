"""What the CHT and `tasks.yml` say of the programme: definitions, places, its zone and name."""

from collections.abc import Collection, Sequence

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select

from pipeline import tables
from pipeline.errors import Refused
from pipeline.worklist import marts
from pipeline.worklist.records import Definition, Programme


def definition(connection: Connection, name: str) -> Definition:
    """A definition that has left `tasks.yml` is assigned to nobody and has no reasons."""
    known = tables.task_definition.c
    row = connection.execute(
        select(known.name, known.title, known.roles, known.reasons).where(known.name == name)
    ).one_or_none()
    if row is None:
        return Definition(name, name, (), ())
    return Definition(row.name, row.title, tuple(row.roles), tuple(row.reasons))


def assigned_roles(connection: Connection) -> set[str]:
    """Every role that any definition is assigned to."""
    roles = select(func.unnest(tables.task_definition.c.roles)).distinct()
    return set(connection.execute(roles).scalars())


def place_names(connection: Connection, place_uuids: Sequence[str]) -> list[str]:
    known = marts.place.c
    rows = connection.execute(
        select(known.place_name)
        .where(known.place_uuid == any_(literal(list(place_uuids), ARRAY(Text))))
        .order_by(known.place_name)
    )
    return list(rows.scalars())


def lineage(connection: Connection, contact_uuid: str) -> list[str]:
    """The contact itself, its place, and every place above it, in this order."""
    home, scope = marts.contact_place.c, marts.place_scope.c
    above = connection.execute(
        select(scope.ancestor_uuid)
        .where(home.contact_uuid == contact_uuid, scope.place_uuid == home.place_uuid)
        .order_by(scope.depth)
    )
    return [contact_uuid, *above.scalars()]


def days(connection: Connection) -> Programme:
    run = tables.refresh_run.c
    latest = select(func.max(run.finished_at)).where(run.tier == "live", run.is_success)
    row = connection.execute(
        select(
            func.app.programme_zone().label("zone"),
            func.app.today().label("today"),
            latest.scalar_subquery().label("as_of"),
        )
    ).one()
    return Programme(zone=row.zone, today=row.today, as_of=row.as_of)


def translations(connection: Connection, language: str, keys: Collection[str]) -> dict[str, str]:
    """What the CHT's messages say in this language, else in English; keys without any are left out.

    Titles, labels and reasons of `tasks.yml` may be such keys.
    """
    known = marts.translation.c
    rows = connection.execute(
        select(known.language, known.key, known.text).where(
            known.language.in_((language, "en")),
            known.key == any_(literal(sorted(set(keys)), ARRAY(Text))),
        )
    ).all()
    # the wanted language last, so that it replaces the other
    return {row.key: row.text for row in sorted(rows, key=lambda row: row.language == language)}


def instance_name(connection: Connection) -> str:
    name = connection.execute(select(tables.instance.c.name)).scalar_one_or_none()
    if name is None:
        raise Refused("The database does not know its CHT's name yet: run worklist migrate.")
    return name
