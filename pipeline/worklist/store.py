"""What supervisors see and what they answered: the queries of the service.

Reads the live marts; writes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    Select,
    Subquery,
    Text,
    Uuid,
    all_,
    and_,
    any_,
    bindparam,
    cast,
    desc,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on

from pipeline import tables
from pipeline.errors import Refused
from pipeline.statements import Statement
from pipeline.worklist import marts, programme, rules
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

Position = tuple[ColumnElement[Any], ...]
Place = tuple[Any, ...]  # what a position is for one task
Asking = frozenset[str]  # the fields of Filters that narrow a list
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


def _seen(viewer: Viewer, his: CTE) -> Select[*tuple[Any, ...]]:
    """The one place that says what a viewer may see; every query about tasks starts here.

    `his` are his places; `_rights` are the parameters, without which nobody sees anything.
    """
    task = marts.identified_task
    rows = select(task)
    if not viewer.is_online:
        return rows.where(false())
    if viewer.is_programme_wide:
        return rows
    definition = tables.task_definition.c
    assigned = select(definition.name).where(definition.roles.overlap(_texts("roles")))
    places = select(his.c.place_uuid)
    # arrays, since the planner takes them for short: his tasks are looked up by their place
    return rows.where(
        task.c.place_uuid == any_(func.array(places.scalar_subquery())),
        task.c.definition == any_(func.array(assigned.scalar_subquery())),
    )


def _his_places() -> CTE:
    """Every place at or below the viewer's facilities, with the nearest of these."""
    facilities = func.unnest(_texts("facility_uuids"))
    given = facilities.table_valued("facility_uuid", name="given").render_derived()
    scope, facility = marts.place_scope.c, marts.place.c
    return (
        select(
            scope.place_uuid,
            scope.ancestor_uuid.label("facility_uuid"),
            facility.place_name.label("facility_name"),
        )
        .ext(distinct_on(scope.place_uuid))
        .select_from(given)
        .join(marts.place_scope, scope.ancestor_uuid == given.c.facility_uuid)
        .outerjoin(marts.place, facility.place_uuid == given.c.facility_uuid)
        .order_by(scope.place_uuid, scope.depth)
        .cte("his")
    )


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
    query = _list(_alike(viewer), _asking(filters), order, len(begin))
    values = {f"begin_{place}": value for place, value in enumerate(begin)}
    asked = {**_rights(viewer), **_values(filters), **values, "limit": limit}
    return [_task(row) for row in query.rows(connection, asked)]


def _alike(viewer: Viewer) -> Viewer:
    """The same kind of viewer with nothing of his own: what statements are kept by.

    Composing one takes longer than all else in a request; what is his own are its parameters.
    """
    return replace(viewer, user_name="", roles=(), facility_uuids=(), contact_uuid=None)


def _rights(viewer: Viewer) -> dict[str, list[str]]:
    return {"roles": list(viewer.roles), "facility_uuids": list(viewer.facility_uuids)}


def _asking(filters: Filters) -> Asking:
    """What is asked for, without the values: what statements are kept by."""
    wanted = {name for name in Filters.__dataclass_fields__ if getattr(filters, name)}
    return frozenset(wanted if filters.search.strip() else wanted - {"search"})


def _values(filters: Filters) -> dict[str, object]:
    """The parameters of `_narrowed`."""
    digits = "".join(filter(str.isdecimal, filters.search)).lstrip("0")
    return {
        **vars(filters),
        "flags": [filters.flag],
        "words": [f"%{_escaped(word)}%" for word in filters.search.split()],
        # too few digits are in anybody's number
        "digits": f"%{digits}%" if len(digits) >= _FEWEST_DIGITS else None,
    }


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)


@lru_cache(maxsize=256)
def _list(viewer: Viewer, asking: Asking, order: str, begun: int) -> Statement:
    """`begun`: how many values say where the list begins, 0 for all of it."""
    his = _his_places()
    seen = _seen(viewer, his).subquery("seen")
    wanted, position = _narrowed(seen, asking), _position(seen, order)
    if begun:
        begin = (bindparam(f"begin_{place}", type_=of.type) for place, of in enumerate(position))
        wanted.append(tuple_(*position) > tuple_(*begin))
    limit = bindparam("limit", type_=Integer)
    page = select(seen).where(*wanted).order_by(*position).limit(limit).subquery("page")
    return Statement(_shown(page, his).order_by(*_position(page, order)))


