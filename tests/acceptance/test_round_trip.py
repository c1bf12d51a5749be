"""An answer's whole way: page, database, CHT, feed, landing, marts; every part its own process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.database import Address, connect
from pipeline.tables import SERVICE, SYNC
from tests.commands import Worklist, worklist_for
from tests.conftest import RECORDED_FEED, AsRole, SimulatedCht
from tests.waiting import LONG, wait_until


@pytest.fixture
def worklist(
    recorded_database: Address, as_role: AsRole, simulated_cht: SimulatedCht, home: Path
) -> Worklist:
    return worklist_for(as_role(recorded_database, SYNC), simulated_cht.url, home)


@pytest.fixture
def service(
    recorded_database: Address, as_role: AsRole, simulated_cht: SimulatedCht, home: Path
) -> Worklist:
    return worklist_for(as_role(recorded_database, SERVICE), simulated_cht.url, home)


@pytest.fixture
def unpermitted(service: Worklist) -> Worklist:
    """The service with an account that the CHT lets write nothing."""
    return replace(
        service, environment={**service.environment, "COUCHDB_USER": "supervisor_matope"}
    )


@contextmanager
def signed_in(url: str, user_name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as client:
        answer = client.post("/sign-in", data={"name": user_name, "password": "password"})
        assert answer.status_code == 303, answer.text
        yield client


def _open_tasks(client: httpx.Client) -> list[dict[str, Any]]:
    tasks = client.get("/api/v1/tasks", params={"limit": 200}).raise_for_status().json()["tasks"]
    assert isinstance(tasks, list)
    return tasks


def _verify(client: httpx.Client, task: dict[str, Any], key: str, **answer: Any) -> httpx.Response:
    return client.post(
        f"/api/v1/tasks/{task['task_uuid']}/verification",
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
        content=json.dumps({"follows_round": 0, **answer}),
    )


def _delivery(client: httpx.Client, report_id: str) -> str:
    rows = client.get("/api/v1/verifications").raise_for_status().json()["verifications"]
    return next(str(row["delivery"]) for row in rows if row["report_id"] == report_id)


def _wait_until(client: httpx.Client, report_id: str, delivery: str) -> None:
    wait_until(lambda: _delivery(client, report_id) == delivery)


def _in_the_cht(cht: SimulatedCht, report_id: str) -> httpx.Response:
    return httpx.get(
        f"{cht.url}/medic/{report_id}",
        auth=("medic", "password"),
        headers={"Accept": "application/json"},
    )


def test_an_answer_leaves_the_list_reaches_the_cht_and_comes_back_confirmed(
    worklist: Worklist, service: Worklist, simulated_cht: SimulatedCht, recorded_database: Address
) -> None:
    with (
        service.serving() as url,
        signed_in(url, "supervisor_matope") as supervisor,
        signed_in(url, "deputy_matope") as deputy,
    ):
        first, second, *_ = _open_tasks(supervisor)
        accepted = _verify(supervisor, first, "one", outcome="visited", visit_date="2026-11-18")
        assert accepted.status_code == 201, accepted.text
        report_id = accepted.json()["report_id"]
        assert _verify(supervisor, second, "two", outcome="not_visited", reason="moved").is_success

        # gone for everybody, before any sync or refresh
        for client in (supervisor, deputy):
            left = {task["task_id"] for task in _open_tasks(client)}
            assert len(left) == 106
            assert not left & {first["task_id"], second["task_id"]}
        late = _verify(deputy, first, "three", outcome="not_visited")
        assert late.status_code == 409
        assert "supervisor_matope" in late.text
        _wait_until(supervisor, report_id, "sent")
        report = _in_the_cht(simulated_cht, report_id).json()
        assert report["form"] == "missed_appointment_verification"
        assert report["fields"]["inputs"]["task_id"] == first["task_id"]
        assert report["fields"]["patient_uuid"] == first["patient_uuid"]
        assert report["fields"]["verification"] == {
            "outcome": "visited",
            "visit_date": "2026-11-18",
            "reason": "",
            "note": "",
        }
        assert report["contact"]["parent"]["_id"] == first["facility_uuid"]

        worklist.must("sync", "--once")
        _wait_until(supervisor, report_id, "confirmed")

        worklist.must("refresh")
        assert len(_open_tasks(deputy)) == 106

    with connect(recorded_database) as connection:
        landed = connection.execute(
            "select landed_report_id, landed_outcome from worklist_build.task where task_id = %s",
            [first["task_id"]],
        ).fetchone()
        ledger = connection.execute(
            "select state, standing, verified_by from worklist_live.missed_appointment"
            " where task_id = %s",
            [first["task_id"]],
        ).fetchone()
        to_trace = connection.execute("select task_id from worklist_live.to_trace").fetchall()
    assert landed == (report_id, "visited")
    assert ledger == ("Completed", "verified", "supervisor_matope")
    assert to_trace == [(second["task_id"],)]


@pytest.mark.one_server
def test_the_nightly_job_does_everything_in_one_go(
    worklist: Worklist, unpermitted: Worklist, recorded_database: Address
) -> None:
    with unpermitted.serving() as url, signed_in(url, "supervisor_chifunga") as supervisor:
        task = _open_tasks(supervisor)[0]
        report_id = _verify(supervisor, task, "one", outcome="visited").json()["report_id"]
        worklist.must("nightly")
        assert _delivery(supervisor, report_id) == "confirmed"
    with connect(recorded_database) as connection:
        published = connection.execute(
            "select delivery from worklist.verification where report_id = %s", [report_id]
        ).fetchone()
        counted = connection.execute(
            "select count(*) from worklist.open_task where supervisor = 'supervisor_chifunga'"
        ).fetchone()
    assert published == ("confirmed",)
    assert counted == (39,)


@pytest.mark.one_server
def test_a_night_without_the_cht_still_publishes_and_says_what_failed(
    worklist: Worklist, simulated_cht: SimulatedCht
) -> None:
    simulated_cht.process.terminate()
    simulated_cht.process.join()
    done = worklist("nightly")
    assert done.returncode == 1
    retrying, *lines, last = done.stderr.splitlines()
    assert retrying.endswith("Connection refused. Retrying in 1 s.")
    assert [line for line in lines if "cannot be reached" in line] == [
        f"The CHT at {simulated_cht.url} cannot be reached: Connection refused."
    ]
    assert not [line for line in lines if line.startswith("sync")]
    assert len([line for line in lines if line.startswith("write back")]) == 1
    assert "refresh published: done" in done.stderr
    assert last == "Failed: sync, reconcile."
    assert "Traceback" not in done.stderr


@pytest.mark.one_server
def test_an_operator_works_on_the_queue(
    worklist: Worklist,
    unpermitted: Worklist,
    simulated_cht: SimulatedCht,
    recorded_database: Address,
) -> None:
    with unpermitted.serving() as url, signed_in(url, "supervisor_matope") as supervisor:
        task, *_ = _open_tasks(supervisor)
        accepted = _verify(supervisor, task, "one", outcome="visited").json()
        report_id = accepted["report_id"]
    done = unpermitted("write-back")
    assert done.returncode == 1
    assert done.stderr.count("Insufficient privileges") == 1
    told = worklist("status")
    assert (told.returncode, "SENDING FAILS" in told.stdout) == (1, True)

    listed = json.loads(worklist.must("write-back", "list", "--format", "json"))
    assert [(row["report_id"], row["state"], row["attempts"]) for row in listed] == [
        (report_id, "pending", 0)
    ]
    assert report_id in worklist.must("write-back", "list", "--state", "pending")
    shown = json.loads(worklist.must("write-back", "show", report_id))
    assert shown["report"]["fields"]["task_id"] == task["task_id"]
    worklist.must("write-back", "retry", report_id)
    assert worklist("write-back", "retry").returncode == 2

    worklist.must("write-back", "drop", report_id, "--reason", "wrong patient")
    open_tasks = json.loads(
        worklist.must("tasks", "--user", "supervisor_matope", "--format", "json")
    )
    assert task["task_id"] in {one["task_id"] for one in open_tasks}
    again = worklist("write-back", "drop", report_id, "--reason", "again")
    assert again.returncode == 1
    assert "is withdrawn" in again.stderr
    worklist.must("write-back")
    assert _in_the_cht(simulated_cht, report_id).status_code == 404
    with connect(recorded_database) as connection:
        kept = connection.execute("select state, dropped_because from app.outbox").fetchall()
    assert kept == [("withdrawn", "wrong patient")]


@pytest.mark.one_server
def test_a_follower_sends_what_the_page_takes_and_ends_at_a_signal(
    worklist: Worklist, unpermitted: Worklist, simulated_cht: SimulatedCht
) -> None:
    with unpermitted.serving() as url, signed_in(url, "supervisor_matope") as supervisor:
        following = worklist.started("write-back", "--follow")
        task, *_ = _open_tasks(supervisor)
        report_id = _verify(supervisor, task, "one", outcome="visited").json()["report_id"]
        _wait_until(supervisor, report_id, "sent")
        assert _in_the_cht(simulated_cht, report_id).status_code == 200
        following.terminate()
        _, said = following.communicate(timeout=LONG)
    assert following.returncode == 0
    assert "1 sent" in said
    assert "Traceback" not in said


@pytest.mark.one_server
def test_the_page_alone_sends_each_answer_once_also_beside_other_workers(
    worklist: Worklist, service: Worklist, simulated_cht: SimulatedCht
) -> None:
    following = worklist.started("write-back", "--follow")
    with (
        service.serving(),
        service.serving() as url,
        signed_in(url, "supervisor_matope") as supervisor,
    ):
        answered = [
            _verify(supervisor, task, f"key-{number}", outcome="visited").json()["report_id"]
            for number, task in enumerate(_open_tasks(supervisor)[:20])
        ]
        for report_id in answered:
            _wait_until(supervisor, report_id, "sent")
    following.terminate()
    following.communicate(timeout=LONG)
    assert following.returncode == 0
    revisions = {_in_the_cht(simulated_cht, one).json()["_rev"][:2] for one in answered}
    assert revisions == {"1-"}


@pytest.mark.one_server
def test_while_the_cht_is_down_the_page_goes_on_and_sends_when_it_is_back(
    service: Worklist, simulated_cht: SimulatedCht, capsys: pytest.CaptureFixture[str]
) -> None:
    port = str(httpx.URL(simulated_cht.url).port)
    with service.serving() as url, signed_in(url, "supervisor_matope") as supervisor:
        simulated_cht.process.terminate()
        simulated_cht.process.join()
        task, *_ = _open_tasks(supervisor)
        report_id = _verify(supervisor, task, "one", outcome="visited").json()["report_id"]
        assert _delivery(supervisor, report_id) == "pending"
        assert len(_open_tasks(supervisor)) == 107

        back = service.started("simulate", "--feed", str(RECORDED_FEED), "--port", port)
        _wait_until(supervisor, report_id, "sent")
        assert _in_the_cht(simulated_cht, report_id).status_code == 200
        back.terminate()
        back.communicate(timeout=LONG)
    logged = [line for line in capsys.readouterr().err.splitlines() if "write back: " in line]
    assert logged[0].endswith("Connection refused. Retrying in 1 s.")
    assert logged[1] == "write back: Works again."


@pytest.mark.one_server
def test_what_the_feed_did_not_tell_is_found_while_everything_is_kept_fresh(
    worklist: Worklist, recorded_database: Address
) -> None:
    worklist.must("sync", "--once")
    with connect(recorded_database, autocommit=True) as connection:
        (lost,) = connection.execute(
            "delete from v1.couchdb where _id = (select min(_id) from v1.couchdb) returning _id"
        ).fetchone() or ("",)
        running = worklist.started("run")
        landed = "select from v1.couchdb where _id = %s"
        wait_until(lambda: connection.execute(landed, [lost]).rowcount)
        running.terminate()
        _, said = running.communicate(timeout=LONG)
    assert running.returncode == 0
    assert "1 missing or outdated" in said
    assert "Traceback" not in said
