"""A refresh after a few changes, and a request of the service, look rows up; neither ever reads a
large table through.

PostgreSQL's own counters are compared before and after, and no plans of captured SQL: they hold
for every statement that a refresh or a request is made of, hooks and all, as it really ran.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from benchmarks import generated_programme
from benchmarks.generated_programme import FORMS, Shape
from benchmarks.servers import SOURCE
from benchmarks.service import shape
from pipeline.database import Address, connect, engine, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.worklist import store
from pipeline.worklist.records import Filters
from tests.commands import home_of
from tests.waiting import wait_until

# Thousands of rows in each table that grows: enough that an index is the better way on every
# PostgreSQL, if the query leaves the choice. At a thousand rows planners differ.
SIZE = Shape(
    sites=6,
    households=60,
    reports={**dict.fromkeys(FORMS, 5), "trace": 80, "missed_appointment_verification": 60},
    chw_tasks=60,
    targets=30,
)
# Not sites, areas and accounts: those concern many rows.
CHANGED_KINDS = ["data_record", "task", "target", "person", "household"]
COPIED_KINDS = ["data_record", "task"]
_UP = "idx_tup_fetch"
SMALL = 500  # rows of a table that may be read through
TIMES_UNTIL_PLANNED = 11  # five until psycopg prepares a statement, five until it has one plan
ASKED = 2_000  # rows that a request may look up in one table, by a supervisor with 200 tasks


def test_a_refresh_after_few_changes_reads_no_large_table_through(
    database: Address, home: Path
) -> None:
    with _generated(database, home, SIZE) as (connection, running_dbt):
        sizes = _sizes(connection)
        assert {table for table, rows in sizes.items() if SMALL < rows < 3_000} == set()
        # a small table may be read through by each of the few statements that ask it
        most_scanned = {t: SMALL if rows > SMALL else 4 * SMALL for t, rows in sizes.items()}
        # an index too can be read from one end to the other
        most_fetched = {t: max(SMALL, rows // 3) for t, rows in sizes.items()}
        for seed in ("first", "second"):
            _copy(connection, _two_of_each(connection, COPIED_KINDS, seed), f"-{seed}")
            _edit(connection, _two_of_each(connection, CHANGED_KINDS, seed))
            scanned, fetched = _rows_read_by_a_refresh(connection, running_dbt)
            assert _above(most_scanned, scanned) == {}
            assert _above(most_fetched, fetched) == {}
        # what senders may do is compared with what they could, once for all of an account's reports
        _edit(connection, _two_of_each(connection, ["user-settings"], "third"))
        scanned, _ = _rows_read_by_a_refresh(connection, running_dbt)
        assert _above(most_scanned, scanned).keys() == {"verification_report"}
        assert scanned["verification_report"] < 2 * sizes["verification_report"]


def test_no_request_of_a_supervisor_reads_a_large_table_through(
    database: Address, home: Path
) -> None:
    """Nor once many have answered, by the plans that were made when nobody had: connections keep
    them until autovacuum analyzes the tables.
    """
    asking = engine(database)
    usual = shape(tasks=8_000, supervisors=40)
    more = {"missed_appointment_verification": 12, "trace_follow_up": 12}
    size = replace(usual, reports={**usual.reports, **more})
    with _generated(database, home, size) as (connection, _), asking.connect() as asked:
        viewer = store.viewer(asked, "supervisor_3", ())
        found = store.tasks(asked, viewer)
        assert len(found) > 100
        middle = found[len(found) // 2]
        answered_ones = Filters(standing="verified")
        [verified, *_] = store.tasks(asked, viewer, filters=answered_ones, limit=1)
        searched = Filters(search=middle.patient_id or "")
        below = Filters(place_uuid=middle.area_uuid or "")
        requests: dict[str, Callable[[], object]] = {
            "list": lambda: store.tasks(asked, viewer, limit=51),
            "next page": lambda: store.tasks(asked, viewer, limit=51, after=middle.task_uuid),
            "search": lambda: store.tasks(asked, viewer, filters=searched, limit=51),
            "answered": lambda: store.tasks(asked, viewer, filters=answered_ones, limit=51),
            "task": lambda: store.task(asked, viewer, middle.task_uuid),
            "progress": lambda: store.progress(asked, viewer),
            "history": lambda: store.history(asked, verified.task_id),
            "by name": lambda: store.tasks(asked, viewer, order="name", limit=51),
            "below a place": lambda: store.tasks(asked, viewer, filters=below, limit=51),
            "areas": lambda: store.areas(asked, viewer, Filters()),
            "flags": lambda: store.flags(asked, viewer, Filters()),
            "to trace": lambda: store.to_trace(asked, viewer),
            "others": lambda: store.others(asked, viewer, found[:50]),
            "reports": lambda: store.patient_reports(asked, middle),
            "verifications": lambda: store.verifications(asked, viewer, limit=51),
        }
        for request in requests.values():
            for _ in range(TIMES_UNTIL_PLANNED):
                _finish(asked, request)
        _ask(connection, asked, requests)
        _answer_most(connection)
        _ask(connection, asked, requests)
        looked_up = _answers_looked_up(
            connection, asked, lambda: store.tasks(asked, viewer, limit=1)
        )
        assert len(found) <= looked_up < len(found) + 10  # not for what is done as landed
        assert len(store.tasks(asked, viewer)) < len(found) / 2
        assert len(store.to_trace(asked, viewer)) > 10
    asking.dispose()


def _ask(
    connection: psycopg.Connection, asked: Connection, requests: dict[str, Callable[[], object]]
) -> None:
    """None reads a large table through, from one end of an index to the other neither."""
    for name, request in requests.items():
        through, up = _rows_read(connection, "seq_tup_read"), _rows_read(connection, _UP)
        _finish(asked, request)
        through = _rows_read(connection, "seq_tup_read") - through
        assert {table: rows for table, rows in through.items() if rows > SMALL} == {}, name
        up = _rows_read(connection, _UP) - up
        assert {table: rows for table, rows in up.items() if rows > ASKED} == {}, name
        assert up, name  # the counts came in


def _answers_looked_up(
    connection: psycopg.Connection, asked: Connection, request: Callable[[], object]
) -> int:
    """How often `request` looks for an answer of ours."""
    before = _rows_read(connection, "idx_scan")["verification"]
    _finish(asked, request)
    return _rows_read(connection, "idx_scan")["verification"] - before


def _finish(asked: Connection, request: Callable[[], object]) -> None:
    """With its counts handed in."""
    request()
    asked.exec_driver_sql("select pg_stat_force_next_flush()")
    asked.commit()


def _answer_most(connection: psycopg.Connection) -> None:
    """Two in three open tasks."""
    connection.execute("""
        with answer as (
            insert into app.verification (
                verification_id, task_id, round, outcome, report_id, verified_by, verified_at
            )
            select
                gen_random_uuid(),
                task_id,
                last_round + 1,
                'not_visited',
                gen_random_uuid()::text,
                'somebody',
                app.worklist_now()
            from worklist_pii.identified_task
            where standing = 'open' and abs(hashtext(task_id)) % 3 > 0
            returning verification_id, report_id, verified_at
        )

        insert into app.outbox (verification_id, report_id, report, next_attempt_at, accepted_at)
        select
            verification_id,
            report_id,
            '{}',
            '-infinity',
            verified_at
        from answer
    """)


@contextmanager
def _generated(
    address: Address, home: Path, size: Shape
) -> Iterator[tuple[psycopg.Connection, dbt_process.Dbt]]:
    """A generated programme, refreshed."""
    with (
        connect(address, autocommit=True) as connection,
        dbt_process.running(address, "v1", "couchdb", home_of(address, home)) as running_dbt,
    ):
        connection.execute(
            "insert into app.instance (name, source, created_at) values ('plans', %s, now())",
            [SOURCE],
        )
        generated_programme.write(connection, size)
        connection.execute("analyze v1.couchdb")
        _refresh(connection, running_dbt)
        _leave_unanalyzed(connection)
        yield connection, running_dbt


def _leave_unanalyzed(connection: psycopg.Connection) -> None:
    """From now on autovacuum changes no plan: statistics are those of the first refresh."""
    tables = connection.execute("""
        select format('%I.%I', schemaname, tablename)
        from pg_tables
        where schemaname in ('v1', 'app', 'worklist_build')
    """).fetchall()
    for (table,) in tables:
        connection.execute(f"alter table {table} set (autovacuum_enabled = off)")


def _edit(connection: psycopg.Connection, ids: list[str]) -> None:
    connection.execute(
        """
        update v1.couchdb
        set doc = doc || '{"edited": true}',
            landed_number = nextval('v1.couchdb_landed_number')
        where source = %s and _id = any(%s)
        """,
        [SOURCE, ids],
    )


def _copy(connection: psycopg.Connection, ids: list[str], suffix: str) -> None:
    """New documents that say what those of these ids say."""
    connection.execute(
        """
        insert into v1.couchdb (saved_timestamp, _id, _deleted, source, doc)
        select saved_timestamp, _id || %s, false, source, doc
        from v1.couchdb
        where source = %s and _id = any(%s)
        """,
        [suffix, SOURCE, ids],
    )


def _two_of_each(connection: psycopg.Connection, kinds: list[str], seed: str) -> list[str]:
    """The ids of two documents of each form and kind."""
    rows = connection.execute(
        """
        select ranked._id
        from (
            select
                couchdb._id,
                row_number() over (
                    partition by kind.name, couchdb.doc ->> 'form'
                    order by md5(couchdb._id || %(seed)s)
                ) as nth
            from v1.couchdb
            cross join lateral (
                select coalesce(couchdb.doc ->> 'contact_type', couchdb.doc ->> 'type')
            ) as kind (name)
            where kind.name = any(%(kinds)s) and not couchdb._deleted
        ) as ranked
        where ranked.nth <= 2
        """,
        {"kinds": kinds, "seed": seed},
    ).fetchall()
    return [row[0] for row in rows]


def _rows_read_by_a_refresh(
    connection: psycopg.Connection, running_dbt: dbt_process.Dbt
) -> tuple[Counter[str], Counter[str]]:
    """By table, how many rows its statements scan, and how many they fetch by an index."""
    scanned, fetched = _rows_read(connection, "seq_tup_read"), _rows_read(connection, _UP)
    _refresh(connection, running_dbt)
    return (
        _rows_read(connection, "seq_tup_read") - scanned,
        _rows_read(connection, _UP) - fetched,
    )


def _above(most: Mapping[str, int], read: Counter[str]) -> dict[str, int]:
    return {table: rows for table, rows in read.items() if rows > most[table]}


def _refresh(connection: psycopg.Connection, running_dbt: dbt_process.Dbt) -> None:
    refresh_run.refresh(connection, running_dbt, "live", lambda: now(connection), lambda *_: None)


def _sizes(connection: psycopg.Connection) -> Counter[str]:
    return _rows_read(connection, "n_live_tup")


def _rows_read(connection: psycopg.Connection, counter: str) -> Counter[str]:
    """What a counter of PostgreSQL's says so far, by table."""
    _wait_for_the_counts(connection)
    query = sql.SQL("""
        select relname, coalesce({counter}, 0)
        from pg_stat_user_tables
        where
            schemaname in ('v1', 'worklist_build')
            or (schemaname = 'app' and relname in ('verification', 'outbox'))
    """)
    rows = connection.execute(query.format(counter=sql.Identifier(counter))).fetchall()
    return Counter(dict(rows))


def _wait_for_the_counts(connection: psycopg.Connection) -> None:
    """A session hands its counts in when it ends, ours when asked to."""
    connection.execute("select pg_stat_force_next_flush()")
    query = """
        select from pg_stat_activity
        where datname = current_database() and application_name = 'dbt'
    """
    wait_until(lambda: connection.execute(query).rowcount == 0)
