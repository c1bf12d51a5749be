"""Refreshes one tier under a lock, and records the result."""

from collections.abc import Callable
from datetime import datetime

import psycopg

from pipeline.errors import Conflict, Refused
from pipeline.refresh import store
from pipeline.refresh.dbt_process import Dbt, Report, project_hash

LIVE, PUBLISHED = "tag:live", "tag:published"
# Views change only with the project, so a routine refresh leaves them alone.
LIVE_TABLES = f"{LIVE},config.materialized:incremental"
STORED_MARTS = f"{PUBLISHED},config.materialized:concurrent_materialized_view"
MARTS = f"{PUBLISHED},config.materialized:replaced_view"


def refresh(
    connection: psycopg.Connection,
    dbt: Dbt,
    tier: str,
    clock: Callable[[], datetime],
    report: Report,
) -> None:
    """Refreshes `live` or `published`. `connection` is in autocommit mode.

    Raises Conflict while another refresh runs, Refused with the first model that failed; readers
    keep the last good state.
    """
    if not store.lock(connection):
        raise Conflict(
            "Another refresh of this database is running: try again when it has finished."
        )
    try:
        started_at, current = clock(), project_hash(dbt.project)
        is_known = store.last_project_hash(connection, tier) == current
        failed = _first_failure(dbt, _steps(tier, is_known), report)
        if not failed and store.marts_read_retired(connection):
            failed = _first_failure(dbt, [["run", "--select", MARTS]], report)
        store.remember(
            connection, tier, started_at, clock(), failed[0] if failed else None, current
        )
    finally:
        store.unlock(connection)
    if failed:
        raise Refused(f"The {tier} refresh failed in {failed[0]}: {failed[1]}")


def _steps(tier: str, is_known: bool) -> list[list[str]]:
    """The arguments of each run of dbt. Broken invariants stop a publication."""
    if tier == "live" and is_known:
        return [["run", "--select", LIVE_TABLES]]
    if tier == "live":  # a changed project may define its tables differently
        return [["run", "--select", LIVE, "--full-refresh"]]
    return [
        ["test", "--select", f"{LIVE},test_type:singular"],
        ["run", "--select", STORED_MARTS if is_known else PUBLISHED],
    ]


def _first_failure(dbt: Dbt, steps: list[list[str]], report: Report) -> tuple[str, str] | None:
    for arguments in steps:
        outcome = dbt.run(arguments, report)
        if not outcome.is_success:
            return outcome.failed[0] if outcome.failed else ("dbt", "no reason given")
    return None
