"""The outbox. Nothing here commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pipeline.writeback.rules import Decision, State

CHANNEL = "worklist_outbox"
_LATEST_CONFIRMED = 1000


@dataclass(frozen=True)
class Claimed:
    """A row that this worker holds until its lease ends.

    `body` is the report as JSON; `attempts` includes this one; `replaces` is the id in the CHT of
    the report that this one corrects.
    """

    verification_id: UUID
    report_id: str
    body: bytes
    attempts: int
    replaces: str | None = None

    @property
    def report(self) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded


@dataclass(frozen=True)
class Page:
    """Rows claimed at once; the end of the lease identifies the claim."""

    rows: Sequence[Claimed] = ()
    lease_ends: datetime | None = None


@dataclass(frozen=True)
class Settled:
    confirmed: int = 0
    withdrawn: int = 0


def notify(connection: psycopg.Connection) -> None:
    """Notifies the listening workers when the transaction commits."""
    connection.execute("select pg_notify(%s, '')", (CHANNEL,))


def clock(connection: psycopg.Connection) -> datetime:
    """The wall clock, for leases and pauses only: WORKLIST_NOW stands still."""
    (moment,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    if not isinstance(moment, datetime):
        raise TypeError("clock_timestamp() gave no moment")
    return moment


def claim(connection: psycopg.Connection, limit: int, now: datetime, lease: timedelta) -> Page:
    """The oldest reports that are due, each task's rounds one after the other.

    Counts the attempt and sets the next one after `lease`, so that a worker that dies delays its
    rows no longer. Several workers may claim at once. Pages get smaller with each failed attempt,
    down to one report, so that one bad report does not delay the others.
    """
    rows = connection.execute(
        """
        with due as (
            select outbox.verification_id
            from app.outbox as outbox
            inner join app.verification as verification
                on outbox.verification_id = verification.verification_id
            where
                outbox.state = 'pending'
                and outbox.next_attempt_at <= %(now)s
                and (
                    verification.round = 1
                    or not exists (
                        select
                        from app.verification as earlier
                        inner join app.outbox as before
                            on earlier.verification_id = before.verification_id
                        where
                            earlier.task_id = verification.task_id
                            and earlier.round < verification.round
                            and before.state = 'pending'
                    )
                )
            order by outbox.accepted_at, outbox.verification_id
            limit greatest(1, %(limit)s >> (
                select 2 * least(oldest.attempts, 15)
                from app.outbox as oldest
                where oldest.state = 'pending' and oldest.next_attempt_at <= %(now)s
                order by oldest.accepted_at, oldest.verification_id
                limit 1
            ))
            for update of outbox skip locked
        )

        update app.outbox as claimed
        set
            attempts = claimed.attempts + 1,
            next_attempt_at = %(lease_ends)s
        where claimed.verification_id = any(array(select due.verification_id from due))
        returning
            claimed.accepted_at,
            claimed.verification_id,
            claimed.report_id,
            claimed.report::text,
            claimed.attempts,
            case
                when claimed.report #>> '{fields,replaces}' <> '' then (
                    select replaced.report_id
                    from app.verification as corrected
                    inner join app.outbox as replaced
                        on corrected.verification_id = replaced.verification_id
                    where corrected.report_id = claimed.report #>> '{fields,replaces}'
                )
            end as replaces
        """,
        {"now": now, "limit": limit, "lease_ends": now + lease},
    ).fetchall()
    rows.sort(key=lambda row: (row[0], row[1]))
    claimed = [Claimed(row[1], row[2], row[3].encode(), row[4], row[5]) for row in rows]
    return Page(claimed, now + lease)


def settle(
    connection: psycopg.Connection,
    verification_ids: Iterable[UUID],
    decision: Decision,
    due_again_at: datetime,
) -> None:
    """Moves pending rows to the state decided; other rows stay.

    Rows that remain pending are due again at `due_again_at`.
    """
    connection.execute(
        """
        update app.outbox
        set
            state = %(state)s,
            last_error = %(reason)s,
            report_id = coalesce(%(report_id)s, outbox.report_id),
            sent_at = case when %(state)s = 'sent' then app.worklist_now() end,
            next_attempt_at = %(due_again_at)s
        where outbox.verification_id = any(%(ids)b) and outbox.state = 'pending'
        """,
        {
            "ids": list(verification_ids),
            "state": decision.state,
            "reason": decision.reason,
            "report_id": decision.report_id,
            "due_again_at": due_again_at,
        },
    )


def release(
    connection: psycopg.Connection,
    page: Page,
    verification_ids: Sequence[UUID],
    reason: str,
) -> None:
    """Undoes a claim that sent nothing: the rows are due at once, and the attempt does not count.

    Rows that another worker has claimed since are left alone.
    """
    connection.execute(
        """
        update app.outbox
        set
            attempts = outbox.attempts - 1,
            next_attempt_at = '-infinity',
            last_error = %(reason)s
        where
            outbox.verification_id = any(%(ids)b)
            and outbox.state = 'pending'
            and outbox.next_attempt_at = %(lease_ends)s
        """,
        {"ids": list(verification_ids), "lease_ends": page.lease_ends, "reason": reason},
    )


def seconds_to_next(connection: psycopg.Connection) -> float | None:
    """Seconds until the next pause or lease ends; None where there is none.

    A due row that was not claimed waits for an earlier round that another worker holds.
    """
    row = connection.execute(
        """
        select extract(epoch from min(outbox.next_attempt_at) - clock_timestamp())::float8
        from app.outbox
        where outbox.state = 'pending' and outbox.next_attempt_at > clock_timestamp()
        """
    ).fetchone()
    return row[0] if row else None


def stop(connection: psycopg.Connection, reason: str, moment: datetime) -> None:
    """Stores why nothing is sent, and since when."""
    connection.execute(
        """
        update app.write_back
        set
            stopped_at = coalesce(write_back.stopped_at, %(moment)s),
            stopped_because = %(reason)s
        """,
        {"moment": moment, "reason": reason},
    )


def resume(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        update app.write_back
        set
            stopped_at = null,
            stopped_because = null
        where write_back.stopped_at is not null
        """
    )


