"""Signing in, staying signed in and out, before a simulated CHT in its own process."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from pipeline import database
from pipeline.cht import users
from pipeline.cht.client import ChtClient
from pipeline.cht.http import Unauthorized, WebPage
from pipeline.cht.users import COOKIE as CHT_COOKIE
from pipeline.cht.users import Identity
from pipeline.database import Address
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.service.dependencies import COOKIE
from pipeline.service.rights_refresh import RightsRefresh
from pipeline.service.sign_in import LEFT_COOKIE
from tests.commands import NOW
from tests.integration.http_clients import FORM, PASSWORD, browser, enter, signed_in
from tests.integration.signed_in_clients import clock_of, service
from tests.waiting import wait_until

MINUTE, HOUR = 60.0, 3600.0
CHT = "https://cht.example.org"

pytestmark = pytest.mark.one_server


@dataclass
class Clock:
    """Both the time of sessions and the seconds that never go back."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Cht:
    """The simulated CHT, as whoever manages its users sees it."""

    url: str
    process: Any

    def change_user(self, name: str, **changes: object) -> None:
        """In `_users` and in `medic`, as the CHT does."""
        for place in ("_users", "medic"):
            self.change_document(place, name, **changes)

    def change_document(self, place: str, name: str, **changes: object) -> None:
        document = self._ask("GET", place, name).json()
        self._ask("PUT", place, name, {**document, **changes})

    def delete_user(self, name: str) -> None:
        """Gone from `_users`; the user-settings document stays and says so."""
        self.change_document("medic", name, inactive=True)
        revision = self._ask("GET", "_users", name).json()["_rev"]
        self._ask("DELETE", "_users", f"{name}?rev={revision}")

    def session_of(self, name: str) -> str:
        """What a browser keeps after signing in to the CHT."""
        body = {"name": name, "password": PASSWORD}
        return httpx.post(f"{self.url}/_session", json=body).cookies[CHT_COOKIE]

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()

    def _ask(self, method: str, place: str, name: str, body: object = None) -> httpx.Response:
        address = f"{self.url}/{place}/org.couchdb.user:{name}"
        answer = httpx.request(method, address, json=body, auth=("medic", PASSWORD))
        return answer.raise_for_status()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def moment(engine: Engine, clock: Clock) -> Callable[[], Any]:
    with engine.connect() as connection:
        start = database.now(connection)
    return lambda: start + timedelta(seconds=clock.seconds)


@pytest.fixture
def cht(simulated_cht: Any) -> Cht:
    return Cht(simulated_cht.url, simulated_cht.process)


@pytest.fixture
def app(engine: Engine, cht: Cht, clock: Clock, moment: Callable[[], Any]) -> Iterator[FastAPI]:
    with ChtClient(cht.url) as client:
        yield service(
            engine,
            partial(users.sign_in, client),
            partial(users.recognise, client),
            session_clock=moment,
            cht_url=CHT,
            refusal_seconds=0,
            monotonic=clock,
        )


@pytest.fixture(params=["officer", "worklist"])
def rights(
    request: pytest.FixtureRequest, engine: Engine, cht: Cht, moment: Callable[[], Any]
) -> Iterator[RightsRefresh]:
    """Asked for with an account that has `can_view_users`, and with one that has not."""
    with ChtClient(cht.url, request.param, PASSWORD) as client:
        yield RightsRefresh(engine, partial(users.rights, client), moment)


@pytest.fixture
def nobody(app: FastAPI) -> TestClient:
    return browser(app)


@pytest.fixture
def matope(app: FastAPI) -> TestClient:
    return signed_in(app, "supervisor_matope")


def me(visitor: TestClient) -> dict[str, Any]:
    answer = visitor.get("/api/v1/me")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


# By name and password


def test_signing_in_with_the_cht_s_account_opens_the_worklist(nobody: TestClient) -> None:
    assert nobody.get("/").headers["location"] == "/sign-in"
    answer = enter(nobody, "supervisor_matope")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert me(nobody)["facility_names"] == ["Matope Health Centre"]
    assert nobody.get("/sign-in?next=/tasks/1").headers["location"] == "/tasks/1"


