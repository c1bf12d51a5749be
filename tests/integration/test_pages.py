"""What the pages say: places in addresses, languages, and how honest they are about their data."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from sqlalchemy import Connection, Engine
from starlette.testclient import TestClient

from pipeline.database import Address, connect
from pipeline.database import engine as engine_of
from pipeline.service.language import COOKIE
from tests.integration.recorded_programme import SEVERAL, Programme, give_two_appointments
from tests.integration.signed_in_clients import SITE, service, visitor

pytestmark = pytest.mark.one_server
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
FORM = {"Origin": SITE}


@pytest.fixture
def matope(engine: Engine) -> TestClient:
    return visitor(service(engine), engine, "supervisor_matope")


def open_tasks(client: TestClient, **query: str) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = client.get(
        "/api/v1/tasks", params={"limit": 200, **query}
    ).json()["tasks"]
    return tasks


def answer(client: TestClient, task: dict[str, Any], query: str = "", **given: str) -> Response:
    """As the form does, and where it leads, unopened."""
    posted: Response = client.post(
        f"/tasks/{task['task_uuid']}/verification{query}",
        data={"follows_round": str(task["last_round"]), "key": str(uuid4()), **given},
        headers=FORM,
        follow_redirects=False,
    )
    return posted


def run(database: Address, statement: str, **values: object) -> None:
    """What the service itself has no right to."""
    with connect(database) as connection:
        connection.execute(statement, values)


def test_the_place_in_the_list_is_kept_through_an_answer(matope: TestClient) -> None:
    first, second = open_tasks(matope)[:2]
    query = f"?q=a&area={first['area_uuid']}&order=area"
    posted = answer(matope, first, query, outcome="visited", next_task=second["task_uuid"]).headers[
        "location"
    ]
    assert posted.startswith(f"/{query}&answered={first['task_uuid']}")
    assert posted.endswith(f"#t-{second['task_uuid']}")
    page = matope.get(posted).text
    assert 'name="q" type="search" value="a"' in page
    assert f'value="{first["area_uuid"]}" selected' in page
    assert f"?q=a&amp;area={first['area_uuid']}&amp;order=area" in page


def test_the_way_on_after_an_answer_stays_within_the_list(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    posted = answer(matope, task, outcome="visited", next_task="//elsewhere.test")
    assert posted.headers["location"] == f"/?answered={task['task_uuid']}"


def test_a_note_stays_with_the_task_and_is_taken_once(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    uuid, key = task["task_uuid"], str(uuid4())
    given = {"outcome": "cannot_tell", "note": "Asked <her> sister", "key": key}
    for _ in range(2):
        posted = answer(matope, task, next_task=open_tasks(matope)[1]["task_uuid"], **given)
        assert posted.headers["location"] == f"/?noted={uuid}#t-{uuid}"
    assert "Asked &lt;her&gt; sister" in matope.get("/").text
    page = matope.get(f"/tasks/{task['task_uuid']}").text
    notes = re.search(r'aria-labelledby="notes".*?</section>', page, re.DOTALL)
    assert notes is not None
    assert notes.group().count("sister") == 1
    refused = answer(matope, task, outcome="cannot_tell", note=" ")
    assert refused.status_code == 422
    assert "Write what you know so far." in refused.text


def test_whom_to_trace_follows_an_answer_at_once(matope: TestClient) -> None:
    gone, lost, died = open_tasks(matope)[:3]
    answer(matope, gone, outcome="visited")
    answer(matope, lost, outcome="not_visited", reason="moved", note="To her mother")
    answer(matope, died, outcome="not_visited", reason="died")
    page = matope.get("/to-trace").text
    shown = re.findall(r"/tasks/([0-9a-f-]{36})", page)
    assert shown == [lost["task_uuid"]]
    assert "To her mother" in page
    assert "Moved away" in page
    assert matope.get("/to-trace?area=elsewhere").status_code == 200


def test_titles_and_reasons_are_shown_in_the_cht_s_own_words(
    matope: TestClient, recorded_database: Address
) -> None:
    run(recorded_database, "update app.task_definition set title = 'task.verify.title'")
    run(
        recorded_database,
        """
        insert into worklist_build.translation (uuid, language, key, text, run_number)
        values
            ('messages-en', 'en', 'task.verify.title', 'Check the visit', 0),
            ('messages-fr', 'fr', 'task.verify.title', 'Vérifier la visite', 0),
            ('messages-fr', 'fr', 'moved', 'Parti de la zone', 0)
        """,
    )
    task = open_tasks(matope)[0]
    french = matope.get(f"/tasks/{task['task_uuid']}", headers={"Accept-Language": "fr"}).text
    assert "Vérifier la visite" in french
    assert '<option value="moved">Parti de la zone</option>' in french
    assert '<option value="other">Autre</option>' in french
    english = matope.get(f"/tasks/{task['task_uuid']}").text
    assert "Check the visit" in english
    assert '<option value="moved">Moved away</option>' in english


@pytest.fixture(scope="module")
def several(programme: Programme) -> Iterator[Engine]:
    """The recorded programme with several kinds of tasks."""
    texts = {"task.art": "Check the ART visit"}
    programme.save({"_id": "messages-en", "type": "translations", "code": "en", "generic": texts})
    programme.define(SEVERAL)
    programme.refresh()
    made = engine_of(programme.address)
    yield made
    made.dispose()


def kinds(page: str) -> list[str]:
    """What can be chosen of them."""
    control = re.search(r'<select id="definition".*?</select>', page, re.DOTALL)
    return re.findall(r">([^<]+)</option>", control.group()) if control else []


def shown(page: str) -> list[str]:
    return re.findall(r'id="t-([0-9a-f-]{36})"', page)


def test_where_there_is_one_kind_of_task_none_is_to_be_chosen(matope: TestClient) -> None:
    page = matope.get("/?definition=verify-missed-appointment").text
    assert kinds(page) == []
    assert shown(page) == shown(matope.get("/").text)


def test_of_several_kinds_of_tasks_only_one_s_own_can_be_chosen(several: Engine) -> None:
    app = service(several)
    supervisor = visitor(app, several, "supervisor_matope")
    own = ["Verify missed NCD visit", "Check the ART visit"]
    page = supervisor.get("/").text
    assert kinds(page) == ["All task types", *own]
    assert "<p>Check the ART visit · Missed appointment</p>" in page
    of_others = supervisor.get("/?definition=verify-tb").text
    assert shown(of_others) == shown(page)
    for told in (page, of_others):
        assert "TB" not in told
        assert "verify-tb" not in told
    officer = visitor(app, several, "officer").get("/?definition=verify-tb").text
    assert set(kinds(officer)) == {"All task types", *own, "Verify missed TB visit"}
    assert '<option value="verify-tb" selected>' in officer


def test_icon_and_priority_are_those_of_tasks_yml(matope: TestClient) -> None:
    given = {
        (one["icon"], one["priority_level"], one["priority_label"]) for one in open_tasks(matope)
    }
    assert given == {("icon-followup", 5, "Missed appointment")}


def test_a_kind_of_task_stays_chosen_from_page_to_page_and_through_an_answer(
    several: Engine,
) -> None:
    supervisor = visitor(service(several), several, "deputy_matope")
    wanted = open_tasks(supervisor, definition="verify-art")
    assert {task["definition"] for task in wanted} == {"verify-art"}
    uuids = [task["task_uuid"] for task in wanted]
    page = supervisor.get("/?definition=verify-art").text
    assert shown(page) == uuids[:20]
    following = f"/?definition=verify-art&after={uuids[19]}"
    assert f'rel="next" href="{following}"'.replace("&", "&amp;") in page
    assert shown(supervisor.get(following).text) == uuids[20:40]
    posted = answer(supervisor, wanted[0], "?definition=verify-art", outcome="visited")
    location = posted.headers["location"]
    assert location == f"/?definition=verify-art&answered={uuids[0]}"
    after = supervisor.get(location).text
    assert shown(after) == uuids[1:21]
    assert '<option value="verify-art" selected>' in after
    assert '<a href="/">Show all</a>' in after


def test_only_what_is_overdue_is_shown_where_that_is_asked_for(several: Engine) -> None:
    supervisor = visitor(service(several), several, "supervisor_chifunga")
    wanted = [task["task_uuid"] for task in open_tasks(supervisor, is_overdue="true")]
    assert 0 < len(wanted) < len(open_tasks(supervisor))
    assert wanted[:20] != shown(supervisor.get("/").text)
    page = supervisor.get("/?is_overdue=true").text
    assert shown(page) == wanted[:20]
    assert 'name="is_overdue" value="true" checked' in page
    assert '<a href="/">Show all</a>' in page
    assert 'href="/?standing=verified"' in page  # where nothing can be overdue
    nobody = supervisor.get("/?is_overdue=true&q=zzz").text
    assert "No patients match" in nobody
    for tab, is_offered in (("/", True), ("/?standing=verified", False)):
        assert ('name="is_overdue"' in supervisor.get(tab).text) == is_offered


def test_only_warnings_that_occur_are_offered_and_the_one_chosen(
    matope: TestClient, recorded_database: Address
) -> None:
    give_two_appointments(recorded_database)
    flags = Counter(flag for task in open_tasks(matope) for flag in task["flags"])
    for path, offered in (
        ("/", flags),
        ("/?flag=duplicate_open", flags),
        ("/?flag=text_altered", {**flags, "text_altered": 0}),
        ("/?standing=verified", {}),
        ("/?standing=verified&flag=duplicate_open", {"duplicate_open": 0}),
    ):
        choice = re.search(r'<select id="flag".*?</select>', matope.get(path).text, re.DOTALL)
        options = re.findall(r'value="(\w+)".*\((\d+)\)<', choice.group() if choice else "")
        assert {code: int(count) for code, count in options} == offered, path


def test_a_language_is_chosen_on_the_page_and_kept(matope: TestClient) -> None:
    where = {"Origin": SITE, "Referer": f"{SITE}/?order=area"}
    chosen = matope.post(
        "/language", data={"language": "fr"}, headers=where, follow_redirects=False
    )
    assert chosen.headers["location"] == "/?order=area"
    assert "HttpOnly" in chosen.headers["set-cookie"]
    page = matope.get("/", headers={"Accept-Language": "en"}).text
    assert '<html lang="fr">' in page
    assert "Rendez-vous manqués" in page
    missing = matope.get("/tasks/nothing")
    assert (missing.status_code, '<html lang="fr">' in missing.text) == (404, True)
    assert "Pas sur votre liste" in missing.text
    matope.post("/language", data={"language": "xx"}, headers=where)
    assert matope.cookies[COOKIE] == "fr"
    for elsewhere in ("http://elsewhere.test//x", f"{SITE}//elsewhere.test/", "http://["):
        led = matope.post(
            "/language",
            data={"language": "en"},
            headers={"Origin": SITE, "Referer": elsewhere},
            follow_redirects=False,
        )
        assert led.headers["location"] == "/"


def test_over_https_the_language_is_sent_over_https_only(engine: Engine) -> None:
    site = SITE.replace("http:", "https:")
    chosen = TestClient(service(engine), base_url=site, follow_redirects=False).post(
        "/language", data={"language": "fr"}, headers={"Origin": site}
    )
    assert "Secure" in chosen.headers["set-cookie"]


def test_a_form_that_names_no_round_answers_nothing(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    for round_ in ("x", "-1", "9" * 5000):
        assert answer(matope, task, outcome="visited", follows_round=round_).status_code == 422
    assert open_tasks(matope)[0] == task


def test_line_ends_of_a_form_are_those_of_a_text(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    answer(matope, task, outcome="cannot_tell", note=" one\r\ntwo ")
    assert open_tasks(matope)[0]["last_note"] == "one\ntwo"


def test_why_an_answer_is_refused_is_given_in_the_language_of_the_page(matope: TestClient) -> None:
    excluded = open_tasks(matope, standing="excluded")[0]
    matope.cookies.set(COOKIE, "fr")
    refused = answer(matope, excluded, outcome="visited")
    assert refused.status_code == 403
    assert "Non autorisé" in refused.text
    assert "Ce patient est exclu dans le CHT" in refused.text


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (-1, "CHT data as of 12:00."),
        (5, "CHT data as of 07:00."),
        (20, "CHT data as of 19 Nov 2026, 16:00."),
        (30, "This data is out of date: it shows the CHT as of 19 Nov 2026, 06:00."),
    ],
)
def test_the_age_of_the_data_is_shown(engine: Engine, hours: int, words: str) -> None:
    def last_sync(_: Connection) -> datetime:
        return NOW - timedelta(hours=hours)

    app = service(engine, last_sync=last_sync)
    page = visitor(app, engine, "supervisor_matope").get("/").text.replace("\u00a0", " ")
    assert words in page
    assert ("This data is out of date" in page) == (hours > 26)


def test_a_failing_refresh_makes_the_data_as_old_as_the_last_good_one(
    engine: Engine, recorded_database: Address
) -> None:
    run(recorded_database, "delete from app.refresh_run")
    for hours, is_success in ((40, True), (1, False)):
        run(
            recorded_database,
            """
            insert into app.refresh_run
                (tier, started_at, finished_at, is_success, project_hash)
            values ('live', %(at)s, %(at)s, %(good)s, '')
            """,
            at=NOW - timedelta(hours=hours),
            good=is_success,
        )
    app = service(engine, last_sync=lambda _: NOW)
    assert "This data is out of date" in visitor(app, engine, "supervisor_matope").get("/").text


def test_with_the_cht_down_a_notice_is_shown_and_answers_are_accepted(
    matope: TestClient, recorded_database: Address
) -> None:
    run(
        recorded_database,
        "insert into app.write_back (stopped_at, stopped_because) values (%(at)s, 'down')"
        " on conflict (only_row) do update set stopped_at = excluded.stopped_at",
        at=NOW - timedelta(hours=1),
    )
    page = unescape(matope.get("/").text).replace("\u00a0", " ")
    assert "The CHT has been unreachable since 20 Nov 2026, 11:00. You can keep working" in page
    assert answer(matope, open_tasks(matope)[0], outcome="visited").status_code == 303


def test_the_way_into_the_cht_leads_to_the_patient_and_the_report(engine: Engine) -> None:
    app = service(engine, cht_url="https://cht.example.org")
    client = visitor(app, engine, "supervisor_matope")
    task = open_tasks(client)[0]
    page = client.get(f"/tasks/{task['task_uuid']}").text
    assert f'href="https://cht.example.org/#/contacts/{task["patient_uuid"]}"' in page
    assert f'href="https://cht.example.org/#/reports/{task["source_id"]}"' in page


def test_a_refused_answer_s_page_can_be_loaded_again(matope: TestClient) -> None:
    task = open_tasks(matope)[0]
    page = matope.get(f"/tasks/{task['task_uuid']}/verification?q=a", follow_redirects=False)
    assert page.headers["location"] == f"/tasks/{task['task_uuid']}?q=a"
