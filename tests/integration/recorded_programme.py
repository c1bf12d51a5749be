"""The recorded programme in a database of its own, to change as a CHT would and to refresh."""

import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pipeline.database import Address, connect, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.tasks import run as tasks_run

SOURCE = "127.0.0.1/medic"
DEFINITIONS = Path(__file__).parents[2] / "dbt_project"
SHIPPED = (DEFINITIONS / "tasks.yml").read_text()


def _kind(name: str, title: str, reasons: str, role: str, due_in: int = 0) -> str:
    """The shipped definition for some of its reports only."""
    own = {
        "verify-missed-appointment": name,
        "title: Verify missed appointment": f"title: {title}",
        "art|ncd|tb": reasons,
        "days: 0, start: 0": f"days: {due_in}, start: {due_in}",
        "[site_supervisor]": f"[{role}]",
    }
    kind = SHIPPED.partition("tasks:\n")[2]
    for shipped, ours in own.items():
        assert shipped in kind
        kind = kind.replace(shipped, ours)
    return kind


# Of three kinds of tasks two are a supervisor's; those of the second are not overdue yet.
SEVERAL = (
    SHIPPED.partition("tasks:\n")[0]
    + "tasks:\n"
    + _kind("verify-art", "task.art", "art", "site_supervisor")
    + _kind("verify-ncd", "Verify missed NCD visit", "^ncd$", "site_supervisor", due_in=9)
    + _kind("verify-tb", "Verify missed TB visit", "tb", "tb_nurse")
)
# Of the recorded feed: two areas of Matope.
AREA = "68fbd326-1728-5e40-bd5e-245b078688da"
OTHER_AREA = "44a9b19b-6e57-5694-89d7-59025cd01b10"


def give_two_appointments(address: Address) -> None:
    """Makes the one report that repeats an appointment a report of another one of that patient."""
    with connect(address, autocommit=True) as connection:
        changed = connection.execute("""
            update worklist_build.task
            set
                appointment_task_id = task_id,
                answered_as = array[task_id],
                appointment_on = appointment_on - 1
            where appointment_task_id <> task_id
        """)
        assert changed.rowcount == 1


class Programme:
    """The recorded programme, to change as a CHT would and to refresh."""

    def __init__(
        self, address: Address, connection: psycopg.Connection, running_dbt: dbt_process.Dbt
    ) -> None:
        self.address = address
        self.connection = connection
        self.dbt = running_dbt

    def document(self, document_id: str) -> dict[str, Any]:
        row = self.connection.execute(
            "select doc from v1.couchdb where _id = %s", [document_id]
        ).fetchone()
        assert row is not None
        return dict(row[0])

    def save(self, document: dict[str, Any]) -> None:
        self.connection.execute(
            """
            insert into v1.couchdb (saved_timestamp, _id, _deleted, source, doc)
            values (app.worklist_now() at time zone 'UTC', %(id)s, false, %(source)s, %(doc)s)
            on conflict (source, _id) do update
            set doc = excluded.doc, _deleted = false, saved_timestamp = excluded.saved_timestamp,
                landed_number = nextval('v1.couchdb_landed_number')
            """,
            {"id": document["_id"], "source": SOURCE, "doc": json.dumps(document)},
        )

    def delete(self, document_id: str, *, is_kept: bool = True) -> None:
        self.connection.execute(
            """
            update v1.couchdb
            set last_content = case when %s then doc end,
                doc = jsonb_build_object('_id', _id, '_rev', '9-x', '_deleted', true),
                _deleted = true, landed_number = nextval('v1.couchdb_landed_number')
            where _id = %s
            """,
            [is_kept, document_id],
        )

    def empty(self) -> None:
        """Forgets every document, what came of it, and every answer."""
        tables = self.connection.execute(
            "select tablename from pg_tables "
            "where schemaname = 'worklist_build' and tablename <> 'refresh_boundary'"
        )
        names = [sql.Identifier("worklist_build", name) for (name,) in tables]
        self.connection.execute(
            sql.SQL("truncate v1.couchdb, app.verification, {} cascade").format(
                sql.SQL(", ").join(names)
            )
        )

    def define(self, text: str) -> None:
        tasks_run.store_definitions(self.connection, text, "tasks.yml", now(self.connection))

    def refresh(self, tier: str = "live") -> None:
        refresh_run.refresh(
            self.connection,
            self.dbt,
            tier,
            lambda: now(self.connection),
            lambda *_: None,
        )

    def rebuild(self) -> None:
        outcome = self.dbt.run(["run", "--select", "tag:live", "--full-refresh"], lambda *_: None)
        assert outcome.is_success, outcome.failed

    def rows(self, relation: str) -> list[str]:
        every = sql.SQL("select live::text from {} as live").format(
            sql.Identifier(*relation.split("."))
        )
        return sorted(row[0] for row in self.connection.execute(every).fetchall())

    def standing(self, source_id: str) -> tuple[Any, ...] | None:
        return self.connection.execute(
            "select standing, excluded_reason, flags from worklist_live.missed_appointment"
            " where source_id = %s",
            [source_id],
        ).fetchone()

    def open_traces(self, supervisor: str, area: str) -> list[str]:
        rows = self.connection.execute(
            """
            select source_id from worklist_live.open_task
            where supervisor = %s and area_uuid = %s and flags = '{}'
            order by source_id
            """,
            [supervisor, area],
        ).fetchall()
        return [row[0] for row in rows]

    def open_trace(self, supervisor: str) -> str:
        return self.open_traces(supervisor, OTHER_AREA)[0]

    def patient_of(self, source_id: str) -> dict[str, Any]:
        return self.document(self.document(source_id)["fields"]["patient_uuid"])

    def seen_by(self, supervisor: str, area: str | None = None) -> int:
        row = self.connection.execute(
            """
            select count(*) from worklist_live.open_task
            where supervisor = %(supervisor)s and area_uuid = coalesce(%(area)s, area_uuid)
            """,
            {"supervisor": supervisor, "area": area},
        ).fetchone()
        assert row is not None
        return int(row[0])
