"""What supervisors see and what they answered: the queries of the service.

Reads the live marts; writes `app.verification`. Commits nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    desc,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from pipeline import tables
from pipeline.errors import Refused
from pipeline.worklist import marts, rules
from pipeline.worklist.records import (
    Area,
    Filters,
    KnownVerification,
    PatientReport,
    Progress,
    Task,
    ToTrace,
    Verification,
    Viewer,
)

Position = tuple[ColumnElement[Any], ...]
Place = tuple[Any, ...]  # what a position is for one task
_UNKNOWN_DAYS = 2**31 - 1
_LAST_NAME = "\U0010ffff"
_FIELDS = tuple(Task.__dataclass_fields__)
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_FEWEST_DIGITS = 4
_ASKED = ("open", "verified", "resolved")
_DONE = ("verified", "resolved")
ORDERS = ("missed", "due", "name", "area")


def viewer(connection: Connection, user_name: str, programme_roles: Sequence[str]) -> Viewer:
    """A user as his landed settings describe him. Raises Refused where nobody has that name.

    Who was deactivated keeps his name and loses everything else, and so sees nothing.
    """
    known = marts.user_account.c
    row = connection.execute(
        select(known.roles, known.facility_uuids, known.contact_uuid, known.is_active).where(
            known.user_name == user_name
        )
    ).one_or_none()
    if row is None:
        raise Refused(f"The CHT's data holds no user {user_name!r}; names are lower case.")
    if row.is_active is False:
        return rules.viewer(user_name, (), (), None, ())
    return rules.viewer(
        user_name, row.roles or (), row.facility_uuids or (), row.contact_uuid, programme_roles
    )


def _seen(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    """The one place that says what a viewer may see; every query about tasks starts here.

    The rows of the ledger that are his, with the nearest of his facilities above each.
    """
    task, scope = marts.missed_appointment, marts.place_scope.c
    is_his = scope.ancestor_uuid == any_(_texts("facility_uuids", viewer.facility_uuids))
    nearest = (
        select(scope.ancestor_uuid)
        .where(scope.place_uuid == task.c.place_uuid, is_his)
        .order_by(scope.depth)
        .limit(1)
    )
    rows = select(task, nearest.scalar_subquery().label("facility_uuid"))
    if not viewer.is_online:
        return rows.where(false())
    if viewer.is_programme_wide:
        return rows
    definition = tables.task_definition.c
    assigned = select(definition.name).where(
        definition.roles.overlap(_texts("roles", viewer.roles))
    )
    # an array, since the planner takes it for short: his tasks are looked up by their place
    places = func.array(select(scope.place_uuid).where(is_his).scalar_subquery())
    return rows.where(task.c.place_uuid == any_(places), task.c.definition.in_(assigned))


def tasks(
    connection: Connection,
    viewer: Viewer,
    *,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    order: str = "missed",
    limit: int | None = None,
    after: UUID | None = None,
) -> list[Task]:
    """In one of ORDERS: most days since the appointment first, unknown last, then the earliest
    due; the earliest due first; by the patient's name; by area and in it as the first.

    `after` is the `task_uuid` of the last task already read: the page continues behind it.
    InvalidInput where that is not on the viewer's list.
    """
    begin = None if after is None else _position_of(connection, viewer, after, order)
    query = _list(_alike(viewer), filters, order, begin, limit)
    rows = connection.execute(query, _rights(viewer))
    return [_task(row) for row in rows]


def _alike(viewer: Viewer) -> Viewer:
    """The same kind of viewer with nothing of his own: what statements are kept by.

    Composing one takes longer than all else in a request; what is his own are its parameters.
    """
    return replace(viewer, user_name="", roles=(), facility_uuids=(), contact_uuid=None)


def _rights(viewer: Viewer) -> dict[str, list[str]]:
    return {"roles": list(viewer.roles), "facility_uuids": list(viewer.facility_uuids)}


@lru_cache(maxsize=64)
def _list(
    viewer: Viewer, filters: Filters, order: str, begin: Place | None, limit: int | None
) -> Select[*tuple[Any, ...]]:
    seen = _seen(viewer).subquery("seen")
    note = _note_of(seen.c.source_id)
    wanted, position = _narrowed(seen, filters, note), _position(seen, order, note)
    if begin is not None:
        values = (literal(value, of.type) for value, of in zip(begin, position, strict=True))
        wanted.append(tuple_(*position) > tuple_(*values))
    if filters.search.strip() or order == "name":
        return _described(seen, note).where(*wanted).order_by(*position).limit(limit)
    # only what is shown need be described: the rest is judged and ordered, and no more
    page = select(seen.c.task_id).where(*wanted).order_by(*position).limit(limit)
    shown = _seen(viewer).where(
        marts.missed_appointment.c.task_id == any_(func.array(page.scalar_subquery()))
    )
    described = shown.subquery("shown")
    note = _note_of(described.c.source_id)
    return _described(described, note).order_by(*_position(described, order, note))


def _narrowed(seen: Subquery, filters: Filters, note: FromClause) -> list[ColumnElement[bool]]:
    """What of the viewer's tasks is wanted."""
    column = {
        "standing": seen.c.standing,
        "state": seen.c.state,
        "definition": seen.c.definition,
        "area_uuid": seen.c.area_uuid,
        "reason": seen.c.verification_reason,
    }
    wanted = [column[name] == value for name in column if (value := getattr(filters, name))]
    if filters.place_uuid:
        scope = marts.place_scope.c
        below = select(scope.place_uuid).where(scope.ancestor_uuid == filters.place_uuid)
        wanted.append(seen.c.place_uuid == any_(func.array(below.scalar_subquery())))
    if filters.flag:
        wanted.append(seen.c.flags.contains(_texts("flag", [filters.flag])))
    if filters.is_overdue:
        wanted.append(seen.c.due_on < func.app.today())
    if filters.search.strip():
        wanted.append(_matches(filters.search, note))
    return wanted