def test_the_session_s_cookie_is_out_of_reach_and_only_its_hash_is_stored(
    nobody: TestClient, engine: Engine
) -> None:
    cookie = enter(nobody, "supervisor_matope").headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=57600"):
        assert part in cookie
    assert "Secure" not in cookie
    with engine.connect() as connection:
        stored = connection.execute(text("select * from app.session")).one()
    assert nobody.cookies[COOKIE] not in str(stored)
    assert PASSWORD not in str(stored)


def test_over_https_the_cookie_is_this_host_s_and_sent_over_https_only(app: FastAPI) -> None:
    visitor = browser(app, "https://worklist.test")
    form = {"name": "supervisor_matope", "password": PASSWORD}
    answer = visitor.post("/sign-in", data=form, headers={"Origin": "https://worklist.test"})
    cookie = answer.headers["set-cookie"]
    plain = visitor.post("/sign-in", data=form, headers={"Origin": "http://worklist.test"})
    assert plain.status_code == 403
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in cookie
    assert me(visitor)["user_name"] == "supervisor_matope"


def test_signing_in_again_gives_a_new_token_and_ends_the_old_session(
    app: FastAPI, matope: TestClient
) -> None:
    before = browser(app)
    before.cookies.set(COOKIE, matope.cookies[COOKIE])
    assert enter(matope, "deputy_matope").status_code == 303
    assert matope.cookies[COOKIE] != before.cookies[COOKIE]
    assert me(matope)["user_name"] == "deputy_matope"
    assert before.get("/api/v1/me").status_code == 401


def test_blanks_around_a_name_do_not_matter(nobody: TestClient) -> None:
    assert enter(nobody, " supervisor_matope ").status_code == 303
    assert me(nobody)["user_name"] == "supervisor_matope"


def test_signing_in_forgets_the_keys_of_yesterday_s_answers_and_no_others(
    app: FastAPI, matope: TestClient, recorded_database: Address
) -> None:
    keys = "select key from app.idempotency_key order by key"
    for number, task in enumerate(matope.get("/api/v1/tasks?limit=2").json()["tasks"]):
        answer = matope.post(
            f"/api/v1/tasks/{task['task_uuid']}/verification",
            json={"outcome": "visited"},
            headers={"Idempotency-Key": f"key-{number}"},
        )
        assert answer.status_code == 201
    with database.connect(recorded_database, autocommit=True) as connection:
        connection.execute(
            "update app.idempotency_key set created_at = created_at - interval '25 hours' "
            "where key = 'key-0'"
        )
        signed_in(app, "deputy_matope")
        assert connection.execute(keys).fetchall() == [("key-0",), ("key-1",)]
        signed_in(app, "supervisor_matope")
        assert connection.execute(keys).fetchall() == [("key-1",)]


def test_a_wrong_name_and_a_wrong_password_get_the_same_refusal(nobody: TestClient) -> None:
    for name in ("supervisor_matope", "nobody", "", "a\0b", "ä" * 500):
        answer = enter(nobody, name, "wrong")
        assert answer.status_code == 401, name
        assert "Incorrect user name or password." in answer.text
    assert nobody.get("/api/v1/me").status_code == 401


def test_a_refusal_takes_as_long_for_a_known_name_as_for_an_unknown_one(
    engine: Engine,
) -> None:
    def slow_for_who_is_there(name: str, password: str, address: str) -> Identity:
        time.sleep(0.2 if name == "supervisor_matope" else 0)
        raise Unauthorized(f"{len(password)} {address}")

    visitor = browser(service(engine, slow_for_who_is_there, refusal_seconds=0.5))
    for name in ("supervisor_matope", "nobody"):
        start = time.monotonic()
        assert enter(visitor, name).status_code == 401
        assert time.monotonic() - start >= 0.5


def test_guessing_is_stopped_before_the_cht_is_asked(
    app: FastAPI, nobody: TestClient, clock: Clock
) -> None:
    for name in ("supervisor_matope", "Supervisor_Matope") * 2 + ("SUPERVISOR_MATOPE",):
        assert enter(nobody, name, "wrong").status_code == 401
    stopped = enter(nobody, "supervisor_matope")
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "10")
    assert signed_in(app, "supervisor_chifunga")  # from the same address
    clock.seconds = 10
    assert enter(nobody, "supervisor_matope").status_code == 303