def _narrowed(seen: Subquery, asking: Asking) -> list[ColumnElement[bool]]:
    """What of the viewer's tasks is wanted; `_values` are its parameters."""
    column = {
        "state": seen.c.state,
        "definition": seen.c.definition,
        "area_uuid": seen.c.area_uuid,
        "reason": seen.c.verification_reason,
    }
    wanted = [column[name] == bindparam(name, type_=Text) for name in column if name in asking]
    if "standing" in asking:
        wanted.append(_stands(seen, bindparam("standing", type_=Text)))
    if "place_uuid" in asking:
        scope = marts.place_scope.c
        is_above = scope.ancestor_uuid == bindparam("place_uuid", type_=Text)
        below = select(scope.place_uuid).where(is_above).scalar_subquery()
        wanted.append(seen.c.place_uuid == any_(func.array(below)))
    if "flag" in asking:
        wanted.append(seen.c.flags.contains(_texts("flags")))
    if "is_overdue" in asking:
        wanted.append(seen.c.days_overdue > 0)
    if "search" in asking:
        wanted.append(_matches(seen))
    return wanted


def _stands(seen: Subquery, standing: ColumnElement[str]) -> ColumnElement[bool]:
    """What is not open as landed is not open at all; our own answers to it are not looked up."""
    may_stand = or_(standing != "open", seen.c.is_open_as_landed)
    return and_(seen.c.standing == standing, may_stand)


