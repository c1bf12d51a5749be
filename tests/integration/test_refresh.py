"""Refreshes: what changed in the CHT changes the ledger, as if everything had been built anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pipeline.database import Address, connect, now
from pipeline.errors import Conflict, Refused
from pipeline.refresh import dbt, store
from pipeline.refresh import run as refreshing
from pipeline.tasks import run as defining
from tests.conftest import PostgresServer, recorded_copy

SOURCE = "127.0.0.1/medic"
SHIPPED = (Path(__file__).parents[2] / "dbt_project" / "tasks.yml").read_text()
# Of the recorded feed: two areas of Matope, another site, and Lisungwi's unknown patient.
AREA = "68fbd326-1728-5e40-bd5e-245b078688da"
OTHER_AREA = "44a9b19b-6e57-5694-89d7-59025cd01b10"
CHIFUNGA = "ae14f9bd-4f4e-5faf-ac2d-e4c4e9449a86"
UNKNOWN = "be2ef02f-e3a3-56e4-9261-a332283cec6a"
RELATIONS = [
    f"worklist_live.{name}"
    for name in ("missed_appointment", "open_task", "to_trace", "place", "chw_task")
]


class Programme:
    """The recorded programme, to change as a CHT would and to refresh."""

    def __init__(
        self, address: Address, connection: psycopg.Connection, running_dbt: dbt.Dbt
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
            values (now(), %(id)s, false, %(source)s, %(doc)s)
            on conflict (source, _id) do update
            set doc = excluded.doc, _deleted = false,
                landed_number = nextval('v1.couchdb_landed_number')
            """,
            {"id": document["_id"], "source": SOURCE, "doc": json.dumps(document)},
        )

    def delete(self, document_id: str) -> None:
        self.connection.execute(
            """
            update v1.couchdb
            set last_content = doc, doc = jsonb_build_object('_id', _id, '_deleted', true),
                _deleted = true, landed_number = nextval('v1.couchdb_landed_number')
            where _id = %s
            """,
            [document_id],
        )

    def define(self, text: str) -> None:
        defining.store_definitions(self.connection, text, "tasks.yml", now(self.connection))

    def refresh(self, tier: str = "live") -> None:
        refreshing.refresh(
            self.connection,
            self.dbt,
            tier,
            lambda: now(self.connection),
            lambda _name, _status: None,
        )

    def rebuild(self) -> None:
        outcome = self.dbt.run(
            ["run", "--select", "tag:live", "--full-refresh"], lambda _name, _status: None
        )
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


@pytest.fixture(scope="module")
def programme(
    postgres_server: PostgresServer,
    recorded_template: str,
    home: Path,
) -> Iterator[Programme]:
    """One for the module, since dbt takes its time: each test changes patients of its own."""
    with (
        recorded_copy(postgres_server, recorded_template) as address,
        connect(address, autocommit=True) as connection,
        dbt.running(address, "v1", "couchdb", home) as running_dbt,
    ):
        yield Programme(address, connection, running_dbt)


def test_dbts_own_unit_tests_pass(programme: Programme) -> None:
    seen: list[str] = []
    outcome = programme.dbt.run(
        ["test", "--select", "test_type:unit"], lambda name, _: seen.append(name)
    )
    assert outcome.failed == ()
    assert outcome.is_success
    # a misspelt key in a .yml switches tests off without a word
    written = sum(
        text.count("\n    model: ")
        for path in (Path(__file__).parents[2] / "dbt_project" / "models").rglob("*.yml")
        if "unit_tests:" in (text := path.read_text())
    )
    assert len(seen) == written > 0


def test_a_late_visit_resolves_and_its_deletion_opens_again(programme: Programme) -> None:
    trace = programme.open_trace("supervisor_matope")
    programme.save(_visit(programme.document(trace), "late-visit"))
    programme.refresh()
    assert programme.standing(trace) == ("resolved", None, [])
    programme.delete("late-visit")
    programme.refresh()
    assert programme.standing(trace) == ("open", None, [])


def test_changes_of_every_kind_reach_the_ledger(programme: Programme) -> None:
    before = programme.seen_by("supervisor_matope"), programme.seen_by("supervisor_chifunga")
    deleted, homeless, left, muted = programme.open_traces("supervisor_matope", AREA)[:4]
    unknown = programme.document(UNKNOWN)
    programme.delete(deleted)
    programme.save({**programme.patient_of(homeless), "parent": {"_id": "nowhere"}})
    programme.save({**programme.document(left), "form": "something_else"})
    programme.save({**programme.patient_of(muted), "muted": "2026-11-19T08:00:00Z"})
    programme.save(
        {
            "_id": "registered",
            "type": "contact",
            "contact_type": "person",
            "patient_id": unknown["fields"]["patient_id"],
            "parent": programme.patient_of(muted)["parent"],
        }
    )
    # the whole area moves to the other site
    moved = programme.seen_by("supervisor_matope", AREA) - 4
    programme.save({**programme.document(AREA), "parent": {"_id": CHIFUNGA}})
    programme.refresh()

    assert programme.standing(deleted) == ("withdrawn", None, [])
    assert programme.standing(homeless) == ("open", None, ["orphan_place"])
    assert programme.standing(left) is None
    assert programme.standing(muted) == ("excluded", "muted", [])
    assert programme.standing(UNKNOWN) == ("open", None, [])
    after = programme.seen_by("supervisor_matope"), programme.seen_by("supervisor_chifunga")
    assert after == (before[0] - 4 - moved, before[1] + moved + 1)


def test_a_definition_that_is_dropped_and_comes_back_gives_the_same_tasks(
    programme: Programme,
) -> None:
    before = programme.rows("worklist_live.open_task")
    programme.define(SHIPPED.replace("name: verify-missed-appointment", "name: another"))
    programme.refresh()
    assert len(programme.rows("worklist_live.open_task")) == len(before)
    assert not set(before) & set(programme.rows("worklist_live.open_task"))
    programme.define(SHIPPED)
    programme.refresh()
    assert programme.rows("worklist_live.open_task") == before


def test_a_full_rebuild_gives_the_same_rows(programme: Programme) -> None:
    programme.define(SHIPPED.replace("end: 28", "end: 5"))
    programme.refresh()
    grown = {relation: programme.rows(relation) for relation in RELATIONS}
    programme.rebuild()
    assert {relation: programme.rows(relation) for relation in RELATIONS} == grown
    programme.define(SHIPPED)
    programme.refresh()


def test_two_refreshes_do_not_run_at_once(programme: Programme) -> None:
    with connect(programme.address, autocommit=True) as other:
        assert store.lock(other)
        with pytest.raises(Conflict, match="Another refresh"):
            programme.refresh()
        # a backend may outlive its connection for a moment, and its lock with it
        other.execute("select pg_advisory_unlock_all()")
    programme.refresh()


def test_a_broken_invariant_stops_the_publication_and_readers_keep_the_last(
    programme: Programme,
) -> None:
    trace = programme.open_trace("supervisor_matope")
    programme.refresh("published")
    programme.connection.execute("delete from worklist_build.task where source_id = %s", [trace])
    before = programme.rows("worklist.open_task")
    with pytest.raises(Refused, match="every_report_is_in_the_ledger_once_per_event"):
        programme.refresh("published")
    assert programme.rows("worklist.open_task") == before


def _visit(trace: dict[str, Any], document_id: str) -> dict[str, Any]:
    """The clinic typed in late that the patient had come."""
    return {
        **trace,
        "_id": document_id,
        "form": "visit_verification",
        "reported_date": 1795100000000,
    }
