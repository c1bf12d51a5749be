"""A supervisor's work as the browser does it: by mouse, by thumb, by keyboard, without scripts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.one_server
LAPTOP = (1280, 900)
PHONE = (360, 740)
Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, worklist_url: str) -> Iterator[Open]:
    """Opens the worklist in a browser of its own; a message on its console fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(size: tuple[int, int], *, has_scripts: bool = True) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, java_script_enabled=has_scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(worklist_url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, name: str = "supervisor_matope") -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Missed appointments")).to_be_visible()


def first_row(page: Page) -> Locator:
    return page.get_by_role("list", name="To verify").get_by_role("listitem").first


def name_in(row: Locator) -> str:
    return row.get_by_role("heading").inner_text()


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_an_answer_takes_two_clicks_and_leaves_the_list(open_page: Open, screenshots: Path) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    page.screenshot(path=screenshots / "list-laptop.png")
    expect(page.get_by_text("6 of 115 verified")).to_be_visible()
    row = first_row(page)
    name, address = name_in(row), row.get_by_role("link").first.get_attribute("href")
    row.get_by_text("Did not visit").click()
    page.screenshot(path=screenshots / "answering-laptop.png")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text(f"{name}: Did not visit.")
    expect(page.get_by_text("7 of 115 verified")).to_be_visible()
    expect(page.locator(f'.tasks a[href="{address}"]')).to_have_count(0)
    page.screenshot(path=screenshots / "answered-laptop.png")
    page.get_by_role("link", name="Show or correct").click()
    expect(page.get_by_text("On its way to the CHT")).to_be_visible()
    page.screenshot(path=screenshots / "task-laptop.png", full_page=True)


def test_the_same_works_with_a_thumb_on_a_small_phone(open_page: Open, screenshots: Path) -> None:
    page = open_page(PHONE)
    page.screenshot(path=screenshots / "sign-in-phone.png")
    sign_in(page)
    assert not is_too_wide(page)
    page.screenshot(path=screenshots / "list-phone.png")
    row = first_row(page)
    row.get_by_text("Visited", exact=True).click()
    row.get_by_label("Date of the visit").fill("2026-11-18")
    assert not is_too_wide(page)
    page.screenshot(path=screenshots / "answering-phone.png")
    row.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Show or correct").click()
    expect(page.get_by_text("Date of the visit: 18 Nov 2026")).to_be_visible()
    assert not is_too_wide(page)
    page.screenshot(path=screenshots / "task-phone.png", full_page=True)


def test_the_same_works_without_scripts(open_page: Open) -> None:
    page = open_page(LAPTOP, has_scripts=False)
    sign_in(page)
    row = first_row(page)
    name = name_in(row)
    row.get_by_text("Visited", exact=True).click()
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text(f"{name}: Visited.")


def test_the_same_works_without_a_mouse(open_page: Open) -> None:
    page = open_page(LAPTOP)
    page.get_by_label("User name").press_sequentially("supervisor_matope")
    page.keyboard.press("Tab")
    page.keyboard.type("password")
    page.keyboard.press("Enter")
    row = first_row(page)
    name = name_in(row)
    row.get_by_role("link").last.focus()
    page.keyboard.press("Tab")
    expect(row.get_by_role("radio", name="Visited", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(row.get_by_label("Reason")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(f"{name}: Did not visit.")


def test_a_mistake_is_corrected_and_the_earlier_answer_stays_on_record(open_page: Open) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    row = first_row(page)
    row.get_by_text("Visited", exact=True).click()
    row.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Show or correct").click()
    page.get_by_text("Did not visit").click()
    page.get_by_label("Reason").select_option("Moved away")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Show or correct").click()
    answers = page.get_by_role("region", name="Answers").get_by_role("listitem")
    expect(answers).to_have_count(2)
    expect(answers.first).to_contain_text("Moved away")


def test_of_two_supervisors_the_second_is_told_who_was_first(
    open_page: Open, screenshots: Path
) -> None:
    first, second = open_page(LAPTOP), open_page(LAPTOP)
    sign_in(first)
    sign_in(second, "deputy_matope")
    for page in (first, second):
        row = first_row(page)
        name = name_in(row)
        row.get_by_text("Visited", exact=True).click()
        row.get_by_role("button", name="Save").click()
    told = second.get_by_role("status")
    expect(told).to_contain_text(f"{name} was already verified by supervisor_matope")
    second.screenshot(path=screenshots / "already-laptop.png")


def test_a_screen_reader_finds_landmarks_and_a_name_for_every_control(open_page: Open) -> None:
    page = open_page(LAPTOP)
    sign_in(page)
    for landmark in ("banner", "main", "navigation", "search", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    row = first_row(page)
    expect(row.get_by_role("group", name=f"Did {name_in(row)} come?")).to_be_visible()
    row.get_by_text("Visited", exact=True).click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
            .filter((control) => !control.labels.length).length"""
    )
    assert nameless == 0
