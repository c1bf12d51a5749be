"""What supervisors see and what they answered: the queries of the service.

Reads the live marts; writes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Connection,
    CursorResult,
    FromClause,
    Select,
    Text,
    all_,
    any_,
    bindparam,
    column,
    desc,
    false,
    func,
    literal,
    or_,
    select,
    table,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from pipeline import tables
from pipeline.errors import Refused
from pipeline.worklist import mart_tables, reference_data, rules
from pipeline.worklist.records import (
    Answering,
    Area,
    Filters,
    KnownVerification,
    PatientReport,
    Progress,
    Task,
    ToTrace,
    Viewer,
)

Columns = ReadOnlyColumnCollection[str, Any]
_task = mart_tables.identified_task.c
_chosen = table("chosen", *(column(known.name, known.type) for known in _task))
_UNKNOWN_DAYS = 2**31 - 1
_LAST_NAME = "\U0010ffff"
_FIELDS = tuple(Task.__dataclass_fields__)
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_FEWEST_DIGITS = 4
_ASKED = ("open", "verified", "resolved")
_DONE = ("verified", "resolved")
ORDERS = ("missed", "due", "name", "area")


def viewer(connection: Connection, user_name: str, programme_roles: Sequence[str]) -> Viewer:
    """A user as their landed settings describe them. Raises Refused where nobody has that name.

    A deactivated user keeps the name and loses everything else, and so sees nothing.
    """
    known = mart_tables.user_account.c
    row = connection.execute(
        select(known.roles, known.facility_uuids, known.contact_uuid, known.is_active).where(
            known.user_name == user_name
        )
    ).one_or_none()
    if row is None:
        raise Refused(
            f"There is no user {user_name!r} in the CHT's data; user names are in lower case."
        )
    if row.is_active is False:
        return rules.viewer(user_name, (), (), None, ())
    return rules.viewer(
        user_name, row.roles or (), row.facility_uuids or (), row.contact_uuid, programme_roles
    )


def _scope() -> CTE:
    """Every place at or below the viewer's facilities, with the nearest of these."""
    scope, place = mart_tables.place_scope.c, mart_tables.place.c
    facility_name = select(place.place_name).where(place.place_uuid == scope.ancestor_uuid)
    return (
        select(
            scope.place_uuid,
            scope.ancestor_uuid.label("facility_uuid"),
            facility_name.scalar_subquery().label("facility_name"),
        )
        .ext(distinct_on(scope.place_uuid))
        .where(scope.ancestor_uuid == any_(bindparam("facility_uuids", type_=ARRAY(Text))))
        .order_by(scope.place_uuid, scope.depth)
        .cte("scope")
    )


def _is_visible() -> Sequence[ColumnElement[bool]]:
    """As arrays, which the planner takes for short: tasks are looked up by their place."""
    definition = tables.task_definition.c
    roles = bindparam("roles", type_=ARRAY(Text))
    places = select(_SCOPE.c.place_uuid).scalar_subquery()
    assigned = select(definition.name).where(definition.roles.overlap(roles)).scalar_subquery()
    return (
        _task.place_uuid == any_(func.array(places)),
        _task.definition == any_(func.array(assigned)),
    )


# Composed once, since every query about tasks needs them; `_execute` gives the viewer's rights.
_SCOPE = _scope()
_IS_VISIBLE = _is_visible()


def _select_visible(
    viewer: Viewer, *columns: ColumnElement[Any] | FromClause
) -> Select[*tuple[Any, ...]]:
    """Of the tasks that a viewer may see: every query about tasks starts here."""
    query = select(*columns).select_from(mart_tables.identified_task)
    if not viewer.is_online:
        return query.where(false())
    return query if viewer.is_programme_wide else query.where(*_IS_VISIBLE)


def _execute(
    connection: Connection, viewer: Viewer, query: Select[*tuple[Any, ...]]
) -> CursorResult[*tuple[Any, ...]]:
    return connection.execute(query, rights(viewer))


def rights(viewer: Viewer) -> dict[str, Sequence[str]]:
    """The parameters of every query about tasks."""
    return {"facility_uuids": list(viewer.facility_uuids), "roles": list(viewer.roles)}


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
    begin = () if after is None else _position_of(connection, viewer, after, order)
    return _tasks(connection, viewer, list_statement(viewer, filters, order, limit, begin))