def test_an_address_is_stopped_one_failure_before_the_cht_stops_it(
    app: FastAPI, nobody: TestClient, cht: Cht, clock: Clock
) -> None:
    for number in range(9):
        assert enter(nobody, f"nobody-{number}", "wrong").status_code == 401
    assert enter(nobody, "supervisor_matope").status_code == 429
    with ChtClient(cht.url) as client:
        found = users.sign_in(client, "supervisor_matope", PASSWORD, "testclient")
        assert found.user_name == "supervisor_matope"
    clock.seconds = 10
    assert signed_in(app, "supervisor_matope")


def test_the_cht_s_own_limit_is_shown_as_such(nobody: TestClient, cht: Cht) -> None:
    for _ in range(10):
        httpx.get(f"{cht.url}/_session", auth=("deputy_matope", "wrong"))
    answer = enter(nobody, "deputy_matope")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")


def test_a_user_who_must_change_the_password_is_sent_to_the_cht(
    nobody: TestClient, cht: Cht
) -> None:
    cht.change_user("supervisor_matope", password_change_required=True)
    answer = enter(nobody, "supervisor_matope")
    assert answer.status_code == 403
    assert "change your password first" in answer.text
    assert f'href="{CHT}/"' in answer.text
    assert nobody.get("/api/v1/me").status_code == 401


def test_signing_in_redirects_only_to_this_service(nobody: TestClient) -> None:
    wanted = {
        "/tasks/1": "/tasks/1",
        "//elsewhere.test/": "/",
        "/\\elsewhere.test": "/",
        "/\t/elsewhere.test": "/",
        "https://elsewhere.test/": "/",
        "/\r\nSet-Cookie: a=b": "/",
    }
    for address, led_to in wanted.items():
        answer = enter(nobody, "supervisor_matope", next=address)
        assert answer.headers["location"] == led_to


def test_after_signing_in_the_list_is_as_it_was_asked_for(nobody: TestClient) -> None:
    led_to = nobody.get("/?standing=expired&q=a+b").headers["location"]
    form = nobody.get(led_to).text
    assert 'value="/?standing=expired&amp;q=a+b"' in form


# By the CHT's own session


