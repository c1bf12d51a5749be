"""No page may say a word that is not in the texts."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline.service import pages, rendering, texts
from pipeline.worklist import rules

TEMPLATES = sorted((rendering.FOLDER / "templates").glob("*.html"))
KEY = re.compile(r"(say|count)\('([a-z_.]+)'")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template.name))
def test_every_text_that_a_template_names_exists(template: Path) -> None:
    source = template.read_text()
    for function, key in KEY.findall(source):
        if not key.endswith("."):  # made up as it goes: see the next test
            assert (f"{key}.other" if function == "count" else key) in texts.ENGLISH, key


def test_every_standing_outcome_and_way_has_its_words() -> None:
    standings = (*pages._TABS, *pages._MORE_TABS)
    ways = ("pending", "sent", "confirmed", "refused", "withdrawn", "landed")
    keys = [
        *(f"standing.{one}" for one in standings),
        *(f"answer.{one}" for one in rules.OUTCOMES),
        *(f"delivery.{one}" for one in ways),
    ]
    assert [key for key in keys if key not in texts.ENGLISH] == []


def test_a_code_without_a_text_is_shown_in_words() -> None:
    assert texts.reason("refused_treatment") == "Refused treatment"
    assert texts.flag("new_flag") == "New flag"


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
    assert texts.age(born, date(2026, 11, 20)) == age


def test_moments_are_told_in_the_programme_s_zone() -> None:
    late = datetime(2026, 11, 19, 23, 5, tzinfo=UTC)
    assert texts.moment(late, "Africa/Blantyre") == "20 Nov 2026, 01:05"
