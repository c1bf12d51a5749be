"""The outbox. Nothing here commits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pipeline.writeback.rules import State


@dataclass(frozen=True)
class Claimed:
    """A row that this worker has until its lease ends; `attempts` counts this one."""

    verification_id: UUID
    report_id: str
    report: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True)
class Settled:
    confirmed: int
    withdrawn: int


def enqueue(
    connection: psycopg.Connection,
    verification_id: UUID,
    report_id: str,
    report: Mapping[str, Any],
    accepted_at: datetime,
) -> None:
    """Puts a report on its way; belongs into the transaction that accepts the verification."""
    connection.execute(
        """
        insert into app.outbox (verification_id, report_id, report, next_attempt_at, accepted_at)
        values (%s, %s, %s, '-infinity', %s)
        """,
        (verification_id, report_id, Jsonb(report), accepted_at),
    )


def clock(connection: psycopg.Connection) -> datetime:
    """The wall clock, for leases and pauses only: WORKLIST_NOW stands still, and an outbox that
    waited by it would never try again.
    """
    (moment,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    if not isinstance(moment, datetime):
        raise TypeError("clock_timestamp() gave no moment")
    return moment


def claim(
    connection: psycopg.Connection, limit: int, now: datetime, lease: timedelta
) -> list[Claimed]:
    """The oldest reports that are due, each task's rounds one after the other.

    Counts the attempt and puts off the next by `lease`, so that a worker that dies holds nothing
    up for longer. Several workers may claim at once.
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
                and not exists (
                    select
                    from app.verification as earlier
                    inner join app.outbox as before
                        on earlier.verification_id = before.verification_id
                    where
                        earlier.task_id = verification.task_id
                        and earlier.round < verification.round
                        and before.state = 'pending'
                )
            order by outbox.accepted_at, outbox.verification_id
            limit %(limit)s
            for update of outbox skip locked
        )

        update app.outbox as claimed
        set
            attempts = claimed.attempts + 1,
            next_attempt_at = %(lease_ends)s
        from due
        where claimed.verification_id = due.verification_id
        returning
            claimed.accepted_at,
            claimed.verification_id,
            claimed.report_id,
            claimed.report,
            claimed.attempts
        """,
        {"now": now, "limit": limit, "lease_ends": now + lease},
    ).fetchall()
    return [Claimed(*row[1:]) for row in sorted(rows, key=lambda row: (row[0], row[1]))]


def settle(
    connection: psycopg.Connection,
    verification_ids: Iterable[UUID],
    state: State,
    reason: str | None,
    moment: datetime,
) -> None:
    """Moves pending rows to where they end, or to `sent`; rows already moved stay."""
    connection.execute(
        """
        update app.outbox
        set
            state = %(state)s,
            last_error = %(reason)s,
            sent_at = case when %(state)s = 'sent' then %(moment)s::timestamptz end
        where outbox.verification_id = any(%(ids)s) and outbox.state = 'pending'
        """,
        {"ids": list(verification_ids), "state": state, "reason": reason, "moment": moment},
    )


def put_off(
    connection: psycopg.Connection, verification_id: UUID, reason: str, until: datetime
) -> None:
    connection.execute(
        """
        update app.outbox
        set
            next_attempt_at = %(until)s,
            last_error = %(reason)s
        where outbox.verification_id = %(id)s and outbox.state = 'pending'
        """,
        {"id": verification_id, "reason": reason, "until": until},
    )


def give_back(
    connection: psycopg.Connection, verification_ids: Sequence[UUID], reason: str
) -> None:
    """Undoes a claim: the rows are due again, and no attempt has been burnt."""
    connection.execute(
        """
        update app.outbox
        set
            attempts = outbox.attempts - 1,
            next_attempt_at = '-infinity',
            last_error = %(reason)s
        where outbox.verification_id = any(%(ids)s) and outbox.state = 'pending'
        """,
        {"ids": list(verification_ids), "reason": reason},
    )


def replay_refused(connection: psycopg.Connection) -> int:
    """Puts every refused report on its way again; it is looked up first, as after a lost answer."""
    return connection.execute(
        """
        update app.outbox
        set
            state = 'pending',
            next_attempt_at = '-infinity'
        where outbox.state = 'refused'
        """
    ).rowcount


def confirm(
    connection: psycopg.Connection, documents: sql.Identifier, source: str, moment: datetime
) -> Settled:
    """Compares the outbox with the landed `documents` of `source`, whoever landed them."""
    values = {"source": source, "moment": moment}
    withdrawn = connection.execute(
        sql.SQL(
            """
            update app.outbox
            set state = 'withdrawn'
            from {documents} as landed
            where
                outbox.state in ('sent', 'confirmed')
                and landed.source = %(source)s
                and landed._id = outbox.report_id
                and landed._deleted
            """
        ).format(documents=documents),
        values,
    ).rowcount
    confirmed = connection.execute(
        sql.SQL(
            """
            update app.outbox
            set
                state = 'confirmed',
                confirmed_at = %(moment)s
            from {documents} as landed
            where
                outbox.state = 'sent'
                and landed.source = %(source)s
                and landed._id = outbox.report_id
                and landed._deleted is not true
            """
        ).format(documents=documents),
        values,
    ).rowcount
    return Settled(confirmed, withdrawn)


def counts(connection: psycopg.Connection) -> dict[State, int]:
    """How many reports are in each state; a state without any counts 0."""
    rows = connection.execute(
        "select outbox.state, count(*) from app.outbox as outbox group by outbox.state"
    ).fetchall()
    return dict.fromkeys(State, 0) | {State(state): count for state, count in rows}


def overview(connection: psycopg.Connection) -> dict[str, Any]:
    """Counts by state, since when the oldest waits, and what a person must look at."""
    (oldest,) = connection.execute(
        "select min(accepted_at) from app.outbox where state = 'pending'"
    ).fetchone() or (None,)
    refused = connection.execute("""
        select report_id, last_error
        from app.outbox
        where state = 'refused'
        order by accepted_at
        limit 100
    """).fetchall()
    return {
        "counts": {str(state): count for state, count in counts(connection).items()},
        "oldest_unsent_at": oldest,
        "alarms": [f"report {report_id} was refused: {words}" for report_id, words in refused],
    }
