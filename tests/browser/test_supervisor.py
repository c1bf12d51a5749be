"""A supervisor's work as the browser does it: by mouse, by thumb, by keyboard, without scripts.

Every state that is looked at is photographed and searched by axe for what keeps people out.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from pipeline.database import Address, connect
from pipeline.worklist import freshness
from tests.browser.conftest import Look
from tests.integration.recorded_programme import give_two_appointments
from tests.waiting import LONG

pytestmark = pytest.mark.one_server
LAPTOP = (1280, 900)
PHONE = (360, 740)
NOON = datetime(2026, 11, 20, 10, tzinfo=UTC)  # in Blantyre
Open = Callable[..., Page]
# An answer leaves at once, so that it may be there already.
WAITING_OR_SENT = re.compile("Waiting to be sent to the CHT|Sent to the CHT")
EN_ATTENTE_OU_ENVOYEE = re.compile("En attente d’envoi au CHT|Envoyée au CHT")


@pytest.fixture
def open_page(chromium: Browser, worklist_url: str) -> Iterator[Open]:
    """Opens the worklist in a browser of its own; a message on its console fails the test."""
    complaints: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if "404" not in message.text and "422" not in message.text:
            complaints.append(message.text)

    def opened(
        size: tuple[int, int], *, has_scripts: bool = True, language: str = "en", path: str = ""
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=has_scripts,
            locale=language,
            has_touch=size == PHONE,
        )
        contexts.append(context)
        context.set_default_timeout(LONG * 1000)
        page = context.new_page()
        page.on("console", heard)
        page.goto(worklist_url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, name: str = "supervisor_matope") -> None:
    page.locator("#name").fill(name)
    page.locator("#password").fill("password")
    page.locator("button.save").click()
    arrive(page)


def arrive(page: Page) -> None:
    """Waits until the list is there with its script, which comes after what it helps with."""
    expect(page.locator(".tabs")).to_be_visible()
    page.wait_for_load_state()


def rows(page: Page) -> Locator:
    return page.locator(".task")


def name_in(row: Locator) -> str:
    return row.get_by_role("heading").inner_text()


def answer(row: Locator, words: str, save: str = "Save") -> str:
    """Two clicks; whose task it was."""
    name = name_in(row)
    row.get_by_text(words, exact=True).click()
    row.get_by_role("button", name=save, exact=True).click()
    return name


def test_by_mouse_an_answer_takes_two_clicks_and_the_list_goes_on_at_the_next(
    open_page: Open, look: Look
) -> None:
    page = open_page(LAPTOP)
    look(page, "sign-in")
    sign_in(page)
    look(page, "list")
    expect(page.get_by_text("6 of 114 done")).to_be_visible()
    row, following = rows(page).first, name_in(rows(page).nth(1))
    address = row.get_by_role("link").first.get_attribute("href")
    row.get_by_text("Did not visit", exact=True).click()
    look(page, "answering")
    name = name_in(row)
    row.get_by_role("button", name="Save").click()
    told = page.get_by_role("status")
    expect(told).to_contain_text(f"{name}: Did not visit. Saved; it will be sent")
    expect(page.get_by_text("7 of 114 done")).to_be_attached()
    expect(page.locator(f'.tasks a[href="{address}"]')).to_have_count(0)
    assert name_in(page.locator(".task:focus")) == following
    look(page, "answered")
    page.get_by_role("link", name="View or correct").click()
    expect(page.get_by_text(WAITING_OR_SENT)).to_be_visible()
    look(page, "task-answered")


def test_a_mistake_is_corrected_and_the_earlier_answer_stays_on_record(
    open_page: Open, look: Look
) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    answer(rows(page).first, "Visited")
    page.get_by_role("link", name="View or correct").click()
    page.get_by_text("Did not visit", exact=True).click()
    page.get_by_label("Reason").select_option("Moved away")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="View or correct").click()
    answers = page.get_by_role("region", name="Answers").get_by_role("listitem")
    expect(answers).to_have_count(2)
    expect(answers.first).to_contain_text("Moved away")
    look(page, "corrected")


def test_cannot_tell_yet_keeps_the_note_and_the_patient(open_page: Open, look: Look) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    row = rows(page).nth(1)
    name = name_in(row)
    row.get_by_text("Cannot tell yet").click()
    row.get_by_label("What have you done").fill("Called twice, asked the sister")
    look(page, "cannot-tell")
    row.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("status")).to_contain_text(f"{name}: note saved.")
    kept = rows(page).nth(1)
    expect(kept).to_contain_text("Called twice, asked the sister")
    expect(kept).to_be_focused()
    expect(page.get_by_role("link", name="View or correct")).to_have_count(0)
    expect(page.get_by_text("6 of 114 done")).to_be_attached()
    look(page, "noted")
    kept.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("region", name="Notes")).to_contain_text("asked the sister")


def test_by_keyboard_alone_a_hundred_names_can_be_worked_through(
    open_page: Open, look: Look
) -> None:
    page = open_page(LAPTOP)
    page.get_by_label("User name").press_sequentially("supervisor_matope")
    page.keyboard.press("Tab")
    page.keyboard.type("password")
    page.keyboard.press("Enter")
    arrive(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    look(page, "keys")
    page.keyboard.press("Escape")
    names = [name_in(rows(page).nth(index)) for index in range(4)]
    told = page.get_by_role("status")

    page.keyboard.press("j")
    page.keyboard.press("V")
    expect(told).to_contain_text(f"{names[0]}: Visited.")
    expect(page.locator(".task:focus")).to_contain_text(names[1])

    page.keyboard.press("n")
    reason = page.locator(":focus")
    page.keyboard.press("ArrowDown")
    expect(reason).to_have_value("transferred_out")
    page.keyboard.press("Enter")
    expect(told).to_contain_text(f"{names[1]}: Did not visit.")
    expect(page.locator(".task:focus")).to_contain_text(names[2])

    page.keyboard.press("c")
    page.keyboard.type("No answer on the phone")
    page.keyboard.press("Escape")
    expect(page.locator(".task:focus")).to_contain_text(names[2])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("o")
    expect(page.get_by_role("heading", level=1)).to_have_text(names[3])


def test_with_a_thumb_on_a_small_phone(open_page: Open, worklist_url: str, look: Look) -> None:
    page = open_page(PHONE)
    look(page, "phone-sign-in")
    sign_in(page)
    look(page, "phone-list")
    row = rows(page).first
    row.get_by_text("Visited", exact=True).tap()
    row.get_by_label("Date of visit").fill("2026-11-18")
    look(page, "phone-answering")
    row.get_by_role("button", name="Save").tap()
    expect(page.get_by_role("status")).to_be_visible()
    look(page, "phone-answered")
    page.get_by_role("link", name="View or correct").tap()
    expect(page.get_by_text("Date of visit: 18 Nov 2026")).to_be_visible()
    look(page, "phone-task")
    page.goto(f"{worklist_url}/?standing=excluded")
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)
    look(page, "phone-last-tab")
    page.goto(worklist_url)
    expect(page.get_by_label("CHW area")).to_be_hidden()
    page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
    expect(page.get_by_label("CHW area")).to_be_visible()


def test_of_two_supervisors_the_second_learns_who_was_first(open_page: Open, look: Look) -> None:
    first, second = open_page(LAPTOP), open_page(LAPTOP)
    sign_in(first)
    sign_in(second, "deputy_matope")
    for page in (first, second):
        name = answer(rows(page).first, "Visited")
    told = second.get_by_role("status")
    expect(told).to_contain_text(f"{name} was already verified by supervisor_matope on 20 Nov")
    expect(told).to_contain_text("Your answer was not saved.")
    look(second, "already")


def test_filters_and_search_keep_their_place_through_an_answer(
    open_page: Open, recorded_database: Address, look: Look
) -> None:
    give_two_appointments(recorded_database)
    page = open_page(LAPTOP)
    sign_in(page)
    area = page.get_by_label("CHW area")
    name, count = area.locator("option").nth(2).inner_text().removesuffix(")").split(" (")
    area.select_option(index=2)
    page.get_by_label("Sort by").select_option("CHW area")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    answer(rows(page).nth(2), "Visited")
    expect(area.locator("option:checked")).to_have_text(f"{name} ({int(count) - 1})")
    look(page, "by-area")
    area.select_option("All CHW areas")
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Warning").select_option("This patient has another open appointment (2)")
    page.get_by_role("button", name="Show").click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("Also on the list for this patient")
    rows(page).first.get_by_role("link").first.click()
    expect(page.get_by_role("region", name="other missed appointments")).to_be_visible()
    questions = page.locator("legend").all_inner_texts()
    assert len(questions) == len(set(questions)) == 2
    look(page, "task")


@pytest.mark.usefixtures("several_kinds")
def test_a_kind_of_task_and_what_is_overdue_are_chosen_also_without_scripts(
    open_page: Open, worklist_url: str, look: Look
) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    look(page, "several-kinds")
    every = page.get_by_label("Task type").locator("option")
    expect(every).to_have_text(["All task types", "Verify missed NCD visit", "task.art"])
    page.get_by_label("Task type").select_option("Verify missed NCD visit")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows(page).first).to_be_visible()
    page.get_by_label("Overdue only").check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("No patients match.")).to_be_visible()
    look(page, "nothing-overdue")

    phone = open_page(PHONE, has_scripts=False, language="fr")
    sign_in(phone)
    phone.get_by_text("Filtrer et trier").tap()
    phone.get_by_label("Type de tâche").select_option("task.art")
    phone.get_by_label("En retard").check()
    phone.get_by_role("button", name="Afficher", exact=True).tap()
    expect(phone.get_by_label("En retard")).to_be_checked()
    phone.get_by_role("link", name="Page suivante").tap()
    answer(rows(phone).first, "Visite faite", "Enregistrer")
    expect(phone.get_by_role("status")).to_be_visible()
    expect(phone.get_by_label("En retard")).to_be_checked()
    expect(phone.get_by_label("Type de tâche")).to_have_value("verify-art")

    with_scripts = open_page(PHONE, language="fr")
    sign_in(with_scripts)
    with_scripts.goto(f"{worklist_url}/?definition=verify-art&is_overdue=true")
    look(with_scripts, "phone-filters")


def test_whom_to_trace_is_printed_one_sheet_for_each_chw(
    open_page: Open, worklist_url: str, look: Look
) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    for area in (1, 2):
        page.goto(worklist_url)
        page.get_by_label("CHW area").select_option(index=area)
        page.get_by_role("button", name="Show").click()
        name = answer(rows(page).first, "Did not visit")
        expect(page.get_by_role("status")).to_contain_text(name)
    page.get_by_role("link", name="To trace").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("To trace 2 patients")
    expect(page.get_by_role("region")).to_have_count(2)
    expect(page.get_by_role("region").last).to_contain_text(name)
    look(page, "to-trace")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    expect(page.get_by_role("columnheader", name="Found?").first).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    look(page, "to-trace-printed")
    assert page.pdf().count(b"/Type /Page\n") == 2
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    look(page, "phone-to-trace")
    page.get_by_role("link", name="Show only this CHW").first.click()
    expect(page.get_by_role("region")).to_have_count(1)


def test_in_french_as_the_browser_asks_and_in_english_by_choice(
    open_page: Open, look: Look
) -> None:
    page = open_page(LAPTOP, language="fr-CM")
    look(page, "french-sign-in")
    sign_in(page)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_text("Avancement : 6 sur 114")).to_be_visible()
    look(page, "french-list")
    name = answer(rows(page).first, "Pas de visite", "Enregistrer")
    expect(page.get_by_role("status")).to_contain_text(f"{name} : Pas de visite.")
    page.get_by_role("link", name="Voir ou corriger").click()
    expect(page.get_by_text(EN_ATTENTE_OU_ENVOYEE)).to_be_visible()
    look(page, "french-task")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text(WAITING_OR_SENT)).to_be_visible()
    assert "/tasks/" in page.url


def test_without_scripts_the_essentials_work(open_page: Open) -> None:
    page = open_page(LAPTOP, has_scripts=False)
    sign_in(page)
    name = answer(rows(page).first, "Visited")
    expect(page.get_by_role("status")).to_contain_text(f"{name}: Visited.")
    row = rows(page).first
    name = name_in(row)
    row.get_by_text("Cannot tell yet").click()
    row.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("alert")).to_contain_text("Write what you know so far.")
    page.get_by_label("What have you done").fill("Nobody at home")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("status")).to_contain_text(f"{name}: note saved.")
    page.get_by_role("link", name="To trace").click()
    expect(page.get_by_text("No patients to trace.")).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()


def test_every_other_state_says_honestly_what_it_is(
    open_page: Open, worklist_url: str, look: Look
) -> None:
    page = open_page(LAPTOP)
    sign_in(page, "supervisor_lisungwi")
    for path, words in {
        "?q=zzz": "No patients match.",
        "?standing=expired": "There are no appointments here.",
        "to-trace": "No patients to trace.",
        "nothing": "Not on your worklist",
    }.items():
        page.goto(f"{worklist_url}/{path}")
        expect(page.get_by_text(words)).to_be_visible()
        look(page, f"state-{words[:12].lower().replace(' ', '-')}")


@pytest.mark.parametrize("worklist_url", ["supervisor_matope"], indirect=True)
def test_old_data_and_a_cht_that_cannot_be_reached_are_shown_on_every_page(
    open_page: Open, worklist_url: str, recorded_database: Address, look: Look
) -> None:
    with connect(recorded_database, autocommit=True) as connection:
        synced_at = NOON - freshness.OLD_AFTER - timedelta(hours=1)
        connection.execute("update v1.couchdb_progress set updated_at = %s", [synced_at])
        connection.execute(
            "insert into app.write_back (stopped_at, stopped_because) values (%(at)s, 'down')"
            " on conflict (only_row) do update set stopped_at = excluded.stopped_at",
            {"at": NOON - timedelta(hours=2)},
        )
    page, phone = open_page(LAPTOP), open_page(PHONE)
    sign_in(page)
    answer(rows(page).first, "Did not visit")
    page.get_by_role("link", name="View or correct").click()
    sign_in(phone)
    for one, name in ((page, "task"), (page, "list"), (page, "to-trace"), (phone, "phone-list")):
        if name != "task":
            one.goto(f"{worklist_url}/{'to-trace' if name == 'to-trace' else ''}")
        expect(one.get_by_text("out of date: it shows the CHT as of 19 Nov")).to_be_visible()
        expect(one.get_by_text("has been unreachable since 20 Nov 2026, 10:00")).to_be_visible()
        look(one, f"state-old-unreachable-{name}")


def test_a_screen_reader_finds_landmarks_and_a_name_for_every_control(open_page: Open) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    for landmark in ("banner", "main", "navigation", "search", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    row = rows(page).first
    expect(row.get_by_role("group", name=f"Did {name_in(row)} come for")).to_be_visible()
    row.get_by_text("Visited", exact=True).click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
            .filter((control) => !control.labels.length).length"""
    )
    assert nameless == 0
