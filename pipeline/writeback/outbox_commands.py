"""The outbox as an operator sees it, and what they may do with a report that is not sent."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pipeline.errors import Refused
from pipeline.writeback.rules import State
from pipeline.writeback.store import notify

COLUMNS = (
    "report_id",
    "state",
    "attempts",
    "task_id",
    "round",
    "verified_by",
    "accepted_at",
    "next_attempt_at",
    "last_error",
    "dropped_because",
)
UNFINISHED = (State.PENDING, State.SENT, State.REFUSED)
_NOT_SENT = [State.PENDING, State.REFUSED]


def rows(connection: psycopg.Connection, states: list[State], limit: int) -> list[dict[str, Any]]:
    """Oldest first; without the reports, which contain names."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            select
                outbox.report_id,
                outbox.state,
                outbox.attempts,
                verification.task_id,
                verification.round,
                verification.verified_by,
                outbox.accepted_at,
                case
                    when outbox.state = 'pending' and isfinite(outbox.next_attempt_at)
                    then outbox.next_attempt_at
                end as next_attempt_at,
                outbox.last_error,
                outbox.dropped_because
            from app.outbox as outbox
            inner join app.verification as verification
                on outbox.verification_id = verification.verification_id
            where outbox.state = any(%s)
            order by outbox.accepted_at, outbox.verification_id
            limit %s
            """,
            (states, limit),
        ).fetchall()


def row(connection: psycopg.Connection, report_id: str) -> dict[str, Any]:
    """Everything about one report, and the report itself."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            """
            select
                outbox.report_id,
                outbox.verification_id,
                outbox.state,
                outbox.attempts,
                outbox.last_error,
                outbox.dropped_because,
                outbox.dropped_at,
                verification.task_id,
                verification.round,
                verification.replaces,
                verification.verified_by,
                outbox.accepted_at,
                outbox.sent_at,
                outbox.confirmed_at,
                case when isfinite(outbox.next_attempt_at) then outbox.next_attempt_at end
                    as next_attempt_at,
                outbox.report
            from app.outbox as outbox
            inner join app.verification as verification
                on outbox.verification_id = verification.verification_id
            where %(id)s in (outbox.report_id, outbox.verification_id::text)
            """,
            {"id": report_id},
        ).fetchone()
    if found is None:
        raise Refused(f"There is no report {report_id} in the outbox.")
    return found


def retry(connection: psycopg.Connection, report_ids: list[str]) -> int:
    """Makes reports due at once; without ids, all refused ones.

    The CHT is asked for each before it is sent again. Raises Refused for a report that was sent.
    """
    for report_id in report_ids:
        check_not_sent(connection, report_id)
    changed = connection.execute(
        """
        update app.outbox
        set
            state = 'pending',
            next_attempt_at = '-infinity'
        where
            case
                when %(is_named)s then
                    outbox.report_id = any(%(ids)s)
                    or outbox.verification_id::text = any(%(ids)s)
                else outbox.state = 'refused'
            end
            and outbox.state = any(%(states)s)
        """,
        {"ids": report_ids, "is_named": bool(report_ids), "states": _NOT_SENT},
    ).rowcount
    notify(connection)
    return changed


def drop(connection: psycopg.Connection, report_id: str, reason: str, moment: datetime) -> None:
    """Gives up a report: its task opens again, and the row is kept with the reason.

    A report that is being sent at this moment counts after all once it has landed.
    """
    check_not_sent(connection, report_id)
    connection.execute(
        """
        update app.outbox
        set
            state = 'withdrawn',
            dropped_because = %(reason)s,
            dropped_at = %(moment)s
        where
            %(id)s in (outbox.report_id, outbox.verification_id::text)
            and outbox.state = any(%(states)s)
        """,
        {"id": report_id, "reason": reason, "moment": moment, "states": _NOT_SENT},
    )


def check_not_sent(connection: psycopg.Connection, report_id: str) -> None:
    state = row(connection, report_id)["state"]
    if state not in _NOT_SENT:
        raise Refused(
            f"Report {report_id} is {state}: only pending and refused reports can be retried or "
            "dropped."
        )