def is_stopped(connection: psycopg.Connection) -> bool:
    return stopped_because(connection) is not None


def stopped_because(connection: psycopg.Connection) -> str | None:
    """Why the last attempt to send failed; None where it succeeded."""
    found = connection.execute("select stopped_because from app.write_back").fetchone()
    return found[0] if found else None


def confirm(
    connection: psycopg.Connection, documents: sql.Identifier, source: str, moment: datetime
) -> Settled:
    """Compares the outbox with the landed `documents` of `source`, whoever synced them.

    Sent reports are looked up by id; confirmed and withdrawn ones only among the documents that
    landed since the last comparison. One worker does this at a time.
    """
    if not (numbers := _landed_since(connection, documents, source)):
        return Settled()
    since, highest = numbers
    values = {"source": source, "moment": moment, "since": since, "highest": highest}
    names = {"documents": documents}
    arrived = connection.execute(sql.SQL(_ARRIVED).format(**names), values).fetchall()
    changed = connection.execute(sql.SQL(_CHANGED).format(**names), values).fetchall()
    states = [state for (state,) in (*arrived, *changed)]
    return Settled(states.count(State.CONFIRMED), states.count(State.WITHDRAWN))


def _landed_since(
    connection: psycopg.Connection, documents: sql.Identifier, source: str
) -> tuple[int, int] | None:
    """The landed_numbers to compare, from and to; None while another worker compares.

    A landing that was recreated is compared from the beginning.
    """
    return connection.execute(
        sql.SQL(
            """
            with locked as (
                select write_back.landed_number
                from app.write_back
                for update skip locked
            ),

            landed as (
                select coalesce(max(document.landed_number), 0) as highest
                from {documents} as document
                where document.source = %s
            ),

            remembered as (
                update app.write_back
                set landed_number = landed.highest
                from locked
                cross join landed
            )

            select
                case
                    when locked.landed_number <= landed.highest then locked.landed_number
                    else -1
                end,
                landed.highest
            from locked
            cross join landed
            """
        ).format(documents=documents),
        (source,),
    ).fetchone()


