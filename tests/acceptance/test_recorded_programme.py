"""The recorded programme as of 2026-11-20, asked by the commands: what must come out."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipeline.database import Address, connect
from pipeline.tables import SYNC
from tests.commands import Worklist, worklist_for
from tests.conftest import AsRole
from tests.integration.recorded_programme import SHIPPED

COLUMNS = {
    *("task_id", "task_uuid", "source_id", "definition", "state", "standing", "flags"),
    *("patient_uuid", "place_uuid", "place_name", "area_uuid", "area_name"),
    *("facility_uuid", "facility_name", "appointment_on", "days_since_appointment"),
    *("opens_on", "due_on", "closes_on", "days_overdue", "patient_name", "patient_id"),
}
LISUNGWI = "5638ab2b-8cb9-5606-b5e2-8779d0c6c201"
MATOPE = "9f11d489-6182-5d77-9f70-85b208b801b2"
# Lisungwi's eight odd reports and what is said of each; a shortcode alone, or a uuid where the
# shortcode belongs, is ordinary CHT.
ODD = {
    "3503bc4b-0f0f-5ed7-8124-fe507f049ae6": [],  # only a shortcode
    "da5a064b-c256-5521-b4de-97b3cc99b84c": [],  # the uuid where the shortcode belongs
    "36ee4c87-8560-54d9-9a50-b9e5b068ff54": ["no_appointment_date"],
    "6c6d65a1-3bee-5234-97f8-a85f5185b879": ["bad_appointment_date"],
    "be2ef02f-e3a3-56e4-9261-a332283cec6a": ["unknown_patient", "place_from_sender"],
    "433b7866-fd0d-5a27-ac7c-0f11b0572674": ["no_due_date"],  # reported_date is a text
    "e851e7c2-a104-5eb7-946a-48b570ed67d4": ["future_appointment_date"],
    "e3e7f4b2-ccc0-555a-b142-6bfb9608d7d6": ["text_altered"],  # U+0000
}


@pytest.fixture
def worklist(recorded_database: Address, as_role: AsRole, home: Path) -> Worklist:
    """On the recorded programme; the CHT is away, which no command here needs."""
    return worklist_for(as_role(recorded_database, SYNC), "http://127.0.0.1:9", home)


def _tasks(worklist: Worklist, user_name: str) -> list[dict[str, Any]]:
    rows = json.loads(worklist.must("tasks", "--user", user_name, "--format", "json"))
    assert isinstance(rows, list)
    return rows


def _ledger(address: Address, site: str) -> list[tuple[Any, ...]]:
    with connect(address) as connection:
        return connection.execute(
            """
            select ledger.standing, ledger.excluded_reason, ledger.source_id, ledger.flags
            from worklist_live.missed_appointment as ledger
            inner join worklist_live.place_scope as scope
                on ledger.place_uuid = scope.place_uuid
            where scope.ancestor_uuid = %s
            """,
            [site],
        ).fetchall()


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("user_name", "count"),
    [
        ("supervisor_matope", 108),
        ("deputy_matope", 108),
        ("supervisor_chifunga", 40),
        ("supervisor_lisungwi", 13),
        ("supervisor_two_sites", 53),
        ("chw_matope_1", 0),
    ],
)
def test_each_supervisor_sees_their_open_tasks(
    worklist: Worklist, user_name: str, count: int
) -> None:
    tasks = _tasks(worklist, user_name)
    assert len(tasks) == count
    assert {task["definition"] for task in tasks} <= {"verify-missed-appointment"}
    assert {(task["state"], task["standing"]) for task in tasks} <= {("Ready", "open")}


@pytest.mark.one_server
def test_tasks_carry_every_column_and_come_longest_ago_first(worklist: Worklist) -> None:
    tasks = _tasks(worklist, "supervisor_matope")
    assert all(task.keys() >= COLUMNS for task in tasks)
    assert all(task["patient_name"] for task in tasks)
    days = [task["days_since_appointment"] for task in tasks]
    assert days == sorted(days, reverse=True)


@pytest.mark.one_server
def test_a_user_that_the_cht_does_not_know_is_said_to_be_unknown(worklist: Worklist) -> None:
    done = worklist("tasks", "--user", "nobody_at_all", "--format", "json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "nobody_at_all" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_ledger_accounts_for_each_of_matopes_reports(recorded_database: Address) -> None:
    standings = Counter(row[:2] for row in _ledger(recorded_database, MATOPE))
    assert standings == {
        ("open", None): 108,
        ("repeated", None): 1,
        ("resolved", None): 6,
        ("excluded", "deceased"): 1,
        ("excluded", "muted"): 1,
    }


def test_lisungwis_odd_reports_are_all_there_and_data_errors_are_flagged(
    recorded_database: Address,
) -> None:
    flags = {source: flags for _, _, source, flags in _ledger(recorded_database, LISUNGWI)}
    assert len(flags) == 13
    assert {source: flags[source] for source in ODD} == ODD
    assert all(found == [] for source, found in flags.items() if source not in ODD)


def test_an_unknown_patient_is_called_what_the_report_says(worklist: Worklist) -> None:
    tasks = {task["source_id"]: task for task in _tasks(worklist, "supervisor_lisungwi")}
    unknown = tasks["be2ef02f-e3a3-56e4-9261-a332283cec6a"]
    assert unknown["patient_uuid"] is None
    assert unknown["patient_name"] == "Innocent Tembo"
    assert unknown["facility_uuid"] == LISUNGWI


def test_an_appointment_that_was_reported_twice_is_one_task(recorded_database: Address) -> None:
    with connect(recorded_database) as connection:
        rows = connection.execute(
            """
            select ledger.standing, ledger.report_count
            from worklist_live.missed_appointment as ledger
            where ledger.appointment_task_id in (
                select repeated.appointment_task_id
                from worklist_live.missed_appointment as repeated
                where repeated.standing = 'repeated'
            )
            order by ledger.standing
            """
        ).fetchall()
    assert rows == [("open", 2), ("repeated", 2)]


def test_live_and_published_marts_agree_and_carry_no_names(recorded_database: Address) -> None:
    with connect(recorded_database) as connection:
        marts = _columns(connection, "worklist")
        assert marts == {
            name: {**columns, "as_of": "timestamp with time zone"}
            for name, columns in _columns(connection, "worklist_live").items()
            if name in marts
        }
        assert set(marts) == {
            *("missed_appointment", "open_task", "task_history", "to_trace"),
            *("supervisor_workload", "verification", "chw_task", "chw_target"),
        }
        for name, columns in marts.items():
            assert not {"patient_name", "phone", "note", "patient_id"} & columns.keys(), name
            live, published = (
                connection.execute(f'select count(*) from {schema}."{name}"').fetchone()  # noqa: S608
                for schema in ("worklist_live", "worklist")
            )
            assert live == published, name


def _columns(connection: psycopg.Connection, schema: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        """
        select pg_class.relname, attname, format_type(atttypid, atttypmod)
        from pg_attribute
        inner join pg_class on pg_class.oid = attrelid
        inner join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = %s and relkind in ('v', 'm') and attnum > 0
        """,
        [schema],
    ):
        found.setdefault(table, {})[column] = kind
    return found


def test_phones_tasks_show_what_they_would_be_today(recorded_database: Address) -> None:
    with connect(recorded_database) as connection:
        stored = connection.execute(
            "select count(*), count(distinct stored_state) from worklist_live.chw_task"
        ).fetchone()
        unfinished = connection.execute("""
            select count(*) from worklist_live.chw_task
            where effective_state = 'Ready' and not app.today() between opens_on and closes_on
        """).fetchone()
    assert stored is not None
    assert 0 < stored[0] <= 99
    assert unfinished == (0,)


def test_status_says_how_fresh_everything_is(worklist: Worklist) -> None:
    status = json.loads(worklist.must("status", "--json"))
    (source,) = status["sync"]
    assert source["documents"] == 995
    assert source["altered"] == 1
    assert status["refresh"]["published"]["failed_model"] is None
    assert status["refresh"]["live"]["succeeded_at"]
    assert status["write_back"]["counts"]["pending"] == 0
    assert "995 documents" in worklist.must("status")


def test_a_task_and_a_document_without_one_are_explained(
    worklist: Worklist, recorded_database: Address
) -> None:
    with connect(recorded_database) as connection:
        dead, resolved, form = (
            (connection.execute(statement).fetchone() or ("",))[0]
            for statement in (
                "select task_id from worklist_live.missed_appointment "
                "where excluded_reason = 'deceased'",
                "select source_id from worklist_live.missed_appointment "
                "where standing = 'resolved'",
                "select _id from v1.couchdb where doc ->> 'form' = 'trace_follow_up'",
            )
        )
    assert "the patient has a date of death" in worklist.must("tasks", "explain", dead)
    assert "of form visit_verification" in worklist.must("tasks", "explain", resolved)
    assert "does not apply to this type" in worklist.must("tasks", "explain", form)


def test_a_listed_patient_is_explained_by_number_and_name_and_a_stranger_is_not(
    worklist: Worklist,
) -> None:
    task = _tasks(worklist, "supervisor_matope")[0]
    headings, first, *_ = worklist.must("tasks", "--user", "supervisor_matope").splitlines()
    assert headings.split()[:3] == ["patient", "number", "phone"]
    assert task["patient_id"] in first

    by_number = worklist.must("tasks", "explain", task["patient_id"])
    assert by_number.startswith(f"{task['patient_name']}, number {task['patient_id']}, in ")
    assert f"\n\n{task['task_id']} is Ready (open).\n" in by_number
    assert task["patient_uuid"] in worklist.must("tasks", "explain", *task["patient_name"].split())

    nothing = worklist("tasks", "explain", "No", "Such", "Patient")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr.startswith("No task, document or patient has this id, number or name")
    assert "Such" not in nothing.stderr


def test_a_check_warns_of_unknown_names_and_still_succeeds(
    worklist: Worklist, tmp_path: Path
) -> None:
    path = tmp_path / "ours.yml"
    path.write_text(SHIPPED.replace("[site_supervisor]", "[site_supervisors]"))
    checked = worklist("tasks", "check", str(path))
    assert (checked.returncode, checked.stdout) == (0, "")
    assert re.fullmatch(
        r"ours.yml:25: warning: task verify-missed-appointment: assignedTo.roles.0 names the role "
        r"site_supervisors, .*did you mean site_supervisor\?\n"
        r"ours.yml is valid \(task definitions: 1, warnings: 1\).\n",
        checked.stderr,
    )


def test_a_check_before_the_first_sync_says_that_it_could_not_compare(
    empty_database: Address, home: Path
) -> None:
    checked = worklist_for(empty_database, "http://127.0.0.1:9", home)("tasks", "check")
    assert checked.returncode == 0
    assert checked.stderr.splitlines() == [
        "tasks.yml: its forms, roles and contact types were not checked, since no documents of the "
        "CHT can be read here: run `worklist sync --once` first.",
        "tasks.yml is valid (task definitions: 1).",
    ]
