"""Our rows for the cases, made as an operator's are: landed, defined, refreshed."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import psycopg

from oracle.appointments import REPEATED, Row
from oracle.dates import believable_moment
from oracle.recorded_cases import Case
from oracle.tasks_yml import tasks_yml
from oracle.temporary_database import SOURCE, TemporaryDatabase
from pipeline.database import connect, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.tasks import run as tasks_run

Rows = dict[tuple[str, str], Row]


def answers(
    database: TemporaryDatabase, cases: Iterable[Case], say: Callable[[str], None]
) -> Iterator[tuple[Case, Rows]]:
    """Each case with our rows, as of the case's moment.

    A programme has one time zone, so one zone after the other lands its documents and stores its
    definitions; those of the zone before are deleted, as a CHT would.
    """
    ordered = sorted(cases, key=itemgetter("timezone"))
    with (
        connect(database.address, autocommit=True) as connection,
        dbt_process.running(database.address, "v1", "couchdb", database.folder) as running_dbt,
    ):
        for timezone, group in groupby(ordered, key=itemgetter("timezone")):
            of_zone = list(group)
            say(f"{timezone}: {len(of_zone)} cases")
            connection.execute("select set_config('worklist.now', '', false)")
            _delete_all(connection)
            _land(connection, of_zone)
            _refresh(connection, running_dbt, tasks_yml(timezone, of_zone))
            yield from ((case, _rows(connection, case)) for case in of_zone)


def _land(connection: psycopg.Connection, cases: list[Case]) -> None:
    """Documents land at the moment of their case, or when they say that they were written.

    A report without a date counts from when it landed.
    """
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy v1.couchdb (saved_timestamp, _id, _deleted, source, doc) from stdin"
        ) as copy,
    ):
        for case in cases:
            now = datetime.fromisoformat(case["now"])
            for document in case["docs"]:
                landed_at = max(
                    now, believable_moment(document.get("reported_date")) or now
                ).replace(tzinfo=None)
                copy.write_row((landed_at, document["_id"], False, SOURCE, json.dumps(document)))
    connection.execute("analyze v1.couchdb")


def _delete_all(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        update v1.couchdb
        set doc = jsonb_build_object('_id', _id, '_deleted', true), _deleted = true,
            landed_number = nextval('v1.couchdb_landed_number')
        where not _deleted
        """
    )


def _refresh(connection: psycopg.Connection, running_dbt: dbt_process.Dbt, text: str) -> None:
    with connection.transaction():
        tasks_run.store_definitions(connection, text, "tasks.yml", now(connection))
    refresh_run.refresh(connection, running_dbt, "live", lambda: now(connection), lambda *_: None)


def _rows(connection: psycopg.Connection, case: Case) -> Rows:
    """What is emitted: a task of somebody muted or dead is in the ledger, but not to be done."""
    connection.execute("select set_config('worklist.now', %s, false)", [case["now"]])
    rows = connection.execute(
        """
        select
            task.source_id,
            task.event,
            task.standing = 'repeated',
            task.due_on,
            task.opens_on,
            task.closes_on,
            task.resolved_by_report is not null or task.standing = 'verified',
            task.is_withdrawn,
            task.is_timely,
            task.state
        from worklist_build.int_task_state as task
        where
            task.source_id = any(%s)
            and task.definition = %s
            and task.excluded_reason is null
        """,
        [[document["_id"] for document in case["docs"]], case["definition"]["name"]],
    ).fetchall()
    return {
        (source, event): REPEATED if is_repeated else Row(*rest)
        for source, event, is_repeated, *rest in rows
    }
