"""The service over HTTP, before the recorded programme and a simulated CHT in its own process."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Any, get_args
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from pipeline.cht.client import ChtClient
from pipeline.cht.users import Identity, sign_in
from pipeline.database import POOL_SIZE, Address, now
from pipeline.service import api
from tests.integration.http_clients import FORM, PASSWORD, browser, enter, signed_in
from tests.integration.signed_in_clients import SITE, service

pytestmark = pytest.mark.one_server


@pytest.fixture
def app(engine: Engine, simulated_cht: Any) -> Iterator[FastAPI]:
    with ChtClient(simulated_cht.url) as cht:
        yield service(engine, partial(sign_in, cht))


@pytest.fixture
def nobody(app: FastAPI) -> TestClient:
    return browser(app)


@pytest.fixture
def matope(app: FastAPI) -> TestClient:
    return signed_in(app, "supervisor_matope")


def open_tasks(visitor: TestClient, **query: str | int) -> list[dict[str, Any]]:
    answer = visitor.get("/api/v1/tasks", params={"limit": 200, **query})
    assert answer.status_code == 200
    tasks: list[dict[str, Any]] = answer.json()["tasks"]
    return tasks


def verify(
    visitor: TestClient, task_uuid: str, key: str | None = None, **answer: object
) -> Response:
    given: Response = visitor.post(
        f"/api/v1/tasks/{task_uuid}/verification",
        json={"outcome": "visited", **answer},
        headers={"Idempotency-Key": key or str(uuid4())},
    )
    return given


# Scope


def test_a_task_out_of_scope_is_unknown(app: FastAPI) -> None:
    asking = ("supervisor_chifunga", "supervisor_two_sites", "emr", "chw_matope_1", "officer")
    visitors = {name: signed_in(app, name) for name in asking}
    standings = get_args(api.Standing)
    every = [
        task["task_uuid"]
        for standing in standings
        for task in open_tasks(visitors["officer"], standing=standing)
    ]
    assert len(every) == 170
    never = visitors["officer"].get(f"/api/v1/tasks/{uuid4()}")
    assert never.status_code == 404
    for name, visitor in visitors.items():
        own = [
            task["task_uuid"]
            for standing in standings
            for task in open_tasks(visitor, standing=standing)
        ]
        assert all(visitor.get(f"/api/v1/tasks/{one}").status_code == 200 for one in own[:3])
        foreign = [one for one in every if one not in own]
        for task_uuid in foreign:
            answer = visitor.get(f"/api/v1/tasks/{task_uuid}")
            assert (answer.status_code, answer.content) == (404, never.content), (name, task_uuid)
        for task_uuid in foreign[:3]:
            assert visitor.get(f"/tasks/{task_uuid}").status_code == 404


def test_no_request_reveals_a_task_out_of_scope(app: FastAPI, matope: TestClient) -> None:
    chifunga = signed_in(app, "supervisor_chifunga")
    other = open_tasks(chifunga, limit=1)[0]
    assert verify(matope, other["task_uuid"]).status_code == 404
    form = {"outcome": "visited", "key": str(uuid4())}
    posted = matope.post(f"/tasks/{other['task_uuid']}/verification", data=form, headers=FORM)
    assert posted.status_code == 404
    assert matope.get("/api/v1/tasks", params={"after": other["task_uuid"]}).status_code == 422
    for kind in ("answered", "already"):
        page = matope.get("/", params={kind: other["task_uuid"]})
        assert other["patient_name"] not in page.text
    assert verify(chifunga, other["task_uuid"]).status_code == 201
    assert matope.get("/api/v1/verifications").json()["verifications"] == []


def test_nothing_is_shown_without_a_session(nobody: TestClient) -> None:
    answers = [
        nobody.get("/api/v1/me"),
        nobody.get("/api/v1/tasks"),
        nobody.get(f"/api/v1/tasks/{uuid4()}"),
        nobody.get("/api/v1/verifications"),
        verify(nobody, str(uuid4())),
    ]
    assert {answer.status_code for answer in answers} == {401}
    kinds = {answer.headers["content-type"] for answer in answers}
    assert kinds == {"application/problem+json"}


# The API


def test_the_list_has_the_documented_columns(matope: TestClient) -> None:
    first = open_tasks(matope, limit=1)[0]
    promised = (
        "task_id task_uuid source_id definition state standing flags patient_uuid place_uuid "
        "place_name area_uuid area_name facility_uuid facility_name appointment_on "
        "days_since_appointment opens_on due_on closes_on days_overdue "
        "patient_name patient_id phone sex date_of_birth title"
    )
    assert set(promised.split()) <= set(first)


def test_pages_of_the_api_are_the_whole_list(matope: TestClient) -> None:
    read: list[str] = []
    query: dict[str, Any] = {"limit": 50}
    while True:
        page = matope.get("/api/v1/tasks", params=query).json()
        read.extend(task["task_id"] for task in page["tasks"])
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert read == [task["task_id"] for task in open_tasks(matope)]
    assert len(read) == 108


def test_an_answer_is_accepted_once_and_seen_by_all(app: FastAPI, matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    deputy = signed_in(app, "deputy_matope")
    accepted = verify(matope, task["task_uuid"], visit_date="2026-10-22")
    assert accepted.status_code == 201
    assert (accepted.json()["round"], accepted.json()["verified_by"]) == (1, "supervisor_matope")
    late = verify(deputy, task["task_uuid"])
    assert late.status_code == 409
    assert late.json()["verified_by"] == "supervisor_matope"
    assert late.json()["verified_at"].startswith("2026-11-20T10:00")
    assert len(open_tasks(deputy)) == 107
    shown = deputy.get(f"/api/v1/tasks/{task['task_uuid']}").json()
    assert [one["delivery"] for one in shown["history"]] == ["pending"]
    assert shown["task"]["standing"] == "verified"
    correction = verify(deputy, task["task_uuid"], outcome="not_visited", follows_round=1)
    assert correction.json()["replaces"] == accepted.json()["report_id"]
    latest = matope.get("/api/v1/verifications").json()["verifications"]
    assert {one["round"] for one in latest} == {1, 2}


def test_a_repeated_post_gives_the_same_answer_and_another_is_refused(matope: TestClient) -> None:
    task_uuid = open_tasks(matope)[0]["task_uuid"]
    first = verify(matope, task_uuid, "key")
    again = verify(matope, task_uuid, "key")
    assert (again.status_code, again.content) == (201, first.content)
    assert verify(matope, task_uuid, "key", outcome="not_visited").status_code == 422


def test_a_note_s_key_belongs_to_its_user(app: FastAPI, matope: TestClient) -> None:
    task_uuid = open_tasks(matope, limit=1)[0]["task_uuid"]
    for visitor in (matope, signed_in(app, "deputy_matope")):
        noted = visitor.post(
            f"/api/v1/tasks/{task_uuid}/note",
            json={"note": "the register is away"},
            headers={"Idempotency-Key": "the-same"},
        )
        assert noted.status_code == 201
    assert len(matope.get(f"/api/v1/tasks/{task_uuid}").json()["notes"]) == 2


def test_an_invalid_answer_names_the_field(matope: TestClient) -> None:
    task_uuid = open_tasks(matope, limit=1)[0]["task_uuid"]
    wrong: list[tuple[str, dict[str, object]]] = [
        ("outcome", {"outcome": "maybe"}),
        ("outcome", {"outcome": None}),
        ("visit_date", {"visit_date": "2026-11-21"}),
        ("visit_date", {"visit_date": "21.11."}),
        ("visit_date", {"visit_date": 5}),
        ("reason", {"outcome": "not_visited", "reason": "lost"}),
        ("reason", {"reason": "moved"}),
        ("note", {"note": "x" * 2001}),
        ("note", {"note": "a\0b"}),
        ("follows_round", {"follows_round": 7}),
        ("follows_round", {"follows_round": 10**30}),
        ("surprise", {"surprise": 1}),
    ]
    for field, answer in wrong:
        refused = verify(matope, task_uuid, None, **answer)
        assert refused.status_code == 422, answer
        assert [error["field"] for error in refused.json()["errors"]] == [field], answer
    assert len(open_tasks(matope)) == 108


def test_an_invalid_query_names_the_parameter(matope: TestClient) -> None:
    wrong = {
        "/api/v1/tasks?limit=0": "limit",
        "/api/v1/tasks?limit=x": "limit",
        "/api/v1/tasks?standing=lost": "standing",
        "/api/v1/tasks?after=1": "after",
        "/api/v1/tasks?q=%00": "q",
        "/api/v1/tasks/1": "task_uuid",
        "/api/v1/verifications?after=%00": "after",
        "/api/v1/verifications?after=nothing": "after",
    }
    for address, field in wrong.items():
        answer = matope.get(address)
        assert answer.status_code == 422, address
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in answer.json()["errors"]] == [field], address


def test_no_request_body_breaks_the_service(matope: TestClient) -> None:
    task_uuid = open_tasks(matope, limit=1)[0]["task_uuid"]
    broken = b'{"outcome": "visited", "note": "\\ud800"}'
    for body in (b"", b"{", b"[]", broken, b"\xff", b"null", b"[" * 50_000, b"1" * 70_000):
        answer = matope.post(
            f"/api/v1/tasks/{task_uuid}/verification",
            content=body,
            headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
        )
        assert 400 <= answer.status_code < 500, body[:50]


def test_a_body_of_any_declared_length_is_refused(matope: TestClient) -> None:
    for length, status in (("65537", 413), ("9" * 5000, 413), ("-1", 411), ("\u00b2", 411)):
        headers = {**FORM, "Content-Length": length.encode()}
        assert matope.post("/sign-out", content=b"", headers=headers).status_code == status


def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(matope: TestClient) -> None:
    for address in ("/sign-out", f"/api/v1/tasks/{uuid4()}/note"):
        answer = matope.get(address)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_who_answers_without_a_session_is_led_to_the_list_and_not_to_the_answer(
    nobody: TestClient,
) -> None:
    form = {"outcome": "visited", "follows_round": "0", "key": str(uuid4())}
    posted = nobody.post(f"/tasks/{uuid4()}/verification", data=form, headers=FORM)
    assert (posted.status_code, posted.headers["location"]) == (303, "/sign-in")


def test_an_idempotency_key_is_printable_and_short(matope: TestClient) -> None:
    for key in ("", "a b", "ä", "x" * 201):
        answer = matope.post(
            f"/api/v1/tasks/{uuid4()}/verification",
            json={"outcome": "visited"},
            headers={"Idempotency-Key": key.encode()},
        )
        assert answer.status_code == 422, key
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


# Forged requests


def test_a_form_must_come_from_this_service(matope: TestClient) -> None:
    attempts: list[tuple[int, dict[str, str]]] = [
        (403, {"Origin": "http://elsewhere.test"}),
        (403, {"Origin": "null"}),
        (403, {"Origin": "http://["}),
        (403, {"Referer": "http://elsewhere.test/worklist.test"}),
        (403, {}),
        (415, {"Origin": SITE, "Content-Type": "text/plain"}),
        (303, {"Origin": SITE}),
        (303, {"Referer": f"{SITE}/?q=banda"}),
        (303, {"Origin": "https://public.test", "X-Forwarded-Host": "public.test"}),
    ]
    for task, (status, headers) in zip(open_tasks(matope), attempts, strict=False):
        form = {"outcome": "visited", "follows_round": "0", "key": str(uuid4())}
        address = f"/tasks/{task['task_uuid']}/verification"
        assert matope.post(address, data=form, headers=headers).status_code == status, headers


def test_json_must_be_json_and_from_this_site(matope: TestClient) -> None:
    task_uuid = open_tasks(matope, limit=1)[0]["task_uuid"]
    attempts: list[tuple[int, dict[str, str]]] = [
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}),
        (403, {"Origin": "http://elsewhere.test"}),
        (201, {"Origin": SITE}),
        (201, {"Referer": "http://elsewhere.test/"}),  # no browser leaves out only the Origin
    ]
    for status, headers in attempts:
        answer = matope.post(
            f"/api/v1/tasks/{task_uuid}/verification",
            content=b'{"outcome": "visited"}',
            headers={"Idempotency-Key": "k", "Content-Type": "application/json", **headers},
        )
        assert answer.status_code == status, headers


def test_a_page_loads_nothing_from_other_sites_and_is_not_cached(matope: TestClient) -> None:
    page = matope.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! src=\"/static/)|\sstyle=|\son\w+=", page.text)


# The pages


def form_of(page: str, task_uuid: str) -> dict[str, str]:
    """The hidden fields of the answer form of a task, as a browser would send them."""
    form = re.search(rf'action="/tasks/{task_uuid}/verification.*?</form>', page, re.DOTALL)
    assert form is not None
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.group()))


def test_without_javascript_an_answer_is_a_form_and_the_list_comes_back(
    matope: TestClient,
) -> None:
    task = open_tasks(matope)[0]
    form = form_of(matope.get("/").text, task["task_uuid"])
    details = {"outcome": "visited", "visit_date": "2026-10-22", "reason": "moved", "note": ""}
    posted = matope.post(
        f"/tasks/{task['task_uuid']}/verification", data={**form, **details}, headers=FORM
    )
    assert posted.status_code == 303
    page = matope.get(posted.headers["location"])
    assert f"{task['patient_name']}: Visited. Saved; it will be sent" in page.text
    assert "7 of 114 done" in page.text
    again = matope.post(
        f"/tasks/{task['task_uuid']}/verification", data={**form, **details}, headers=FORM
    )
    assert again.headers["location"] == posted.headers["location"]
    assert len(matope.get("/api/v1/verifications").json()["verifications"]) == 1


def test_the_second_answer_sees_who_was_first(app: FastAPI, matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    deputy = signed_in(app, "deputy_matope")
    form = form_of(deputy.get("/").text, task["task_uuid"])
    verify(matope, task["task_uuid"])
    posted = deputy.post(
        f"/tasks/{task['task_uuid']}/verification",
        data={**form, "outcome": "not_visited"},
        headers=FORM,
    )
    page = unescape(deputy.get(posted.headers["location"]).text).replace("\u00a0", " ")
    assert f"{task['patient_name']} was already verified by supervisor_matope on 20 Nov" in page
    assert "Your answer was not saved" in page


def test_after_invalid_input_the_form_keeps_what_was_typed(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    form = form_of(matope.get("/").text, task["task_uuid"])
    mistake = {"outcome": "visited", "visit_date": "2026-12-24", "note": "she said <soon>"}
    page = matope.post(
        f"/tasks/{task['task_uuid']}/verification?q=a", data={**form, **mistake}, headers=FORM
    )
    assert page.status_code == 422
    assert "The date of visit cannot be in the future." in page.text
    assert 'value="2026-12-24"' in page.text
    assert "she said &lt;soon&gt;" in page.text


@pytest.mark.parametrize("user_name", ["officer", "chw_matope_1"])
def test_users_who_may_not_verify_see_no_buttons(app: FastAPI, user_name: str) -> None:
    page = signed_in(app, user_name).get("/").text
    assert "/verification" not in page
    assert ("view all places but not verify" in page) == (user_name == "officer")


def test_a_list_that_is_done_says_so(app: FastAPI) -> None:
    visitor = signed_in(app, "supervisor_lisungwi")
    assert "No patients match." in visitor.get("/?q=zzz").text
    for task in open_tasks(visitor):
        assert verify(visitor, task["task_uuid"]).status_code == 201
    page = visitor.get("/").text
    assert "13 of 13 done" in page
    assert "All done. Every appointment that is due has an answer." in page


def test_every_reported_appointment_is_reachable_from_the_tabs(matope: TestClient) -> None:
    page = matope.get("/").text
    counts = [int(number) for number in re.findall(r'class="number">(\d+)<', page)]
    assert sum(counts) == 117


def test_an_invalid_query_still_shows_a_list(matope: TestClient) -> None:
    for query in (
        "standing=lost",
        "q=%00",
        "after=1",
        f"after={uuid4()}",
        "answered=x",
        f"q={'x' * 500}",
        "q=%ff",
    ):
        assert matope.get(f"/?{query}").status_code == 200, query


def test_the_first_page_is_small(matope: TestClient) -> None:
    page = matope.get("/")
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    parts = [page, *(matope.get(address) for address in addresses)]
    assert len(parts) == 4
    assert sum(int(part.headers["content-length"]) for part in parts) <= 60_000
    assert sum(len(part.content) for part in parts) <= 120_000
    assert all("immutable" in part.headers["cache-control"] for part in parts[1:])


# Machines


def test_monitoring_sees_health_readiness_and_metrics(
    nobody: TestClient, matope: TestClient
) -> None:
    verify(matope, open_tasks(matope)[0]["task_uuid"])
    assert nobody.get("/health").status_code == 200
    assert nobody.get("/ready").status_code == 200
    metrics = nobody.get("/metrics").text
    assert "worklist_open_tasks 160.0\n" in metrics
    assert 'worklist_outbox_reports{state="pending"} 1.0\n' in metrics


def test_the_ages_of_sync_and_refresh_are_measured_apart(engine: Engine) -> None:
    with engine.connect() as connection:
        moment = now(connection)
    visitor = browser(service(engine, last_sync=lambda _: moment - timedelta(hours=1)))
    metrics = visitor.get("/metrics").text
    assert "worklist_seconds_since_sync 3600.0\n" in metrics
    assert "worklist_seconds_since_refresh 3600.0\n" not in metrics
    assert "worklist_seconds_since_refresh " in metrics


def test_before_the_first_refresh_it_is_alive_but_not_ready(database: Address) -> None:
    from pipeline.database import engine as make_engine

    empty = make_engine(database)

    def let_in(name: str, password: str, address: str) -> Identity:
        assert (password, address) == (PASSWORD, "testclient")
        return Identity(name, ("site_supervisor", "mm-online"), ("site",), "contact")

    visitor = signed_in(service(empty, let_in), "anybody")
    assert visitor.get("/health").status_code == 200
    assert visitor.get("/ready").status_code == 503
    assert visitor.get("/api/v1/tasks").status_code == 503
    page = visitor.get("/")
    assert (page.status_code, "CHT data is not ready yet." in page.text) == (503, True)
    empty.dispose()


def test_connections_that_were_lost_while_idle_are_replaced(
    matope: TestClient, engine: Engine
) -> None:
    assert matope.get("/api/v1/me").status_code == 200
    with engine.connect() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        )
    assert matope.get("/api/v1/me").status_code == 200


def test_more_requests_at_once_than_connections_are_all_answered(matope: TestClient) -> None:
    many = 2 * POOL_SIZE
    for _ in range(many):  # a refused request gives its connection back
        assert matope.get("/api/v1/tasks", params={"after": str(uuid4())}).status_code == 422
    with ThreadPoolExecutor(many) as threads:
        answers = list(threads.map(lambda _: matope.get("/api/v1/me").status_code, range(many)))
    assert answers == [200] * many


def test_internal_errors_are_logged_without_user_input(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(name: str, password: str, address: str) -> Identity:
        raise RuntimeError(f"{name} {password} {address}")

    answer = enter(browser(service(engine, broken)), "grace", "secret-1")
    assert answer.status_code == 500
    assert "RuntimeError" in caplog.text
    assert "secret-1" not in caplog.text + answer.text
    assert "grace" not in caplog.text + answer.text