def test_a_cht_session_signs_in_without_a_password(nobody: TestClient, cht: Cht) -> None:
    nobody.cookies.set(CHT_COOKIE, cht.session_of("supervisor_matope"))
    assert nobody.get("/api/v1/me").status_code == 401
    answer = nobody.get(nobody.get("/?q=a").headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=a")
    assert me(nobody)["facility_names"] == ["Matope Health Centre"]


def test_after_signing_out_the_cht_session_is_ignored(nobody: TestClient, cht: Cht) -> None:
    nobody.cookies.set(CHT_COOKIE, cht.session_of("supervisor_matope"))
    nobody.get("/sign-in")
    nobody.post("/sign-out", headers=FORM, data={"x": "1"})
    page = nobody.get("/sign-in")
    assert page.status_code == 200
    assert "still signed in to the CHT" in page.text
    assert nobody.get("/api/v1/me").status_code == 401
    forged = nobody.post("/sign-in/cht", headers={"Origin": "http://elsewhere.test"}, data={})
    assert forged.status_code in {403, 415}
    asked = nobody.post("/sign-in/cht", headers=FORM, data={"next": "/?q=b"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/?q=b")
    assert LEFT_COOKIE not in nobody.cookies


def test_another_cht_session_is_not_ignored(nobody: TestClient, cht: Cht) -> None:
    nobody.cookies.set(CHT_COOKIE, cht.session_of("supervisor_matope"))
    nobody.get("/sign-in")
    nobody.post("/sign-out", headers=FORM, data={"x": "1"})
    nobody.cookies.set(CHT_COOKIE, cht.session_of("deputy_matope"))
    assert nobody.get("/sign-in").status_code == 303
    assert me(nobody)["user_name"] == "deputy_matope"


def test_a_link_does_not_change_who_is_signed_in(matope: TestClient, cht: Cht) -> None:
    matope.cookies.set(CHT_COOKIE, cht.session_of("deputy_matope"))
    assert matope.get("/sign-in").status_code == 303
    assert me(matope)["user_name"] == "supervisor_matope"


@pytest.mark.parametrize("cookie", ["garbage", "c3VwOjEyMzQ6YWJj", "a b", "x" * 4000])
def test_an_ended_cht_session_shows_the_form_and_is_tried_once(
    nobody: TestClient, cht: Cht, cookie: str
) -> None:
    nobody.cookies.set(CHT_COOKIE, cookie)
    page = nobody.get("/sign-in")
    assert page.status_code == 200
    cht.stop()
    again = nobody.get("/sign-in")
    assert again.status_code == 200
    assert "still signed in to the CHT" not in again.text


def test_invented_cht_sessions_do_not_use_up_the_attempts_of_an_address(app: FastAPI) -> None:
    for number in range(6):
        visitor = browser(app)
        visitor.cookies.set(CHT_COOKIE, f"made-up-{number}")
        assert visitor.get("/sign-in").status_code == (200 if number < 4 else 429)
    assert signed_in(app, "supervisor_matope")


def test_a_cht_session_that_came_too_soon_after_failures_signs_in_later(
    app: FastAPI, nobody: TestClient, cht: Cht, clock: Clock
) -> None:
    for number in range(4):
        visitor = browser(app)
        visitor.cookies.set(CHT_COOKIE, f"made-up-{number}")
        visitor.get("/sign-in")
    nobody.cookies.set(CHT_COOKIE, cht.session_of("supervisor_matope"))
    assert nobody.get("/sign-in").status_code == 429
    clock.seconds = 10
    assert nobody.get("/sign-in").status_code == 303
    assert me(nobody)["user_name"] == "supervisor_matope"


# Staying signed in


def test_a_role_that_the_cht_takes_away_is_gone_within_five_minutes(
    matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    before = me(matope)
    assert before["missing"] == []
    cht.change_user("supervisor_matope", roles=["mm-online"])
    clock.seconds = 4 * MINUTE
    rights.once()
    assert me(matope)["roles"] == before["roles"], "the CHT is not asked all the time"
    clock.seconds = 5 * MINUTE - 10
    rights.once()
    after = me(matope)
    assert (after["roles"], after["missing"]) == (["mm-online"], ["role"])
    assert matope.get("/api/v1/tasks").json()["tasks"] == []
    assert "add what it lacks: a role with a worklist." in matope.get("/").text


def test_a_place_and_a_contact_that_the_cht_takes_away_are_gone(
    matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    cht.change_user("supervisor_matope", facility_id=None, contact_id=None)
    clock.seconds = 5 * MINUTE
    rights.once()
    assert me(matope)["missing"] == ["place", "contact"]
    assert matope.get("/api/v1/tasks").json()["tasks"] == []
    for page in (matope.get("/").text, matope.get("/to-trace").text):
        assert "add what it lacks: a place, a contact." in page
        assert page.count('class="notice"') == 1
        assert '<nav class="tabs"' not in page
        assert "No missed appointments" not in page
        assert "Keyboard shortcuts" not in page


def test_an_account_without_a_contact_keeps_its_list(
    matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    cht.change_user("supervisor_matope", contact_id=None)
    clock.seconds = 5 * MINUTE
    rights.once()
    page = matope.get("/").text
    assert "has no contact, so you can view tasks but not verify them" in page
    assert '<nav class="tabs"' in page


def test_an_account_that_becomes_offline_sees_why_it_sees_nothing(
    matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    cht.change_user("supervisor_matope", roles=["site_supervisor"])
    clock.seconds = 5 * MINUTE
    rights.once()
    assert me(matope)["missing"] == ["online"]
    assert "This worklist is for online users." in matope.get("/").text


def test_all_sessions_of_a_deleted_account_end(
    app: FastAPI, matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    other, deputy = signed_in(app, "supervisor_matope"), signed_in(app, "deputy_matope")
    cht.delete_user("supervisor_matope")
    clock.seconds = 5 * MINUTE
    rights.once()
    assert matope.get("/api/v1/me").status_code == 401
    assert other.get("/api/v1/me").status_code == 401
    assert me(deputy)["missing"] == []


def test_a_session_of_an_account_that_is_back_goes_on(
    app: FastAPI, matope: TestClient, engine: Engine, clock: Clock, moment: Callable[[], Any]
) -> None:
    """Begun after the CHT was asked about the account, and before it answered."""
    begun = list[TestClient]()

    def gone(_: Identity) -> None:
        clock.seconds = 6 * MINUTE
        begun.append(signed_in(app, "supervisor_matope"))

    clock.seconds = 5 * MINUTE
    RightsRefresh(engine, gone, moment).once()
    assert matope.get("/api/v1/me").status_code == 401
    assert [me(visitor)["user_name"] for visitor in begun] == ["supervisor_matope"]


def test_a_document_that_others_may_write_never_gives_a_right(
    matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    """Who has `can_edit` may change user-settings documents; `_users` is what counts."""
    before = me(matope)
    cht.change_document("medic", "supervisor_matope", roles=[*before["roles"], "program_officer"])
    clock.seconds = 5 * MINUTE
    rights.once()
    assert me(matope) == before


def test_with_the_cht_down_the_last_answer_holds_twelve_hours(
    app: FastAPI, matope: TestClient, cht: Cht, clock: Clock, rights: RightsRefresh
) -> None:
    cht.stop()
    for _ in range(7):
        answer = enter(browser(app), "supervisor_chifunga")
        assert answer.status_code == 503
    assert "You cannot sign in at the moment" in answer.text
    for hour in range(1, 12):
        clock.seconds = hour * HOUR
        rights.once()
        assert matope.get("/").status_code == 200, hour
    clock.seconds = 12 * HOUR
    assert matope.get("/").status_code == 303
    assert matope.get("/api/v1/me").status_code == 401


def test_with_the_cht_down_a_cht_session_gets_an_explanation(nobody: TestClient, cht: Cht) -> None:
    nobody.cookies.set(CHT_COOKIE, cht.session_of("supervisor_matope"))
    cht.stop()
    page = nobody.get("/sign-in")
    assert page.status_code == 503
    assert "You cannot sign in at the moment" in page.text
    assert LEFT_COOKIE not in nobody.cookies


def test_a_session_unused_for_two_hours_ends(matope: TestClient, clock: Clock) -> None:
    clock.seconds = 1.9 * HOUR
    assert matope.get("/").status_code == 200
    clock.seconds = 3.8 * HOUR
    assert matope.get("/").status_code == 200
    clock.seconds = 5.8 * HOUR
    assert matope.get("/").status_code == 303


def test_no_session_lasts_longer_than_sixteen_hours(
    matope: TestClient, clock: Clock, rights: RightsRefresh
) -> None:
    for hour in range(1, 16):
        clock.seconds = hour * HOUR
        rights.once()
        assert matope.get("/").status_code == 200, hour
    clock.seconds = 16 * HOUR
    assert matope.get("/").status_code == 303


def test_several_processes_ask_once_and_no_request_waits(
    app: FastAPI, matope: TestClient, engine: Engine, clock: Clock, moment: Callable[[], Any]
) -> None:
    deputy, asked = signed_in(app, "deputy_matope"), list[str]()

    def ask(known: Identity) -> Identity:
        asked.append(known.user_name)
        if len(asked) < 10:
            RightsRefresh(engine, ask, moment).once()
        assert matope.get("/").status_code == 200
        return known

    clock.seconds = 5 * MINUTE
    RightsRefresh(engine, ask, moment).once()
    RightsRefresh(engine, ask, moment).once()
    assert sorted(asked) == ["deputy_matope", "supervisor_matope"]
    assert me(deputy)["missing"] == []


@pytest.mark.parametrize("error", [Unavailable, SettingsWrong, Unauthorized, WebPage])
def test_a_cht_that_answers_for_nobody_is_asked_again_after_a_minute(
    app: FastAPI,
    matope: TestClient,
    engine: Engine,
    clock: Clock,
    moment: Callable[[], Any],
    caplog: pytest.LogCaptureFixture,
    error: type[WorklistError],
) -> None:
    signed_in(app, "deputy_matope")
    asked, is_away = list[str](), True

    def ask(known: Identity) -> Identity:
        asked.append(known.user_name)
        if is_away:
            raise error("The CHT is away.")
        return known

    rights = RightsRefresh(engine, ask, moment)
    for seconds, count in ((5 * MINUTE, 1), (5 * MINUTE + 30, 1), (6 * MINUTE, 2)):
        clock.seconds = seconds
        rights.once()
        assert len(asked) == count
    assert me(matope)["missing"] == []
    is_away = False
    clock.seconds = 8 * MINUTE
    rights.once()
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "The CHT does not report users' rights",
        "The CHT reports users' rights again.",
    ]


def test_a_user_about_whom_the_cht_says_nothing_does_not_hold_up_the_others(
    app: FastAPI, matope: TestClient, engine: Engine, clock: Clock, moment: Callable[[], Any]
) -> None:
    deputy = signed_in(app, "deputy_matope")

    def ask(known: Identity) -> Identity:
        if known.user_name == "supervisor_matope":
            raise Refused("The CHT does not allow this.")
        return replace(known, roles=("mm-online",))

    clock.seconds = 5 * MINUTE
    RightsRefresh(engine, ask, moment).once()
    assert me(matope)["missing"] == []
    assert me(deputy)["missing"] == ["role"]


def test_the_cht_is_not_asked_about_sessions_that_have_ended(
    matope: TestClient, engine: Engine, clock: Clock, moment: Callable[[], Any]
) -> None:
    asked = list[Identity]()

    def ask(known: Identity) -> Identity:
        asked.append(known)
        return known

    assert me(matope)["missing"] == []
    clock.seconds = 2 * HOUR
    RightsRefresh(engine, ask, moment).once()
    assert asked == []


def test_the_next_sign_in_deletes_sessions_that_have_ended(
    app: FastAPI, matope: TestClient, engine: Engine, clock: Clock
) -> None:
    assert me(matope)["missing"] == []
    clock.seconds = 2 * HOUR
    signed_in(app, "deputy_matope")
    with engine.connect() as connection:
        left = connection.execute(text("select user_name from app.session")).fetchall()
    assert left == [("deputy_matope",)]


def test_of_the_requests_of_five_minutes_one_writes(
    matope: TestClient, engine: Engine, clock: Clock
) -> None:
    def used() -> Any:
        with engine.connect() as connection:
            return connection.execute(text("select used_at from app.session")).scalar_one()

    begun = used()
    for minutes, passed in ((4, 0), (5, 5), (9, 5), (10, 10)):
        clock.seconds = minutes * MINUTE
        assert me(matope)["missing"] == []
        assert used() - begun == timedelta(minutes=passed)


def test_a_late_answer_does_not_undo_a_later_one(
    matope: TestClient, engine: Engine, clock: Clock, moment: Callable[[], Any]
) -> None:
    def overtaken(known: Identity) -> Identity:
        clock.seconds = 7 * MINUTE
        RightsRefresh(engine, lambda user: replace(user, roles=("mm-online",)), moment).once()
        return known

    clock.seconds = 5 * MINUTE
    RightsRefresh(engine, overtaken, moment).once()
    assert me(matope)["roles"] == ["mm-online"]


def test_where_worklist_now_stands_still_sessions_do_not(recorded_database: Address) -> None:
    made = database.engine(recorded_database)
    running = clock_of(made)
    first = running()
    assert first.isoformat().startswith(f"{NOW}T10:00")
    wait_until(lambda: running() > first)
    made.dispose()


# Out


def test_signing_out_ends_the_session_itself(app: FastAPI, matope: TestClient) -> None:
    stolen, elsewhere = browser(app), signed_in(app, "supervisor_matope")
    stolen.cookies.set(COOKIE, matope.cookies[COOKIE])
    assert stolen.get("/api/v1/me").status_code == 200
    assert matope.post("/sign-out", data={"x": "1"}, headers=FORM).status_code == 303
    assert COOKIE not in matope.cookies
    assert stolen.get("/api/v1/me").status_code == 401
    assert me(elsewhere)["user_name"] == "supervisor_matope"


def test_nobody_can_be_signed_in_or_out_from_another_site(matope: TestClient) -> None:
    foreign = {"Origin": "http://elsewhere.test"}
    form = {"name": "deputy_matope", "password": PASSWORD}
    for address in ("/sign-out", "/sign-in", "/sign-in/cht"):
        assert matope.post(address, data=form, headers=foreign).status_code == 403
    assert me(matope)["user_name"] == "supervisor_matope"