_ARRIVED = """
    with arrived as (
        select
            outbox.verification_id,
            landed._deleted is true as is_deleted
        from app.outbox as outbox
        inner join {documents} as landed
            on outbox.report_id = landed._id
        where
            outbox.state = 'sent'
            and landed.source = %(source)s
        for update of outbox skip locked
    )

    update app.outbox
    set
        state = case when arrived.is_deleted then 'withdrawn' else 'confirmed' end,
        confirmed_at = case when not arrived.is_deleted then %(moment)s::timestamptz end
    from arrived
    where outbox.verification_id = arrived.verification_id
    returning outbox.state
"""

_CHANGED = """
    update app.outbox
    set
        state = case when landed._deleted then 'withdrawn' else 'confirmed' end,
        confirmed_at = coalesce(outbox.confirmed_at, %(moment)s)
    from {documents} as landed
    where
        landed.source = %(source)s
        and landed.landed_number > %(since)s
        and landed.landed_number <= %(highest)s
        and outbox.report_id = landed._id
        and outbox.state = case when landed._deleted then 'confirmed' else 'withdrawn' end
    returning outbox.state
"""


def overview(connection: psycopg.Connection) -> dict[str, Any]:
    """Counts by state, the oldest reports that wait, how long confirmations take, and refusals."""
    with connection.cursor(row_factory=dict_row) as cursor:
        waiting = cursor.execute(
            """
            select
                min(outbox.accepted_at) filter (where outbox.state = 'pending')
                    as oldest_unsent_at,
                min(outbox.sent_at) filter (where outbox.state = 'sent') as oldest_unconfirmed_at
            from app.outbox
            where outbox.state in ('pending', 'sent')
            """
        ).fetchone()
        stopped = cursor.execute(
            "select stopped_at, stopped_because from app.write_back"
        ).fetchone()
    return {
        "counts": {str(state): count for state, count in counts(connection).items()},
        **(waiting or {}),
        **(stopped or {}),
        "confirming_seconds": _confirming_seconds(connection),
        "alarms": [
            f"Report {report_id} was refused: {reason}"
            for report_id, reason in _refused(connection)
        ],
    }


def counts(connection: psycopg.Connection) -> dict[State, int]:
    """How many reports are in each state; a state without any counts 0."""
    rows = connection.execute(
        "select outbox.state, count(*) from app.outbox as outbox group by outbox.state"
    ).fetchall()
    return dict.fromkeys(State, 0) | {State(state): count for state, count in rows}


def _confirming_seconds(connection: psycopg.Connection) -> dict[str, float | None]:
    """From sending to landing, of the reports confirmed last."""
    row = connection.execute(
        """
        with latest as (
            select extract(epoch from outbox.confirmed_at - outbox.sent_at) as seconds
            from app.outbox
            where outbox.state = 'confirmed'
            order by outbox.confirmed_at desc
            limit %s
        )

        select
            percentile_cont(0.5) within group (order by latest.seconds),
            percentile_cont(0.95) within group (order by latest.seconds)
        from latest
        """,
        (_LATEST_CONFIRMED,),
    ).fetchone() or (None, None)
    return {"median": row[0], "p95": row[1]}


def _refused(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        """
        select outbox.report_id, outbox.last_error
        from app.outbox
        where outbox.state = 'refused'
        order by outbox.accepted_at
        limit 100
        """
    ).fetchall()
