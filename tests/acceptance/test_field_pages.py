"""What the field sends, through every process to the page: as its supervisor sees it."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.database import Address
from tests.acceptance.test_round_trip import signed_in
from tests.commands import Worklist, free_port, worklist_for
from tests.conftest import PostgresServer, temporary_database
from tests.integration.two_sites import (
    Document,
    documents,
    missed,
    person,
    report,
    tasks_yml,
    visit,
)

pytestmark = pytest.mark.one_server

FEEDS = ("shortcode-uuid", "wrong-close", "bare-verification", "nightly")
MORE = (
    *(person(name, name=name.capitalize()) for name in ("clara", "dora", "edna")),
    # answered in the CHT by the supervisor's contact, after a CHW had gone to look
    missed("c1", "clara"),
    report("c2", "trace_follow_up", "clara", "2026-11-18", sender="chw1", trace_outcomes="moved"),
    report(
        "c3",
        "missed_appointment_verification",
        "clara",
        "2026-11-19",
        inputs={"task_id": "c1~missed~verify"},
        verification={"outcome": "not_visited", "reason": "other"},
        verified_by="somebody_else",
    ),
    missed("d1", "dora", on="9999-12-31"),
    missed("e1", "edna"),
    visit("e2", "edna"),
)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Address]:
    with temporary_database(postgres_server, "programme", postgres_server.template) as address:
        yield address


@pytest.fixture(scope="module")
def page(
    database: Address, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The page as the supervisor of site 1 has it. No test changes anything there."""
    folder = tmp_path_factory.mktemp("field")
    (folder / "tasks.yml").write_text(
        tasks_yml(tracing={"forms": ["trace_follow_up"], "outcome": "fields.trace_outcomes"})
    )
    feed = folder / "feed.jsonl"
    feed.write_text("".join(_lines()))
    port = free_port()
    worklist = worklist_for(database, f"http://127.0.0.1:{port}", home)
    worklist = Worklist(
        {**worklist.environment, "WORKLIST_TASKS": str(folder / "tasks.yml")}, folder
    )
    simulated = worklist.started(
        "simulate", "--feed", str(feed), "--port", str(port), "--password", "password"
    )
    try:
        assert simulated.stderr is not None
        assert any("http://" in line for line in simulated.stderr)
        for command in ("migrate", "sync", "refresh"):
            worklist.must(command)
        with worklist.serving() as url, signed_in(url, "sup1") as client:
            yield client
    finally:
        simulated.terminate()
        simulated.communicate()


def _lines() -> Iterator[str]:
    landed: dict[str, Document] = {
        document["_id"]: document for feed in FEEDS for document in documents(feed)
    }
    landed |= {document["_id"]: document for document in MORE}
    for name, document in landed.items():
        document.setdefault("_rev", f"1-{name.encode().hex():0<32}")
        row = {"id": name, "changes": [{"rev": document["_rev"]}], "doc": document}
        yield json.dumps(row) + "\n"
    yield json.dumps({"last_seq": "1-x", "pending": 0}) + "\n"


def _text(page: httpx.Client, address: str) -> str:
    """What a person reads there."""
    html = page.get(address).raise_for_status().text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def _tasks(page: httpx.Client, standing: str = "open") -> dict[str, dict[str, Any]]:
    """By source report."""
    asked = {"standing": standing, "limit": "200"}
    tasks = page.get("/api/v1/tasks", params=asked).raise_for_status().json()["tasks"]
    return {task["source_id"]: task for task in tasks}


def test_the_page_shows_what_is_right_of_what_the_field_sends(page: httpx.Client) -> None:
    found = _tasks(page)
    # of the two with one shortcode, a visit closed the task of whom it names by uuid
    assert found.keys() == {"a1", "t-bare", "night1", "d1"}
    assert _tasks(page, "resolved").keys() == {"about-berta", "e1"}
    assert found["night1"]["report_count"] == 3

    listed = _text(page, "/")
    assert "0 of" not in listed
    assert "Reported 3 times, last on 17 Nov 2026" in listed
    assert "The appointment date is unreadable" in listed

    bare = _text(page, f"/tasks/{found['t-bare']['task_uuid']}")
    assert "Chw 1, in the CHT" in bare
    assert "Does not count: no answer was chosen" in bare

    again = _tasks(page, "repeated")
    assert again.keys() == {"night2", "night3"}
    assert "Reported again on 16 Nov 2026. Open the task for this appointment" in _text(
        page, "/?standing=repeated"
    )
    refused = _text(page, f"/tasks/{again['night2']['task_uuid']}")
    assert "Answer the task of that report instead" in refused

    verified = _text(page, "/?standing=verified")
    assert "Clara" in verified
    assert "Boss 1, in the CHT" in verified
    assert "somebody_else" not in verified
    assert "Traced on 18 Nov 2026, 10:00: Moved away" in verified
    assert "Traced on 18 Nov 2026, 10:00: Moved away" in _text(page, "/to-trace")

    resolved = _text(page, "/?standing=resolved")
    assert "Closed by the report visit_verification of 19 Nov 2026, 10:00." in resolved


@pytest.mark.parametrize("task_id", ["night2~missed~verify", "c1~missed~verify"])
def test_the_api_explains_in_true_words(page: httpx.Client, task_id: str) -> None:
    standing = "repeated" if task_id.startswith("night") else "verified"
    task = _tasks(page, standing)[task_id.split("~")[0]]
    told = page.get(f"/api/v1/tasks/{task['task_uuid']}").raise_for_status().json()
    expected = {
        "repeated": "The appointment had been reported before: its task is night1~missed~verify.",
        "verified": "Round 1: not_visited, by the contact boss1 in the CHT",
    }
    assert any(expected[standing] in sentence for sentence in told["explanation"])
