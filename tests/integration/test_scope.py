"""Every endpoint, asked as every user for every task of an invented programme: nothing of anybody
outside a user's places is told, not even that it exists.

Who may see what is worked out anew here, from the documents alone.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from httpx import Response
from starlette.testclient import TestClient

from pipeline import database as databases
from pipeline.database import Address
from pipeline.refresh import dbt_process
from testbed.invented_programme import programme as demo
from tests.commands import home_of
from tests.integration.recorded_programme import SHIPPED, SOURCE, Programme
from tests.integration.signed_in_clients import SITE, service, visitor

pytestmark = pytest.mark.one_server
STANDINGS = ("upcoming", "open", "verified", "resolved", "expired", "withdrawn", "excluded")
MADE = datetime(2026, 11, 20, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A task of the ledger with what gives its patient away, empty where unknown."""

    task_uuid: str
    source_id: str
    standing: str
    number: str
    phone: str


class World:
    """The programme's documents, and who may see which report's task."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.by_id = {document["_id"]: document for document in documents}
        self.users = {
            one["name"]: one
            for one in documents
            if one.get("type") == "user-settings"
            and (not one["name"].startswith("chw_") or one["name"].endswith("_1"))
        }
        self.by_number = {one["patient_id"]: one for one in documents if one.get("patient_id")}

    def may_see(self, user: dict[str, Any], source_id: str) -> bool:
        roles = set(user["roles"])
        if "mm-online" not in roles:
            return False
        if "program_officer" in roles:
            return True
        places = set(self._places(source_id))
        return "site_supervisor" in roles and not places.isdisjoint(user.get("facility_id", ()))

    def _places(self, source_id: str) -> Iterator[str]:
        """The patient's place, else the sender's, and all above."""
        report = self.by_id[source_id]
        patient = self.patient(source_id) or self.by_id[report["contact"]["_id"]]
        place = patient.get("parent")
        while place:
            yield place["_id"]
            place = self.by_id.get(place["_id"], {}).get("parent")

    def patient(self, source_id: str) -> dict[str, Any] | None:
        fields = self.by_id[source_id]["fields"]
        named = [fields.get("patient_uuid"), fields.get("patient_id")]
        found = (self.by_id.get(name) or self.by_number.get(name) for name in named if name)
        return next((one for one in found if one), None)


def _is_left_out(document: dict[str, Any]) -> bool:
    """Four of five reports of a missed appointment: each costs a hundred requests."""
    return document.get("form") == "trace" and document["_id"][0] not in "048"


@pytest.fixture
def world(database: Address, connection: psycopg.Connection, home: Path) -> World:
    documents = [one for one in demo.documents(MADE) if not _is_left_out(one)]
    connection.execute(
        "insert into app.instance (name, source, created_at) values ('scope', %s, now())", [SOURCE]
    )
    with dbt_process.running(database, "v1", "couchdb", home_of(database, home)) as running_dbt:
        programme = Programme(database, connection, running_dbt)
        for document in documents:
            programme.save(document)
        programme.define(SHIPPED)
        programme.refresh()
    return World(documents)


def test_nobody_sees_anything_out_of_scope(
    database: Address, connection: psycopg.Connection, world: World
) -> None:
    made = databases.engine(database)
    app = service(made)
    with ExitStack() as entered:
        visitors = {name: entered.enter_context(visitor(app, made, name)) for name in world.users}
        before = sum(map(_answer_some, visitors.values()))
        assert before >= 9
        entries = _ledger(connection, world)
        for name, asking in visitors.items():
            user = world.users[name]
            mine = {one.task_uuid: one for one in entries if world.may_see(user, one.source_id)}
            foreign = [one for one in entries if one.task_uuid not in mine]
            _lists_hold_exactly(asking, mine)
            for task_uuid in mine:
                assert asking.get(f"/api/v1/tasks/{task_uuid}").status_code == 200
            _foreign_ones_are_as_unknown_as_those_that_never_were(asking, foreign)
            _many_at_once(asking, foreign)
            _pages_show_nothing_else(asking, foreign)
    assert connection.execute("select count(*) from app.verification").fetchone() == (before,)
    assert connection.execute("select count(*) from app.task_note").fetchone() == (0,)
    made.dispose()


def _answer_some(asking: TestClient) -> int:
    """So that there are answers, and patients to trace, that others must not see."""
    tasks = asking.get("/api/v1/tasks", params={"limit": 3}).json()["tasks"]
    post = _post(outcome="not_visited")
    answers = [post(asking, f"/api/v1/tasks/{task['task_uuid']}/verification") for task in tasks]
    return [answer.status_code for answer in answers].count(201)


def _ledger(connection: psycopg.Connection, world: World) -> list[Entry]:
    rows = connection.execute(
        "select task_uuid::text, source_id, standing from worklist_live.missed_appointment"
    ).fetchall()
    assert len(rows) > 30
    assert {row[2] for row in rows} >= {"open", "verified", "resolved"}
    return [_entry(world, *row) for row in rows]


def _entry(world: World, task_uuid: str, source_id: str, standing: str) -> Entry:
    patient = world.patient(source_id) or {}
    number, phone = (patient.get(name) or "" for name in ("patient_id", "phone"))
    return Entry(task_uuid, source_id, standing, number, phone)


def _lists_hold_exactly(asking: TestClient, mine: dict[str, Entry]) -> None:
    counts = asking.get("/api/v1/me").json()["progress"]["count_by_standing"]
    for standing in STANDINGS:
        expected = {uuid for uuid, entry in mine.items() if entry.standing == standing}
        assert _listed(asking, standing=standing) == expected
        assert counts.get(standing, 0) == len(expected)
        areas = asking.get("/api/v1/areas", params={"standing": standing}).json()
        assert sum(area["count"] for area in areas) == len(expected)
    for path, rows in (("verifications", "verifications"), ("to-trace", None)):
        found = asking.get(f"/api/v1/{path}").json()
        assert {one["task_uuid"] for one in (found[rows] if rows else found)} <= set(mine)


def _listed(asking: TestClient, **query: str) -> set[str]:
    page = asking.get("/api/v1/tasks", params={"limit": 200, **query})
    assert page.json()["next"] is None
    return {task["task_uuid"] for task in page.json()["tasks"]}


def _foreign_ones_are_as_unknown_as_those_that_never_were(
    asking: TestClient, foreign: list[Entry]
) -> None:
    for path, ask in REQUESTS:
        never = ask(asking, path.format(uuid4()))
        assert never.status_code in {404, 422}, path
        for entry in foreign:
            real = ask(asking, path.format(entry.task_uuid))
            assert (real.status_code, real.content) == (never.status_code, never.content), path
    for entry in foreign:
        for trace in (entry.number, entry.phone):
            found = asking.get("/api/v1/tasks", params={"q": trace}).text
            assert entry.task_uuid not in found
            assert entry.source_id not in found


def _get(asking: TestClient, path: str) -> Response:
    answer: Response = asking.get(path)
    return answer


def _post(**body: object) -> Any:
    return lambda asking, path: asking.post(
        path, json=body, headers={"Idempotency-Key": str(uuid4())}
    )


def _submit(asking: TestClient, path: str) -> Response:
    answer: Response = asking.post(
        path,
        data={"outcome": "visited", "note": "x", "key": str(uuid4())},
        headers={"Origin": SITE},
    )
    return answer


REQUESTS: tuple[tuple[str, Any], ...] = (
    ("/api/v1/tasks/{}", _get),
    ("/api/v1/tasks?after={}", _get),
    ("/api/v1/tasks/{}/verification", _post(outcome="visited")),
    ("/api/v1/tasks/{}/note", _post(note="x")),
    ("/tasks/{}", _get),
    ("/tasks/{}/verification", _submit),
)


def _many_at_once(asking: TestClient, foreign: list[Entry]) -> None:
    for start in range(0, len(foreign), 100):
        part = foreign[start : start + 100]
        answers = [
            {"task_uuid": one.task_uuid, "outcome": "visited", "idempotency_key": str(uuid4())}
            for one in part
        ]
        told = asking.post("/api/v1/verifications", json={"verifications": answers}).json()
        assert {outcome["status"] for outcome in told["outcomes"]} == {404}


def _pages_show_nothing_else(asking: TestClient, foreign: list[Entry]) -> None:
    """Also where the address names what is not the user's."""
    asked = ["/to-trace", *(f"/?standing={standing}" for standing in STANDINGS)]
    if foreign:
        names = ("after", "answered", "already", "noted")
        asked += [f"/?{name}={foreign[0].task_uuid}" for name in names]
    for path in asked:
        page = asking.get(path).text
        for one in foreign:
            assert one.task_uuid not in page, path
            assert not one.phone or one.phone not in page, path