def others(connection: Connection, viewer: Viewer, tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """The open tasks, by patient, of those patients in `tasks` who have several."""
    patients = {
        task.patient_uuid for task in tasks if task.patient_uuid and "duplicate_open" in task.flags
    }
    if not patients:
        return {}
    found: dict[str, list[Task]] = {}
    asked = {**_rights(viewer), "patients": sorted(patients)}
    for row in _others(_alike(viewer)).rows(connection, asked):
        found.setdefault(row.patient_uuid, []).append(_task(row))
    return found


@lru_cache
def _others(viewer: Viewer) -> Statement:
    his = _his_places()
    seen = _seen(viewer, his).subquery("seen")
    query = _shown(seen, his).where(
        _stands(seen, literal("open")), seen.c.patient_uuid == any_(_texts("patients"))
    )
    return Statement(query.order_by(*_position(seen, "due")))


def areas(connection: Connection, viewer: Viewer, filters: Filters) -> list[Area]:
    """The areas of the viewer's tasks as `filters` have them, by name; `area_uuid` apart."""
    everywhere = replace(filters, area_uuid="", search="")
    query = _areas(_alike(viewer), _asking(everywhere))
    asked = {**_rights(viewer), **_values(everywhere)}
    return [Area(**row._asdict()) for row in query.rows(connection, asked)]


@lru_cache(maxsize=64)
def _areas(viewer: Viewer, asking: Asking) -> Statement:
    seen = _seen(viewer, _his_places()).subquery("seen")
    area = seen.c.area_uuid, seen.c.area_name, seen.c.chw_name
    return Statement(
        select(*area, func.count().label("count"))
        .where(*_narrowed(seen, asking))
        .group_by(*area)
        .order_by(func.coalesce(func.lower(seen.c.area_name), _LAST_NAME), seen.c.area_uuid)
    )


def to_trace(connection: Connection, viewer: Viewer) -> list[ToTrace]:
    """Whom CHWs are to look for, by area; in it the most days since the appointment first."""
    rows = _to_trace(_alike(viewer)).rows(connection, _rights(viewer))
    return [ToTrace(**row._asdict()) for row in rows]


@lru_cache
def _to_trace(viewer: Viewer) -> Statement:
    his = _his_places()
    seen = _seen(viewer, his).subquery("seen")
    # looked up for each task; an offset keeps PostgreSQL from reading the ledger for each
    mart = marts.to_trace
    of_mart = select(mart.c.traced_at, mart.c.trace_outcome)
    listed = of_mart.where(mart.c.task_id == seen.c.task_id).offset(0).lateral("listed")
    note = _note_of(seen.c.verification_report_id)
    sender = _name_of(seen.c.verification_sender_uuid)
    of_task = {name: seen.c[name] for name in ToTrace.__dataclass_fields__ if name in seen.c}
    reason = seen.c.verification_reason.label("reason")
    sender_name = sender.c.patient_name.label("verification_sender_name")
    return Statement(
        select(*of_task.values(), his.c.facility_name, reason, note.c.note, sender_name, *listed.c)
        .select_from(
            seen.join(listed, true())
            .outerjoin(his, his.c.place_uuid == seen.c.place_uuid)
            .outerjoin(note, true())
            .outerjoin(sender, true())
        )
        .where(seen.c.verification_outcome == "not_visited")
        .order_by(*_position(seen, "area"))
    )


def patient_reports(connection: Connection, task: Task) -> list[PatientReport]:
    """What was reported of the task's patient, newest first; its own source is not repeated."""
    known = marts.patient_report.c
    rows = connection.execute(
        select(known.report_uuid, known.form, known.kind, known.reported_at, known.trace_outcome)
        .where(known.patient_uuid == task.patient_uuid, known.report_uuid != task.source_id)
        .order_by(func.coalesce(known.reported_at, _LONG_AGO).desc(), known.report_uuid)
    )
    return [PatientReport(**row) for row in rows.mappings()]


def task(connection: Connection, viewer: Viewer, task_uuid: UUID) -> Task | None:
    """None where the viewer may not see it, whether it exists or not."""
    parameters = {**_rights(viewer), "task_uuid": task_uuid}
    row = _one(_alike(viewer)).row(connection, parameters)
    return None if row is None else _task(row)


def task_to_answer(
    connection: Connection, viewer: Viewer, task_uuid: UUID
) -> tuple[Task, Answering] | None:
    """With what an answer by the viewer needs to know, in one way to PostgreSQL."""
    asked = {
        **_rights(viewer),
        "task_uuid": task_uuid,
        "contact_uuid": viewer.contact_uuid,
    }
    row = _one_to_answer(_alike(viewer)).row(connection, asked)
    if row is None:
        return None
    found = _task(row[: len(_FIELDS)])
    return found, programme.answering(row, found, viewer.contact_uuid)


def _task(row: Sequence[Any]) -> Task:
    """Of a row of `_shown`, whose columns are a task's fields, in their order.

    Not through `__init__`, which sets each of a frozen dataclass's fields by a call: fifty tasks
    would take as long as asking PostgreSQL for them.
    """
    task = object.__new__(Task)
    vars(task).update(zip(_FIELDS, row, strict=True))
    return task


@lru_cache
def _one(viewer: Viewer) -> Statement:
    return Statement(_shown_one(viewer))


@lru_cache
def _one_to_answer(viewer: Viewer) -> Statement:
    return Statement(_shown_one(viewer).add_columns(*programme.ANSWERING))


def _shown_one(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    his = _his_places()
    seen = _seen(viewer, his).subquery("seen")
    is_it = seen.c.task_uuid == bindparam("task_uuid", type_=Uuid)
    return _shown(seen, his).where(is_it)


def _note_of(report_uuid: ColumnElement[str]) -> FromClause:
    """What a report says itself. Looked up for each row: joined, the view would be read through,
    and without a limit PostgreSQL makes a join of it.
    """
    note = marts.note
    return select(note).where(note.c.report_uuid == report_uuid).limit(1).lateral("note_of_report")


def _shown(chosen: Subquery, his: CTE) -> Select[*tuple[Any, ...]]:
    """With what is looked up for those that are shown only: the nearest of the viewer's facilities,
    the title as tasks.yml has it now, the latest note that was kept, who sent an answer made in the
    CHT, and what the last trace found.
    """
    definition, latest = tables.task_definition.c, _last_note(chosen)
    sender, trace = _name_of(chosen.c.verification_sender_uuid), _last_trace(chosen)
    columns: dict[str, ColumnElement[Any]] = {
        **{name: chosen.c[name] for name in _FIELDS if name in chosen.c},
        **{name: his.c[name] for name in ("facility_uuid", "facility_name")},
        "title": func.coalesce(definition.title, chosen.c.definition),
        "appointment_task_uuid": func.app.task_uuid(chosen.c.appointment_task_id),
        "verification_sender_name": sender.c.patient_name,
        **{name: trace.c[name] for name in ("traced_at", "trace_outcome")},
        "last_note": latest.c.note,
        **{name: latest.c[name] for name in ("noted_by", "noted_at")},
    }
    return select(*(columns[name].label(name) for name in _FIELDS)).select_from(
        chosen.outerjoin(his, his.c.place_uuid == chosen.c.place_uuid)
        .outerjoin(tables.task_definition, definition.name == chosen.c.definition)
        .outerjoin(latest, true())
        .outerjoin(sender, true())
        .outerjoin(trace, true())
    )


def _name_of(contact_uuid: ColumnElement[str]) -> FromClause:
    known = marts.contact
    return (
        select(known.c.patient_name)
        .where(known.c.patient_uuid == contact_uuid)
        .limit(1)
        .lateral("sender")
    )


def _last_trace(seen: Subquery) -> FromClause:
    """Since the appointment, or where its day is unknown since it was reported."""
    known = marts.patient_trace.c
    day_began = func.app.local_midnight(seen.c.appointment_on, func.app.programme_zone())
    since = func.coalesce(day_began, seen.c.reported_at)
    return (
        select(known.traced_at, known.trace_outcome)
        .where(
            known.patient_uuid == seen.c.patient_uuid,
            known.definition == seen.c.definition,
            known.traced_at >= since,
        )
        .order_by(known.traced_at.desc(), known.report_uuid)
        .limit(1)
        .lateral("trace")
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


def _matches(seen: Subquery) -> ColumnElement[bool]:
    """Every word in the name or the shortcode; or the digits somewhere in the phone number."""
    said = func.concat_ws("\n", seen.c.patient_name, seen.c.patient_id)
    phone = func.regexp_replace(seen.c.phone, "[^0-9]", "", "g")
    digits = bindparam("digits", type_=Text)
    return or_(said.ilike(all_(_texts("words"))), phone.like(digits))


def _position(seen: Subquery, order: str) -> Position:
    """Where a task stands in the list: lists are ordered by it and continued behind it."""
    days = func.coalesce(-seen.c.days_since_appointment, _UNKNOWN_DAYS)
    last = (seen.c.due_on, seen.c.task_id)
    match order:
        case "due":
            return seen.c.due_on, days, seen.c.task_id
        case "name":
            return func.coalesce(func.lower(seen.c.patient_name), _LAST_NAME), days, *last
        case "area":
            area = func.coalesce(func.lower(seen.c.area_name), _LAST_NAME)
            return area, func.coalesce(seen.c.area_uuid, ""), days, *last
    return days, *last


def _position_of(connection: Connection, viewer: Viewer, task_uuid: UUID, order: str) -> Place:
    asked = {**_rights(viewer), "task_uuid": task_uuid}
    last = _position_in(_alike(viewer), order).row(connection, asked)
    if last is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such task; start again.")
    return tuple(last)


@lru_cache
def _position_in(viewer: Viewer, order: str) -> Statement:
    seen = _seen(viewer, _his_places()).subquery("seen")
    is_it = seen.c.task_uuid == bindparam("task_uuid", type_=Uuid)
    position = (each.label(f"begin_{place}") for place, each in enumerate(_position(seen, order)))
    return Statement(select(*position).where(is_it))


def progress(connection: Connection, viewer: Viewer) -> Progress:
    """Of the tasks whose window contains today and that ask for something: how many are done."""
    rows = _counts(_alike(viewer)).rows(connection, _rights(viewer))
    return Progress(
        done_count=sum(row.due_count for row in rows if row.standing in _DONE),
        asked_count=sum(row.due_count for row in rows if row.standing in _ASKED),
        count_by_standing={row.standing: row.all_count for row in rows},
    )


@lru_cache
def _counts(viewer: Viewer) -> Statement:
    seen = _seen(viewer, _his_places()).subquery("seen")
    today = select(func.app.today()).scalar_subquery()  # once, and not for each task
    is_due = today.between(seen.c.opens_on, seen.c.closes_on)
    return Statement(
        select(
            seen.c.standing,
            func.count().label("all_count"),
            func.count().filter(is_due).label("due_count"),
        ).group_by(seen.c.standing)
    )


def history(connection: Connection, task_id: str) -> list[KnownVerification]:
    """All answers of one task, void ones too, newest first; ask `task` first whether the viewer
    sees it.
    """
    rows = _history().rows(connection, {"task_id": task_id})
    return [KnownVerification(**row._asdict()) for row in rows]


@lru_cache
def _history() -> Statement:
    known = marts.task_verification
    note, sender = _note_of(known.c.report_id), _name_of(known.c.sender_uuid)
    return Statement(
        select(
            known,
            func.app.task_uuid(known.c.task_id).label("task_uuid"),
            note.c.note,
            sender.c.patient_name.label("sender_name"),
        )
        .select_from(known.outerjoin(note, true()).outerjoin(sender, true()))
        .where(known.c.task_id == bindparam("task_id", type_=Text))
        .order_by(known.c.round.desc(), known.c.report_id)
    )


def verifications(
    connection: Connection, viewer: Viewer, *, limit: int, after: str | None = None
) -> list[KnownVerification]:
    """Answers to tasks the viewer sees, latest first; `after` is the last `report_id` read."""
    before = None if after is None else _moment_of(connection, viewer, after)
    asked = {**_rights(viewer), "before": before, "before_id": after, "limit": limit}
    query = _verifications(_alike(viewer), is_begun=before is not None)
    return [KnownVerification(**row._asdict()) for row in query.rows(connection, asked)]


@lru_cache
def _verifications(viewer: Viewer, *, is_begun: bool) -> Statement:
    seen = _seen(viewer, _his_places()).subquery("seen")
    known = _answers_to(seen)
    note, sender = _note_of(known.c.report_id), _name_of(known.c.sender_uuid)
    query = select(
        known, seen.c.task_uuid, note.c.note, sender.c.patient_name.label("sender_name")
    ).select_from(seen.join(known, true()).outerjoin(note, true()).outerjoin(sender, true()))
    position: Position = func.coalesce(known.c.verified_at, _LONG_AGO), known.c.report_id
    if is_begun:
        before = bindparam("before", type_=DateTime(timezone=True))
        query = query.where(tuple_(*position) < tuple_(before, bindparam("before_id", type_=Text)))
    limit = bindparam("limit", type_=Integer)
    return Statement(query.order_by(*map(desc, position)).limit(limit))


def _answers_to(seen: Subquery) -> FromClause:
    """Looked up for each task; an offset keeps PostgreSQL from reading all answers ever given."""
    known = marts.verification
    return select(known).where(known.c.task_id == seen.c.task_id).offset(0).lateral("answer")


def _moment_of(connection: Connection, viewer: Viewer, report_id: str) -> datetime:
    asked = {**_rights(viewer), "report_id": report_id}
    last = _moment_in(_alike(viewer)).row(connection, asked)
    if last is None:
        raise rules.InvalidInput("after", "after_unknown", "after: no such report; start again.")
    moment: datetime = last.verified_at or _LONG_AGO
    return moment


@lru_cache
def _moment_in(viewer: Viewer) -> Statement:
    seen = _seen(viewer, _his_places()).subquery("seen")
    known = _answers_to(seen)
    is_it = known.c.report_id == bindparam("report_id", type_=Text)
    moment = select(known.c.verified_at).select_from(seen.join(known, true()))
    return Statement(moment.where(is_it))


def _texts(name: str) -> ColumnElement[Sequence[str]]:
    """A parameter of this name; one that is not given holds nothing."""
    return cast(bindparam(name, [], ARRAY(Text)), ARRAY(Text))
