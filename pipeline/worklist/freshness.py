"""How old the data is, and whether answers get through to the CHT."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from pipeline import tables
from pipeline.worklist.records import Programme

# A nightly job, and two hours for it to take.
OLD_AFTER = timedelta(hours=26)


@dataclass(frozen=True)
class Freshness:
    """`as_of` is the moment of the CHT that the tasks show; None before the first refresh.

    `unreachable_since`: no answer could be sent since then; None while they can.
    """

    as_of: datetime | None
    is_old: bool
    unreachable_since: datetime | None


def find(
    connection: Connection, programme: Programme, last_sync: datetime | None, now: datetime
) -> Freshness:
    """`last_sync`: when the CHT was last asked for changes, None where that is not known."""
    as_of = programme.as_of
    if as_of is not None and last_sync is not None:
        # A refresh with nothing to do is skipped; then the last sync counts unless refreshing fails
        as_of = min(as_of, last_sync) if _is_refresh_failing(connection) else last_sync
        as_of = min(as_of, now)
    is_old = as_of is not None and now - as_of > OLD_AFTER
    stopped = connection.execute(select(tables.write_back.c.stopped_at)).scalar_one_or_none()
    return Freshness(as_of, is_old, stopped)


def _is_refresh_failing(connection: Connection) -> bool:
    run = tables.refresh_run.c
    latest = select(run.is_success).where(run.tier == "live").order_by(run.finished_at.desc())
    return connection.execute(latest.limit(1)).scalar_one_or_none() is False