def list_statement(
    viewer: Viewer,
    filters: Filters,
    order: str,
    limit: int | None,
    begin: Sequence[object] = (),
) -> Select[*tuple[Any, ...]]:
    """What `tasks` executes; `begin` is the position after which the list begins, if any."""
    position = _position(_task, order)
    page = _select_visible(viewer, mart_tables.identified_task).where(*_conditions(filters))
    if begin:
        values = (literal(value, of.type) for value, of in zip(begin, position, strict=True))
        page = page.where(tuple_(*position) > tuple_(*values))
    return _detailed(page.order_by(*position).limit(limit), order)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    equal = {
        _task.state: filters.state,
        _task.definition: filters.definition,
        _task.area_uuid: filters.area_uuid,
        _task.verification_reason: filters.reason,
    }
    wanted = [column == value for column, value in equal.items() if value]
    if filters.standing:
        wanted += _has_standing(filters.standing)
    if filters.place_uuid:
        scope = mart_tables.place_scope.c
        below = select(scope.place_uuid).where(scope.ancestor_uuid == filters.place_uuid)
        wanted.append(_task.place_uuid == any_(func.array(below.scalar_subquery())))
    if filters.flag:
        wanted.append(_task.flags.contains(_texts([filters.flag])))
    if filters.is_overdue:
        wanted.append(_task.days_overdue > 0)
    if filters.search.strip():
        wanted.append(_matches(filters.search))
    return wanted


def _has_standing(standing: str) -> list[ColumnElement[bool]]:
    """Local answers only close tasks, so none is looked up for a task that is closed as landed."""
    is_open = [_task.is_open_as_landed] if standing == "open" else []
    return [_task.standing == standing, *is_open]


def _matches(search: str) -> ColumnElement[bool]:
    """Every word in the name or the shortcode; or the digits somewhere in the phone number."""
    text = func.concat_ws("\n", _task.patient_name, _task.patient_id)
    matches = text.ilike(all_(_texts([f"%{_escaped(word)}%" for word in search.split()])))
    digits = "".join(filter(str.isdecimal, search)).lstrip("0")
    if len(digits) < _FEWEST_DIGITS:  # too few are in anybody's number
        return matches
    phone = func.regexp_replace(_task.phone, "[^0-9]", "", "g")
    return or_(matches, phone.like(f"%{digits}%"))


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)


