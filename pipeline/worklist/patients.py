"""Patients as people name them, and the reports that name them, as of the last refresh. Commits
nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from pipeline.worklist.task_explanation import Considered

MOST = 10  # are listed; queries return one more where there are more


@dataclass(frozen=True)
class Patient:
    """A contact; `place_uuid` is its parent, `supervisors` may see tasks about it."""

    patient_uuid: str
    patient_name: str | None
    patient_id: str | None
    place_uuid: str | None
    place_name: str | None
    supervisors: Sequence[str]


@dataclass(frozen=True)
class Report:
    """A report about `patient_uuid`, which is None where nobody, or more than one, is named.

    `is_form_asked`: a definition asks reports of this form.
    """

    report_uuid: str
    form: str
    reported_at: datetime | None
    zone: str
    patient_uuid: str | None
    is_ambiguous: bool
    is_form_asked: bool
    has_task: bool
    considered: Sequence[Considered] = ()


def with_uuid(connection: psycopg.Connection, uuid: str) -> Patient | None:
    found = _patients(connection, "patient.patient_uuid = %(sought)s", uuid)
    return found[0] if found else None


def with_number(connection: psycopg.Connection, number: str) -> list[Patient]:
    """Who has exactly this shortcode."""
    return _patients(connection, "patient.patient_id = %(sought)s", number)


def with_name(connection: psycopg.Connection, name: str) -> list[Patient]:
    """Whose name holds every one of these words, in whatever case and order."""
    return _patients(connection, "patient.patient_name ilike all(%(sought)s)", _patterns(name))


def _patterns(name: str) -> list[str]:
    escaped = re.sub(r"([\\%_])", r"\\\1", name)
    return [f"%{word}%" for word in escaped.split()]


def _patients(
    connection: psycopg.Connection, condition: LiteralString, sought: str | list[str]
) -> list[Patient]:
    with connection.cursor(row_factory=class_row(Patient)) as cursor:
        return cursor.execute(
            sql.SQL("""
            select
                patient.patient_uuid,
                patient.patient_name,
                patient.patient_id,
                contact_place.place_uuid,
                place.place_name,
                array(
                    select distinct scope.supervisor
                    from worklist_live.supervisor_scope as scope
                    where scope.place_uuid in (patient.patient_uuid, contact_place.place_uuid)
                    order by scope.supervisor
                ) as supervisors
            from worklist_pii.patient
            left join worklist_live.contact_place
                on patient.patient_uuid = contact_place.contact_uuid
            left join worklist_live.place
                on contact_place.place_uuid = place.place_uuid
            where {condition}
            order by patient.patient_name, patient.patient_uuid
            limit %(limit)s
            """).format(condition=sql.SQL(condition)),
            {"sought": sought, "limit": MOST + 1},
        ).fetchall()


def unknown_with_number(connection: psycopg.Connection, number: str) -> list[str]:
    """Ids of tasks about nobody known whose report says this number, the latest first."""
    return _tasks_of_unknown(connection, "task.patient_id = %(sought)s", number)


def unknown_with_name(connection: psycopg.Connection, name: str) -> list[str]:
    """Ids of tasks about nobody known whose report says this name, the latest first."""
    return _tasks_of_unknown(connection, "task.patient_name ilike all(%(sought)s)", _patterns(name))


def _tasks_of_unknown(
    connection: psycopg.Connection, condition: LiteralString, sought: str | list[str]
) -> list[str]:
    rows = connection.execute(
        sql.SQL("""
        select task.task_id
        from worklist_pii.identified_task as task
        where task.patient_uuid is null and {condition}
        order by task.reported_at desc nulls last, task.task_id
        limit %(limit)s
        """).format(condition=sql.SQL(condition)),
        {"sought": sought, "limit": MOST + 1},
    )
    return [task_id for (task_id,) in rows]


def reports(
    connection: psycopg.Connection, patient_uuid: str | None, number: str | None
) -> list[Report]:
    """About this contact, or naming this number whomever they are about; first those that a
    definition asks and that gave no task, the latest first.
    """
    with connection.cursor(row_factory=class_row(Report)) as cursor:
        return cursor.execute(
            """
            select
                report.report_uuid,
                report.form,
                report.reported_at,
                app.programme_zone() as zone,
                report.patient_uuid,
                report.is_ambiguous,
                exists (
                    select from app.task_definition
                    where
                        task_definition.applies_to <> 'contacts'
                        and (
                            task_definition.applies_to_type is null
                            or report.form = any(task_definition.applies_to_type)
                        )
                ) as is_form_asked,
                exists (
                    select from worklist_live.missed_appointment as ledger
                    where ledger.source_id = report.report_uuid
                ) as has_task
            from worklist_live.report_subject as report
            where
                report.subject_key = %(patient_uuid)s
                or report.subject_reference = %(number)s
            order by
                is_form_asked desc,
                has_task,
                report.reported_at desc nulls last,
                report.report_uuid
            limit %(limit)s
            """,
            {"patient_uuid": patient_uuid, "number": number, "limit": MOST + 1},
        ).fetchall()