def others(connection: Connection, viewer: Viewer, tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """The open tasks, by patient, of those patients in `tasks` who have several."""
    patients = {
        task.patient_uuid for task in tasks if task.patient_uuid and "duplicate_open" in task.flags
    }
    if not patients:
        return {}
    seen = _seen(viewer).subquery("seen")
    note = _note_of(seen.c.source_id)
    query = _described(seen, note).where(
        seen.c.standing == "open",
        seen.c.patient_uuid == any_(_texts("patients", sorted(patients))),
    )
    found: dict[str, list[Task]] = {}
    for row in connection.execute(query.order_by(*_position(seen, "due", note))):
        found.setdefault(row.patient_uuid, []).append(_task(row))
    return found


def areas(connection: Connection, viewer: Viewer, filters: Filters) -> list[Area]:
    """The areas of the viewer's tasks as `filters` have them, by name; `area_uuid` apart."""
    seen = _seen(viewer).subquery("seen")
    chw = marts.patient.alias("chw")
    everywhere = replace(filters, area_uuid="", search="")
    counted = (
        select(seen.c.area_uuid, seen.c.area_name, seen.c.chw_uuid, func.count().label("count"))
        .where(*_narrowed(seen, everywhere, _note_of(seen.c.source_id)))
        .group_by(seen.c.area_uuid, seen.c.area_name, seen.c.chw_uuid)
        .subquery("counted")
    )
    rows = connection.execute(
        select(
            counted.c.area_uuid,
            counted.c.area_name,
            chw.c.patient_name.label("chw_name"),
            counted.c.count,
        )
        .select_from(counted.outerjoin(chw, chw.c.patient_uuid == counted.c.chw_uuid))
        .order_by(func.coalesce(func.lower(counted.c.area_name), _LAST_NAME), counted.c.area_uuid)
    )
    return [Area(**row) for row in rows.mappings()]


def to_trace(connection: Connection, viewer: Viewer) -> list[ToTrace]:
    """Whom CHWs are to look for, by area; in it the most days since the appointment first."""
    seen = _seen(viewer).subquery("seen")
    described = (
        _described(seen, _note_of(seen.c.source_id))
        .where(seen.c.verification_outcome == "not_visited")
        .subquery("one")
    )
    # looked up for each task; an offset keeps PostgreSQL from reading the ledger for each
    mart = marts.to_trace
    is_listed = select(mart.c.task_id).where(mart.c.task_id == described.c.task_id).offset(0)
    note = _note_of(described.c.verification_report_id)
    of_task = {
        name: described.c[name] for name in ToTrace.__dataclass_fields__ if name in described.c
    }
    query = (
        select(*of_task.values(), described.c.verification_reason.label("reason"), note.c.note)
        .select_from(described.join(is_listed.lateral("listed"), true()).outerjoin(note, true()))
        .order_by(*_position(described, "area", note))
    )
    return [ToTrace(**row) for row in connection.execute(query).mappings()]


def patient_reports(connection: Connection, task: Task) -> list[PatientReport]:
    """What was reported of the task's patient, newest first; its own source is not repeated."""
    known = marts.patient_report.c
    rows = connection.execute(
        select(known.report_uuid, known.form, known.kind, known.reported_at)
        .where(known.patient_uuid == task.patient_uuid, known.report_uuid != task.source_id)
        .order_by(func.coalesce(known.reported_at, _LONG_AGO).desc(), known.report_uuid)
    )
    return [PatientReport(**row) for row in rows.mappings()]


def task(connection: Connection, viewer: Viewer, task_uuid: UUID) -> Task | None:
    """None where the viewer may not see it, whether it exists or not."""
    parameters = {**_rights(viewer), "task_uuid": task_uuid}
    row = connection.execute(_one(_alike(viewer)), parameters).one_or_none()
    return None if row is None else _task(row)


def _task(row: Row[Any]) -> Task:
    """Of a row of `_described`, whose columns begin with a task's fields, in their order."""
    return Task(*row[: len(_FIELDS)])


@lru_cache
def _one(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    seen = _seen(viewer).subquery("seen")
    described = _described(seen, _note_of(seen.c.source_id))
    return described.where(seen.c.task_uuid == bindparam("task_uuid", type_=Uuid))


def _note_of(report_uuid: ColumnElement[str]) -> FromClause:
    """What a report says itself. Looked up for each row: joined, the view would be read through,
    and without a limit PostgreSQL makes a join of it.
    """
    note = marts.note
    return select(note).where(note.c.report_uuid == report_uuid).limit(1).lateral("note_of_report")


def _described(seen: Subquery, note: FromClause) -> Select[*tuple[Any, ...]]:
    """With everything that identifies the patient; of an unknown one what the report says."""
    facility = marts.place.alias("facility")
    patient, chw = marts.patient, marts.patient.alias("chw")
    latest = _last_note(seen)
    columns: dict[str, ColumnElement[Any]] = {
        **{name: seen.c[name] for name in _FIELDS if name in seen.c},
        "facility_name": facility.c.place_name,
        "days_left": seen.c.closes_on - func.app.today(),
        "chw_name": chw.c.patient_name,
        "patient_name": _patient_name(note),
        "patient_id": _patient_id(note),
        "reported_patient_uuid": note.c.patient_uuid,
        **{name: patient.c[name] for name in ("phone", "sex", "date_of_birth")},
        "last_round": _last_round(seen),
        "last_note": latest.c.note,
        **{name: latest.c[name] for name in ("noted_by", "noted_at")},
    }
    fields = (columns[name].label(name) for name in _FIELDS)
    return select(*fields, seen.c.verification_report_id).select_from(
        seen.outerjoin(facility, facility.c.place_uuid == seen.c.facility_uuid)
        .outerjoin(patient, patient.c.patient_uuid == seen.c.patient_uuid)
        .outerjoin(note, true())
        .outerjoin(chw, chw.c.patient_uuid == seen.c.chw_uuid)
        .outerjoin(latest, true())
    )


def _last_note(seen: Subquery) -> FromClause:
    known = tables.task_note.c
    return (
        select(known.note, known.noted_by, known.noted_at)
        .where(known.task_id == seen.c.task_id)
        .order_by(known.noted_at.desc(), known.note_id)
        .limit(1)
        .lateral("latest_note")
    )


def _patient_name(note: FromClause) -> ColumnElement[str]:
    """A definition may name it by `contactLabel`; else the patient's own, else the report's."""
    said = note.c
    return func.coalesce(said.contact_label, marts.patient.c.patient_name, said.patient_name)


def _patient_id(note: FromClause) -> ColumnElement[str]:
    return func.coalesce(marts.patient.c.patient_id, note.c.patient_id)


def _last_round(seen: Subquery) -> ColumnElement[int]:
    rounds = marts.verification.c
    highest = select(func.max(rounds.round)).where(rounds.task_id == seen.c.task_id)
    return func.coalesce(highest.scalar_subquery(), 0)


def _matches(search: str, note: FromClause) -> ColumnElement[bool]:
    """Every word in the name or the shortcode; or the digits somewhere in the phone number."""
    words = and_(
        *(
            or_(
                _patient_name(note).icontains(word, autoescape=True),
                _patient_id(note).icontains(word, autoescape=True),
            )
            for word in search.split()
        )
    )
    digits = "".join(filter(str.isdecimal, search)).lstrip("0")
    if len(digits) < _FEWEST_DIGITS:
        return words
    phone = func.regexp_replace(marts.patient.c.phone, "[^0-9]", "", "g")
    return or_(words, phone.contains(digits, autoescape=True))


def _position(seen: Subquery, order: str, note: FromClause) -> Position:
    """Where a task stands in the list: lists are ordered by it and continued behind it."""
    days = func.coalesce(-seen.c.days_since_appointment, _UNKNOWN_DAYS)
    last = (seen.c.due_on, seen.c.task_id)
    match order:
        case "due":
            return seen.c.due_on, days, seen.c.task_id
        case "name":
            return func.coalesce(func.lower(_patient_name(note)), _LAST_NAME), days, *last
        case "area":
            area = func.coalesce(func.lower(seen.c.area_name), _LAST_NAME)
            return area, func.coalesce(seen.c.area_uuid, ""), days, *last
    return days, *last


def _position_of(connection: Connection, viewer: Viewer, task_uuid: UUID, order: str) -> Place:
    seen = _seen(viewer).subquery("seen")
    note = _note_of(seen.c.source_id)
    position = _position(seen, order, note)
    query = _described(seen, note).with_only_columns(*position, maintain_column_froms=True)
    last = connection.execute(query.where(seen.c.task_uuid == task_uuid)).one_or_none()
    if last is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such task; start again.")
    return tuple(last)


def progress(connection: Connection, viewer: Viewer) -> Progress:
    """Of the tasks whose window contains today and that ask for something: how many are done."""
    rows = connection.execute(_counts(_alike(viewer)), _rights(viewer)).all()
    return Progress(
        done_count=sum(row.due_count for row in rows if row.standing in _DONE),
        asked_count=sum(row.due_count for row in rows if row.standing in _ASKED),
        count_by_standing={row.standing: row.all_count for row in rows},
    )


@lru_cache
def _counts(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    seen = _seen(viewer).subquery("seen")
    is_due = func.app.today().between(seen.c.opens_on, seen.c.closes_on)
    return select(
        seen.c.standing,
        func.count().label("all_count"),
        func.count().filter(is_due).label("due_count"),
    ).group_by(seen.c.standing)


def history(connection: Connection, task_id: str) -> list[KnownVerification]:
    """All answers of one task, newest first; ask `task` first whether the viewer sees it."""
    known = marts.verification
    note = _note_of(known.c.report_id)
    rows = connection.execute(
        select(known, func.app.task_uuid(known.c.task_id).label("task_uuid"), note.c.note)
        .select_from(known.outerjoin(note, true()))
        .where(known.c.task_id == task_id)
        .order_by(known.c.round.desc(), known.c.report_id)
    )
    return [KnownVerification(**row) for row in rows.mappings()]


def verifications(
    connection: Connection, viewer: Viewer, *, limit: int, after: str | None = None
) -> list[KnownVerification]:
    """Answers to tasks the viewer sees, latest first; `after` is the last `report_id` read."""
    seen = _seen(viewer).subquery("seen")
    known = _answers_to(seen)
    note = _note_of(known.c.report_id)
    query = select(known, seen.c.task_uuid, note.c.note).select_from(
        seen.join(known, true()).outerjoin(note, true())
    )
    position: Position = func.coalesce(known.c.verified_at, _LONG_AGO), known.c.report_id
    if after is not None:
        query = query.where(tuple_(*position) < tuple_(*_moment_of(connection, seen, after)))
    rows = connection.execute(query.order_by(*map(desc, position)).limit(limit))
    return [KnownVerification(**row) for row in rows.mappings()]


def _answers_to(seen: Subquery) -> FromClause:
    """Looked up for each task; an offset keeps PostgreSQL from reading all answers ever given."""
    known = marts.verification
    return select(known).where(known.c.task_id == seen.c.task_id).offset(0).lateral("answer")


def _moment_of(connection: Connection, seen: Subquery, report_id: str) -> Position:
    known = _answers_to(seen)
    last = connection.execute(
        select(known.c.verified_at)
        .select_from(seen.join(known, true()))
        .where(known.c.report_id == report_id)
    ).one_or_none()
    if last is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such report; start again.")
    return literal(last.verified_at or _LONG_AGO), literal(report_id)


def lock_task(connection: Connection, task_uuid: UUID) -> None:
    """One answer to a task at a time, until the transaction ends."""
    name = literal(f"verification of {task_uuid}")
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def insert_verification(connection: Connection, verification: Verification) -> None:
    connection.execute(insert(tables.verification).values(vars(verification)))


def _texts(name: str, values: Sequence[str]) -> ColumnElement[Sequence[str]]:
    """A parameter of this name, so that a statement composed once serves other values too."""
    return cast(bindparam(name, list(values), ARRAY(Text)), ARRAY(Text))
