"""The simulated CHT within this process, also where the recordings show nothing."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.errors import SettingsWrong
from testbed.simulated_cht.server import build_app, serve
from testbed.simulated_cht.simulation import Simulation

RECORDED = Path(__file__).parents[2] / "data" / "cht-wire" / "changes.jsonl.gz"
SUPERVISOR = ("supervisor_matope", "password")
OFFICER = ("officer", "password")
CHW = ("chw_matope_1", "password")
SERVICE = ("worklist", "password")
EMR = ("emr", "password")
SENDER = "7166e9b0-7d60-5e79-9ef6-6f250ebaa747"
ADMINISTRATOR = ("medic", "password")


@pytest.fixture
def simulation() -> Simulation:
    made = Simulation()
    made.load_feed(RECORDED)
    return made


@pytest.fixture
def client(simulation: Simulation) -> Iterator[TestClient]:
    with TestClient(
        build_app(simulation), headers={"Accept": "application/json"}, follow_redirects=False
    ) as made:
        yield made


def test_signing_in_by_the_login_page_answers_302_with_a_body(client: TestClient) -> None:
    body = {"user": "supervisor_matope", "password": "password"}
    answer = client.post("/medic/login", json=body)
    assert (answer.status_code, answer.text) == (302, "/")
    assert "location" not in answer.headers
    assert set(answer.cookies) == {"AuthSession", "userCtx", "locale"}
    assert client.get("/_session").json()["userCtx"]["name"] == "supervisor_matope"


def test_a_wrong_password_on_the_login_page_is_401(client: TestClient) -> None:
    body = {"user": "supervisor_matope", "password": "wrong"}
    assert client.post("/medic/login", json=body).status_code == 401


def test_a_user_who_must_change_the_password_gets_a_session_from_couchdb_only(
    client: TestClient, simulation: Simulation
) -> None:
    simulation.accounts.change("supervisor_matope", password_change_required=True)
    answer = client.post("/medic/login", json={"user": "supervisor_matope", "password": "password"})
    assert (answer.status_code, answer.text) == (302, "/medic/password-reset")
    assert "AuthSession" not in answer.cookies
    body = {"name": "supervisor_matope", "password": "password"}
    assert client.post("/_session", json=body).cookies["AuthSession"]


def test_a_session_outlives_logging_out(client: TestClient) -> None:
    body = {"name": "supervisor_matope", "password": "password"}
    cookie = client.post("/_session", json=body).cookies["AuthSession"]
    client.delete("/_session")
    client.cookies.clear()
    again = client.get("/_session", headers={"Cookie": f"AuthSession={cookie}"})
    assert again.json()["userCtx"]["name"] == "supervisor_matope"


def test_failures_count_for_the_address_in_front_of_the_proxy(client: TestClient) -> None:
    def failing(address: str) -> int:
        headers = {"X-Forwarded-For": f"{address}, 10.0.0.1"}
        answer = client.get("/_session", auth=(f"no-{address}", address), headers=headers)
        return int(answer.status_code)

    assert [failing("192.0.2.1") for _ in range(11)] == [401] * 10 + [429]
    assert failing("192.0.2.2") == 401


def test_a_user_with_can_view_users_sees_others(client: TestClient) -> None:
    other = client.get("/api/v2/users/deputy_matope", auth=OFFICER)
    assert other.json()["place"][0]["name"] == "Matope Health Centre"
    assert client.get("/api/v2/users/nobody", auth=OFFICER).status_code == 404


def test_a_user_without_a_place_is_shown_without_one(client: TestClient) -> None:
    own = client.get("/api/v2/users/officer", auth=OFFICER).json()
    assert own["username"] == "officer"
    assert not {"place", "contact"} & own.keys()


def test_the_users_database_wins_over_the_settings_document(
    client: TestClient, simulation: Simulation
) -> None:
    simulation.accounts.change("supervisor_matope", roles=["mm-online"])
    own = client.get("/api/v2/users/supervisor_matope", auth=SUPERVISOR).json()
    assert own["roles"] == ["mm-online"]
    document = client.get("/medic/org.couchdb.user:supervisor_matope", auth=SUPERVISOR).json()
    assert document["roles"] == ["site_supervisor", "mm-online"]


def test_offline_users_read_next_to_nothing(client: TestClient) -> None:
    assert client.get("/medic/_all_docs", auth=CHW).status_code == 403
    assert client.get("/medic/settings", auth=CHW).status_code == 403
    assert client.get("/medic/org.couchdb.user:chw_matope_1", auth=CHW).status_code == 200
    rows = client.get("/medic/_changes?feed=longpoll&since=now", auth=CHW).json()["results"]
    assert len(rows) == 4


def test_a_report_must_be_posted_as_exactly_json(client: TestClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = client.post("/api/v1/report", content="{}", headers=headers, auth=SUPERVISOR)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"form": None}, "The [form] field must have a [string] value."),
        ({"contact": {"_id": SENDER}}, "The [contact] field must have a [string] value."),
        ({"contact": "form:trace"}, "Contact [form:trace] not found."),
        ({"reported_date": "yesterday"}, "Invalid reported_date."),
        ({"_rev": "1-a"}, "The [_rev] field must not be set."),
        ({"type": "contact"}, 'Report type must be "data_record".'),
    ],
)
def test_an_invalid_report_is_refused_with_the_apis_reason(
    client: TestClient, changes: dict[str, object], words: str
) -> None:
    body = {"form": "trace", "contact": SENDER, **changes}
    answer = client.post("/api/v1/report", json=body, auth=SUPERVISOR)
    assert answer.json() == {"code": 400, "error": words}


def test_reports_are_found_by_the_value_of_a_field(client: TestClient) -> None:
    made = [
        client.post(
            "/api/v1/report",
            json={"form": "trace", "contact": SENDER, "fields": {"verification_id": "V-1"}},
            auth=SUPERVISOR,
        ).json()["_id"]
        for _ in range(2)
    ]
    path = "/api/v1/report/uuid"
    found = client.get(path, params={"freetext": "verification_id:v-1"}, auth=SUPERVISOR).json()
    assert (sorted(found["data"]), found["cursor"]) == (sorted(made), None)
    other = client.get(path, params={"freetext": "verification_id:v-2"}, auth=SUPERVISOR).json()
    assert other["data"] == []
    assert client.get(path, params={"freetext": "v"}, auth=SUPERVISOR).status_code == 400
    assert client.get(path, params={"freetext": "form:trace"}, auth=EMR).status_code == 403


def test_keys_of_deleted_documents_say_so(client: TestClient) -> None:
    body = {"keys": ["16fdb1e7bc66d417f6812e78d70011f1"]}
    [row] = client.post("/medic/_all_docs", json=body, auth=SERVICE).json()["rows"]
    assert row["value"]["deleted"] is True


def test_ranges_of_ids_are_read_in_order(client: TestClient) -> None:
    query = 'startkey="form:"&endkey="form:\ufff0"&include_docs=true'
    rows = client.get(f"/medic/_all_docs?{query}", auth=SERVICE).json()["rows"]
    names = [row["doc"]["internalId"] for row in rows]
    assert names == ["trace", "trace_follow_up", "visit_verification"]
    limited = client.get(f"/medic/_all_docs?{query}&limit=1&skip=1", auth=SERVICE).json()["rows"]
    assert [row["id"] for row in limited] == ["form:trace_follow_up"]


def test_only_an_administrator_makes_and_removes_databases(client: TestClient) -> None:
    assert client.put("/worklist-test-1/", auth=SERVICE).status_code == 401
    assert client.put("/worklist-test-1/", auth=ADMINISTRATOR).status_code == 201
    assert client.put("/worklist-test-1", auth=ADMINISTRATOR).status_code == 412
    assert client.get("/worklist-test-1/", auth=ADMINISTRATOR).json()["doc_count"] == 0
    assert client.get("/worklist-test-1/_changes", auth=SERVICE).status_code == 403
    assert client.delete("/worklist-test-1/", auth=ADMINISTRATOR).status_code == 200
    assert client.get("/worklist-test-1/", auth=ADMINISTRATOR).status_code == 404


def test_users_are_written_with_their_password_hidden(client: TestClient) -> None:
    document = {"name": "new", "type": "user", "roles": ["mm-online"], "password": "word"}
    answer = client.put("/_users/org.couchdb.user:new", json=document, auth=ADMINISTRATOR)
    assert answer.status_code == 201
    kept = client.get("/_users/org.couchdb.user:new", auth=ADMINISTRATOR).json()
    assert "password" not in kept
    assert client.get("/_session", auth=("new", "word")).status_code == 200


def test_an_option_that_is_not_simulated_is_not_implemented(client: TestClient) -> None:
    for query in ("feed=continuous", "filter=_view", "descending=true"):
        assert client.get(f"/medic/_changes?{query}", auth=SERVICE).status_code == 501


def test_an_invalid_number_is_refused(client: TestClient) -> None:
    assert client.get("/medic/_changes?limit=many", auth=SERVICE).status_code == 400


def test_couchdb_sends_a_greeting_and_the_api_passes_it_on(
    client: TestClient, simulation: Simulation
) -> None:
    with TestClient(build_app(simulation, is_api=False)) as couchdb:
        assert couchdb.get("/", auth=ADMINISTRATOR).json()["couchdb"] == "Welcome"
    assert client.get("/", auth=SERVICE).json()["couchdb"] == "Welcome"


def test_a_browser_is_redirected_to_a_login_page(client: TestClient) -> None:
    answer = client.get("/medic/", headers={"Accept": "text/html"}, follow_redirects=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_error_names_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsWrong, match=f"Port {port} on .* is taken"):
            serve(RECORDED, "127.0.0.1", port, "password", datetime.now(UTC), print)
