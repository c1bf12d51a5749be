"""The facts behind an explanation, from the live marts. Commits nothing."""

import re
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from pipeline.worklist.task_explanation import Answered, Considered, Facts, Resolver

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def of_tasks(connection: psycopg.Connection, name: str) -> list[Facts]:
    """The facts of the task of this id or uuid, or of every task of this source document."""
    return _tasks(
        connection,
        """
        ledger.task_id = %(name)s
        or ledger.source_id = %(name)s
        or ledger.task_uuid = any(%(uuids)s::uuid[])
        """,
        {"name": name, "uuids": [name] if _UUID.fullmatch(name) else []},
    )


def of_patient(connection: psycopg.Connection, patient_uuid: str) -> list[Facts]:
    """The facts of every task about this contact; of an appointment, of the one that carries it."""
    return _tasks(
        connection,
        "ledger.patient_uuid = %(uuid)s and ledger.standing <> 'repeated'",
        {"uuid": patient_uuid},
    )


def _tasks(
    connection: psycopg.Connection, condition: LiteralString, values: dict[str, Any]
) -> list[Facts]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            sql.SQL("""
            select
                ledger.task_id,
                ledger.source_id,
                ledger.definition,
                ledger.event,
                ledger.state,
                ledger.standing,
                ledger.excluded_reason,
                ledger.appointment_task_id,
                ledger.report_count,
                ledger.last_reported_at,
                ledger.flags,
                ledger.patient_uuid,
                ledger.place_uuid,
                ledger.reported_at,
                ledger.appointment_on,
                ledger.opens_on,
                ledger.due_on,
                ledger.closes_on,
                ledger.resolved_by_report,
                ledger.resolved_by_form,
                ledger.resolved_at,
                ledger.verification_round,
                task_definition.applies_to,
                task_definition.is_resolved_when_cleared,
                task_definition.roles,
                app.today() as today,
                app.programme_zone() as zone
            from worklist_live.missed_appointment as ledger
            inner join app.task_definition
                on ledger.definition = task_definition.name
            where {condition}
            order by ledger.task_id
            """).format(condition=sql.SQL(condition)),
            values,
        ).fetchall()
    return [_with_people(connection, row) for row in rows]


def _with_people(connection: psycopg.Connection, row: dict[str, Any]) -> Facts:
    return Facts(
        **row,
        resolvers=_resolvers(connection, row["definition"]),
        answers=_answers(connection, row["task_id"]),
        supervisors=_supervisors(connection, row["place_uuid"], row["definition"]),
    )


def _resolvers(connection: psycopg.Connection, definition: str) -> list[Resolver]:
    with connection.cursor(row_factory=class_row(Resolver)) as cursor:
        return cursor.execute(
            """
            select
                task_resolver.alternative,
                task_resolver.form,
                task_resolver.is_default,
                task_resolver.condition::text as condition,
                task_resolver.source_path,
                task_resolver.visit_path
            from app.task_resolver
            where task_resolver.definition = %s
            order by task_resolver.resolver
            """,
            [definition],
        ).fetchall()


def _answers(connection: psycopg.Connection, task_id: str) -> list[Answered]:
    """Latest first."""
    with connection.cursor(row_factory=class_row(Answered)) as cursor:
        return cursor.execute(
            """
            select
                verification.report_id,
                verification.round,
                verification.outcome,
                verification.appointment_on,
                verification.answered_in,
                verification.void_reason,
                verification.sender_uuid,
                verification.verified_by,
                verification.verified_at,
                verification.delivery
            from worklist_live.task_verification as verification
            where verification.task_id = %s
            order by verification.round desc, verification.verified_at desc nulls last
            """,
            [task_id],
        ).fetchall()


def _supervisors(
    connection: psycopg.Connection, place_uuid: str | None, definition: str
) -> list[str]:
    rows = connection.execute(
        """
        select scope.supervisor
        from worklist_live.supervisor_scope as scope
        where scope.place_uuid = %s and scope.definition = %s
        order by scope.supervisor
        """,
        [place_uuid, definition],
    )
    return [name for (name,) in rows]


def of_document(connection: psycopg.Connection, source_id: str) -> list[Considered]:
    """The document beside each definition; empty where it is not known."""
    with connection.cursor(row_factory=class_row(Considered)) as cursor:
        return cursor.execute(
            """
            select
                task_eligibility.source_id,
                task_eligibility.definition,
                task_eligibility.kind,
                task_eligibility.type,
                task_eligibility.is_deleted,
                task_eligibility.is_type_named,
                task_eligibility.is_asked
            from worklist_live.task_eligibility
            where task_eligibility.source_id = %s
            order by task_eligibility.definition
            """,
            [source_id],
        ).fetchall()


def void_verifications(connection: psycopg.Connection) -> dict[str, int]:
    """How many verifications from the CHT answer nothing, by reason; none before a refresh."""
    relation = "worklist_live.verification"
    if connection.execute("select to_regclass(%s)", [relation]).fetchone() == (None,):
        return {}
    rows = connection.execute("""
        select verification.void_reason, count(*)
        from worklist_live.verification
        where verification.void_reason is not null and verification.delivery <> 'withdrawn'
        group by verification.void_reason
        order by verification.void_reason
    """)
    return dict(rows.fetchall())
