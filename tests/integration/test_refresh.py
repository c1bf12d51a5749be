"""Refreshes: what changed in the CHT changes the ledger, as if everything had been built anew."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.database import connect
from pipeline.errors import Conflict, Refused
from pipeline.refresh import store
from tests.commands import home_of
from tests.integration.recorded_programme import AREA, DEFINITIONS, OTHER_AREA, SHIPPED, Programme

# Of the recorded feed: another site, and Lisungwi's unknown patient.
CHIFUNGA = "ae14f9bd-4f4e-5faf-ac2d-e4c4e9449a86"
UNKNOWN = "be2ef02f-e3a3-56e4-9261-a332283cec6a"
RELATIONS = [
    f"worklist_live.{name}"
    for name in ("missed_appointment", "open_task", "to_trace", "place", "chw_task")
]


def test_dbts_own_unit_tests_pass(programme: Programme) -> None:
    seen: list[str] = []
    outcome = programme.dbt.run(
        ["test", "--select", "test_type:unit"], lambda name, *_: seen.append(name)
    )
    assert outcome.failed == ()
    assert outcome.is_success
    # dbt ignores a misspelt key in a .yml, and with it the tests
    written = sum(
        text.count("\n    model: ")
        for path in (DEFINITIONS / "models").rglob("*.yml")
        if "unit_tests:" in (text := path.read_text())
    )
    assert len(seen) == written > 0


@pytest.mark.one_server
def test_dbts_documentation_builds(programme: Programme, home: Path) -> None:
    outcome = programme.dbt.run(["docs", "generate"], lambda *_: None)
    assert outcome.is_success, outcome.failed
    assert (home_of(programme.address, home) / "dbt" / "catalog.json").exists()


def test_a_rebuild_keeps_published_marts_for_their_readers_and_leaves_nothing_behind(
    programme: Programme,
) -> None:
    programme.refresh("published")
    before = programme.rows("worklist.open_task")
    programme.rebuild()
    assert programme.rows("worklist.open_task") == before
    retired = programme.connection.execute(
        "select relname from pg_class where relname like 'retired%'"
    )
    assert retired.fetchall() == []


def test_a_rebuild_drops_the_views_of_models_that_are_gone(programme: Programme) -> None:
    programme.connection.execute(
        "create view worklist_build.int_former_model as select task_id from worklist_build.task"
    )
    programme.rebuild()
    left = programme.connection.execute(
        "select relname from pg_class where relname like 'retired%' or relname like '%former_model'"
    )
    assert left.fetchall() == []


def test_an_analysts_own_view_does_not_stop_a_refresh(
    programme: Programme,
) -> None:
    programme.connection.execute("delete from app.refresh_run")
    programme.connection.execute("create view public.own_view as select * from worklist_build.task")
    programme.refresh()
    programme.connection.execute("drop view public.own_view")
    programme.refresh()


@pytest.mark.one_server
def test_a_renamed_place_or_chw_has_its_new_name_in_tasks(
    programme: Programme,
) -> None:
    trace = programme.open_traces("supervisor_matope", AREA)[0]
    area, household = programme.document(AREA), programme.patient_of(trace)["parent"]["_id"]
    chw = programme.document(area["contact"]["_id"])
    programme.save({**programme.document(household), "name": "Household by the well"})
    programme.save({**area, "name": "North"})
    programme.save({**chw, "name": "Mercy Banda"})
    programme.refresh()
    assert programme.connection.execute(
        "select place_name, area_name, chw_name from worklist_pii.identified_task"
        " where source_id = %s",
        [trace],
    ).fetchone() == ("Household by the well", "North", "Mercy Banda")
    programme.delete(household)
    programme.refresh()
    assert programme.standing(trace) == ("open", None, ["orphan_place"])


@pytest.mark.one_server
def test_a_late_visit_resolves_a_task_and_its_deletion_reopens_it(programme: Programme) -> None:
    trace = programme.open_trace("supervisor_matope")
    programme.save(_visit(programme.document(trace), "late-visit"))
    programme.refresh()
    assert programme.standing(trace) == ("resolved", None, [])
    programme.delete("late-visit")
    programme.refresh()
    assert programme.standing(trace) == ("open", None, [])


@pytest.mark.one_server
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


@pytest.mark.one_server
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


@pytest.mark.one_server
def test_deletions_without_kept_content_last_until_a_full_rebuild(
    programme: Programme,
) -> None:
    withdrawn, answered = programme.open_traces("supervisor_matope", OTHER_AREA)[:2]
    answer = {
        "inputs": {"task_id": f"{answered}~verify~verify-missed-appointment"},
        "verification": {"outcome": "visited"},
    }
    report = programme.document(answered) | {"_id": "answer", "fields": answer}
    programme.save({**report, "form": "missed_appointment_verification"})
    programme.refresh()
    assert programme.standing(answered) == ("verified", None, [])
    for document_id in (withdrawn, "answer"):
        programme.delete(document_id, is_kept=False)
    programme.save(programme.patient_of(answered))  # looks at its reports once more
    programme.refresh()
    assert programme.standing(withdrawn) == ("withdrawn", None, [])
    assert programme.standing(answered) == ("open", None, [])
    programme.refresh("published")
    programme.rebuild()
    assert programme.standing(withdrawn) is None


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
    broken = "every_report_is_in_the_ledger_once_per_event"
    with pytest.raises(Refused, match=broken):
        programme.refresh("published")
    assert programme.rows("worklist.open_task") == before
    assert store.latest(programme.connection)["published"]["failed_model"] == broken


def _visit(trace: dict[str, Any], document_id: str) -> dict[str, Any]:
    """The clinic typed in late that the patient had come."""
    return {
        **trace,
        "_id": document_id,
        "form": "visit_verification",
        "reported_date": 1795100000000,
    }
