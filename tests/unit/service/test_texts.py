"""Every language says everything, and no page says a word that is not in the texts."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline.service import list_view, rendering, texts
from pipeline.worklist import rules, store

LANGUAGES = texts.languages()
ENGLISH, FRENCH = LANGUAGES["en"], LANGUAGES["fr"]
TEMPLATES = sorted((rendering.FOLDER / "templates").glob("*.html"))
KEY = re.compile(r"\b(say|count)\('([a-z_.]+)'")
NAMED = re.compile(r"{(\w*)}")


def forms(text: str | dict[str, str]) -> dict[str, str]:
    return {"": text} if isinstance(text, str) else text


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_a_language_says_all_that_english_says_with_the_same_names_in_it(
    language: texts.Texts,
) -> None:
    assert language.by_key.keys() == ENGLISH.by_key.keys()
    for key, text in language.by_key.items():
        (named,) = {frozenset(NAMED.findall(form)) for form in forms(ENGLISH.by_key[key]).values()}
        for form in forms(text).values():
            assert frozenset(NAMED.findall(form)) == named, key
            assert form.strip() == form != "", key


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_a_language_has_twelve_months_and_a_form_for_every_count(language: texts.Texts) -> None:
    assert len(set(language.months)) == 12
    needed = {*language.plural.tags, "other"}
    for key, text in language.by_key.items():
        if not isinstance(text, str):
            assert text.keys() == needed, key


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template.name))
def test_every_text_that_a_template_names_exists(template: Path) -> None:
    for function, key in KEY.findall(template.read_text()):
        if not key.endswith("."):  # made up as it goes: see the next test
            text = ENGLISH.by_key[key]
            assert isinstance(text, str) == (function == "say"), key


def test_no_text_is_left_that_nobody_says() -> None:
    said = {key for path in TEMPLATES for key in re.findall(r"'([a-z_.]+)'", path.read_text())}
    code = "".join(path.read_text() for path in rendering.FOLDER.glob("*.py"))
    made_up = ("answer", "date", "delivery", "flag", "order", "problem", "reason", "report")
    kinds = (*made_up, "standing", "state", "sex", "viewer", "void", "why_not", "sign_in")
    for key in ENGLISH.by_key:
        assert key in said or f'"{key}"' in code or key.split(".")[0] in kinds, key


def test_what_is_told_by_its_code_has_its_words() -> None:
    ways = ("pending", "sent", "confirmed", "refused", "withdrawn", "landed")
    codes = {
        "standing": (*list_view.TABS, *list_view.MORE_TABS),
        "order": store.ORDERS,
        "answer": rules.OUTCOMES,
        "delivery": ways,
        "why_not": rules.WHY_NOT,
        "report": ("reported", "visited", "traced"),
        "viewer": ("online", "role", "place", "contact", "reads"),
        "problem.title": ("400", "403", "404", "409", "422", "500", "503"),
        "problem.what": ("400", "403", "404", "409", "422", "500", "503"),
    }
    wanted = [f"{kind}.{code}" for kind, known in codes.items() for code in known]
    assert [key for key in wanted if key not in ENGLISH.by_key] == []
    assert set(list_view.ORDERS) == set(store.ORDERS)


def test_a_code_without_a_text_is_shown_in_words() -> None:
    assert ENGLISH.coded("reason", "refused_treatment") == "Refused treatment"
    assert ENGLISH.problem("new_rule") == ENGLISH.say("problem.other")


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("fr-CM,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.5, fr;q=0.7", "fr"),
        ("de, fr;q=0, en;q=0.1", "en"),
        ("de", "en"),
        ("fr;q=x, *", "en"),
    ],
)
def test_the_browser_s_wish_is_met_as_far_as_a_language_is_there(accepted: str, code: str) -> None:
    assert texts.negotiate(accepted).code == code


@pytest.mark.parametrize(
    ("born", "age"),
    [
        (date(2026, 11, 20), "0 months"),
        (date(2024, 11, 21), "23 months"),
        (date(2024, 11, 20), "2 years"),
        (date(1984, 2, 29), "42 years"),
        (date(2030, 1, 1), "0 months"),
    ],
)
def test_age_is_years_and_of_small_children_months(born: date, age: str) -> None:
    assert ENGLISH.age(born, date(2026, 11, 20)) == age


def test_counts_follow_the_language() -> None:
    assert [ENGLISH.count("task.days_left", number) for number in (0, 1, 2)] == [
        "0 days left",
        "1 day left",
        "2 days left",
    ]
    assert FRENCH.count("task.days_left", 0) == "encore 0 jour"


def test_moments_are_told_in_the_programme_s_zone_and_the_language() -> None:
    late, zone = datetime(2026, 11, 19, 23, 5, tzinfo=UTC), "Africa/Blantyre"
    assert ENGLISH.moment(late, zone) == "20 Nov 2026, 01:05"
    assert FRENCH.moment(late, zone) == "20 nov. 2026 à 01:05"
    assert ENGLISH.time(late, zone, date(2026, 11, 20)) == "01:05"
    assert ENGLISH.time(late, zone, date(2026, 11, 21)) == "20 Nov 2026, 01:05"