def others(connection: Connection, viewer: Viewer, tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """The open tasks, by patient, of those patients in `tasks` who have several."""
    patients = {
        task.patient_uuid for task in tasks if task.patient_uuid and "duplicate_open" in task.flags
    }
    if not patients:
        return {}
    of_them = _select_visible(viewer, mart_tables.identified_task).where(
        *_has_standing("open"), _task.patient_uuid == any_(_texts(sorted(patients)))
    )
    by_patient: dict[str, list[Task]] = {}
    for task in _tasks(connection, viewer, _detailed(of_them, "due")):
        by_patient.setdefault(task.patient_uuid or "", []).append(task)
    return by_patient


def areas(connection: Connection, viewer: Viewer, filters: Filters) -> list[Area]:
    """The areas of the viewer's tasks by name, whatever area or patient `filters` name."""
    area = _task.area_uuid, _task.area_name, _task.chw_name
    rows = _execute(
        connection,
        viewer,
        _select_visible(viewer, *area, func.count().label("count"))
        .where(*_conditions(replace(filters, area_uuid="", search="")))
        .group_by(*area)
        .order_by(func.coalesce(func.lower(_task.area_name), _LAST_NAME), _task.area_uuid),
    )
    return [Area(**row) for row in rows.mappings()]


def flags(connection: Connection, viewer: Viewer, filters: Filters) -> dict[str, int]:
    """How many tasks have each flag, the most first, whatever flag or patient `filters` name."""
    each = func.unnest(_task.flags).table_valued("flag").render_derived()
    rows = _execute(
        connection,
        viewer,
        _select_visible(viewer, each.c.flag, func.count().label("count"))
        .join(each, true())
        .where(*_conditions(replace(filters, flag="", search="")))
        .group_by(each.c.flag)
        .order_by(desc("count"), each.c.flag),
    )
    return {row["flag"]: row["count"] for row in rows.mappings()}


def to_trace(connection: Connection, viewer: Viewer) -> list[ToTrace]:
    """Whom CHWs are to look for, by area; in it the most days since the appointment first."""
    scope, mart = _SCOPE, mart_tables.to_trace.c
    # looked up for each task; an offset keeps PostgreSQL from reading the ledger for each
    listed = (
        select(mart.traced_at, mart.trace_outcome)
        .where(mart.task_id == _task.task_id)
        .offset(0)
        .lateral("listed")
    )
    note = _note_of(_task.verification_report_id)
    sender = _name_of(_task.verification_sender_uuid)
    columns = (
        *(_task[name] for name in ToTrace.__dataclass_fields__ if name in _task),
        scope.c.facility_name,
        _task.verification_reason.label("reason"),
        note.c.note,
        sender.c.patient_name.label("verification_sender_name"),
        *listed.c,
    )
    rows = _execute(
        connection,
        viewer,
        _select_visible(viewer, *columns)
        .join(listed, true())
        .outerjoin(scope, scope.c.place_uuid == _task.place_uuid)
        .outerjoin(note, true())
        .outerjoin(sender, true())
        .where(_task.verification_outcome == "not_visited")
        .order_by(*_position(_task, "area")),
    )
    return [ToTrace(**row) for row in rows.mappings()]


def patient_reports(connection: Connection, task: Task) -> list[PatientReport]:
    """What was reported of the task's patient, newest first; its own source is not repeated."""
    known = mart_tables.patient_report.c
    rows = connection.execute(
        select(known.report_uuid, known.form, known.kind, known.reported_at, known.trace_outcome)
        .where(known.patient_uuid == task.patient_uuid, known.report_uuid != task.source_id)
        .order_by(func.coalesce(known.reported_at, _LONG_AGO).desc(), known.report_uuid)
    )
    return [PatientReport(**row) for row in rows.mappings()]


def task(connection: Connection, viewer: Viewer, task_uuid: UUID) -> Task | None:
    """None where the viewer may not see it, whether it exists or not."""
    found = _tasks(connection, viewer, _one(viewer, task_uuid))
    return found[0] if found else None


def task_to_answer(
    connection: Connection, viewer: Viewer, task_uuid: UUID
) -> tuple[Task, Answering] | None:
    """With what an answer by the viewer needs to know, in one query."""
    query = _one(viewer, task_uuid).add_columns(
        *reference_data.answering_columns(viewer.contact_uuid)
    )
    row = _execute(connection, viewer, query).one_or_none()
    if row is None:
        return None
    found = _from_row(row)
    return found, reference_data.answering(row, found, viewer.contact_uuid)


def _one(viewer: Viewer, task_uuid: UUID) -> Select[*tuple[Any, ...]]:
    task = _select_visible(viewer, mart_tables.identified_task)
    return _detailed(task.where(_task.task_uuid == task_uuid))


def _tasks(connection: Connection, viewer: Viewer, query: Select[*tuple[Any, ...]]) -> list[Task]:
    """Of `_detailed`, whose columns are a task's fields, in their order."""
    return [_from_row(row) for row in _execute(connection, viewer, query)]


def _from_row(row: Sequence[Any]) -> Task:
    return Task(*row[: len(_FIELDS)])


def _note_of(report_uuid: ColumnElement[str]) -> FromClause:
    """What a report says itself. Looked up for each row: joined, the view would be read through,
    and without a limit PostgreSQL makes a join of it.
    """
    note = mart_tables.note
    return select(note).where(note.c.report_uuid == report_uuid).limit(1).lateral("note_of_report")


def _detailed(chosen: Select[*tuple[Any, ...]], order: str = "missed") -> Select[*tuple[Any, ...]]:
    """The chosen tasks, in one of ORDERS, with what is looked up only for tasks that are shown."""
    detailed = _DETAILED.add_cte(chosen.cte(_chosen.name))
    return detailed.order_by(*_position(_chosen.c, order))


def _select_detailed() -> Select[*tuple[Any, ...]]:
    """From the CTE `chosen`, with the nearest of the viewer's facilities, title, icon and priority
    as tasks.yml has them now, the latest note, who sent an answer made in the CHT, and what the
    last trace found.
    """
    task, definition = _chosen.c, tables.task_definition.c
    latest, sender, trace = _last_note(), _name_of(task.verification_sender_uuid), _last_trace()
    columns = {
        **_SCOPE.c,
        **trace.c,
        **latest.c,
        **task,
        "title": func.coalesce(definition.title, task.definition).label("title"),
        **{name: definition[name] for name in ("icon", "priority_level", "priority_label")},
        "appointment_task_uuid": func.app.task_uuid(task.appointment_task_id),
        "verification_sender_name": sender.c.patient_name,
        "last_note": latest.c.note,
    }
    return select(*(columns[name] for name in _FIELDS)).select_from(
        _chosen.outerjoin(_SCOPE, _SCOPE.c.place_uuid == task.place_uuid)
        .outerjoin(tables.task_definition, definition.name == task.definition)
        .outerjoin(latest, true())
        .outerjoin(sender, true())
        .outerjoin(trace, true())
    )


def _name_of(contact_uuid: ColumnElement[str]) -> FromClause:
    known = mart_tables.contact
    return (
        select(known.c.patient_name)
        .where(known.c.patient_uuid == contact_uuid)
        .limit(1)
        .lateral("sender")
    )


def _last_trace() -> FromClause:
    """Since the appointment, or where its day is unknown since it was reported."""
    known = mart_tables.patient_trace.c
    day_began = func.app.local_midnight(_chosen.c.appointment_on, func.app.programme_zone())
    since = func.coalesce(day_began, _chosen.c.reported_at)
    return (
        select(known.traced_at, known.trace_outcome)
        .where(
            known.patient_uuid == _chosen.c.patient_uuid,
            known.definition == _chosen.c.definition,
            known.traced_at >= since,
        )
        .order_by(known.traced_at.desc(), known.report_uuid)
        .limit(1)
        .lateral("trace")
    )


def _last_note() -> FromClause:
    known = tables.task_note.c
    return (
        select(known.note, known.noted_by, known.noted_at)
        .where(known.task_id == _chosen.c.task_id)
        .order_by(known.noted_at.desc(), known.note_id)
        .limit(1)
        .lateral("latest_note")
    )


_DETAILED = _select_detailed()


def _position(task: Columns, order: str) -> tuple[ColumnElement[Any], ...]:
    """A task's position in a list: lists are ordered by it and continued behind it."""
    days = func.coalesce(-task.days_since_appointment, _UNKNOWN_DAYS)
    last = (task.due_on, task.task_id)
    match order:
        case "due":
            return task.due_on, days, task.task_id
        case "name":
            return func.coalesce(func.lower(task.patient_name), _LAST_NAME), days, *last
        case "area":
            area = func.coalesce(func.lower(task.area_name), _LAST_NAME)
            return area, func.coalesce(task.area_uuid, ""), days, *last
    return days, *last


def _position_of(
    connection: Connection, viewer: Viewer, task_uuid: UUID, order: str
) -> Sequence[object]:
    query = _select_visible(viewer, *_position(_task, order))
    query = query.where(_task.task_uuid == task_uuid)
    position = _execute(connection, viewer, query).one_or_none()
    if position is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such task; start again.")
    return position


def progress(connection: Connection, viewer: Viewer) -> Progress:
    """Of the tasks whose window contains today and that ask for something: how many are done."""
    today = select(func.app.today()).scalar_subquery()  # once, and not for each task
    is_due = today.between(_task.opens_on, _task.closes_on)
    counts = (
        _task.standing,
        func.count().label("all_count"),
        func.count().filter(is_due).label("due_count"),
    )
    query = _select_visible(viewer, *counts).group_by(_task.standing)
    rows = _execute(connection, viewer, query).all()
    return Progress(
        done_count=sum(row.due_count for row in rows if row.standing in _DONE),
        asked_count=sum(row.due_count for row in rows if row.standing in _ASKED),
        count_by_standing={row.standing: row.all_count for row in rows},
    )


def history(connection: Connection, task_id: str) -> list[KnownVerification]:
    """All answers of one task, void ones too, newest first; ask `task` first whether the viewer
    sees it.
    """
    known = mart_tables.task_verification
    note, sender = _note_of(known.c.report_id), _name_of(known.c.sender_uuid)
    rows = connection.execute(
        select(
            known,
            func.app.task_uuid(known.c.task_id).label("task_uuid"),
            note.c.note,
            sender.c.patient_name.label("sender_name"),
        )
        .select_from(known.outerjoin(note, true()).outerjoin(sender, true()))
        .where(known.c.task_id == task_id)
        .order_by(known.c.round.desc(), known.c.report_id)
    )
    return [KnownVerification(**row) for row in rows.mappings()]


def verifications(
    connection: Connection, viewer: Viewer, *, limit: int, after: str | None = None
) -> list[KnownVerification]:
    """Answers to tasks the viewer sees, latest first; `after` is the last `report_id` read."""
    known = _answers_of_task()
    note, sender = _note_of(known.c.report_id), _name_of(known.c.sender_uuid)
    sender_name = sender.c.patient_name.label("sender_name")
    position = func.coalesce(known.c.verified_at, _LONG_AGO), known.c.report_id
    query = (
        _select_visible(viewer, *known.c, _task.task_uuid, note.c.note, sender_name)
        .join(known, true())
        .outerjoin(note, true())
        .outerjoin(sender, true())
    )
    if after is not None:
        begin = _moment_of(connection, viewer, after), after
        query = query.where(tuple_(*position) < tuple_(*begin))
    query = query.order_by(*map(desc, position)).limit(limit)
    rows = _execute(connection, viewer, query)
    return [KnownVerification(**row) for row in rows.mappings()]


def _answers_of_task() -> FromClause:
    """Looked up for each task; an offset keeps PostgreSQL from reading all answers ever given."""
    known = mart_tables.verification
    return select(known).where(known.c.task_id == _task.task_id).offset(0).lateral("answer")


def _moment_of(connection: Connection, viewer: Viewer, report_id: str) -> datetime:
    known = _answers_of_task()
    query = _select_visible(viewer, known.c.verified_at).join(known, true())
    query = query.where(known.c.report_id == report_id)
    row = _execute(connection, viewer, query).one_or_none()
    if row is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such report; start again.")
    return row.verified_at or _LONG_AGO


def _texts(values: Sequence[str]) -> ColumnElement[Sequence[str]]:
    return literal(list(values), ARRAY(Text))
