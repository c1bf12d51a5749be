"""Cases share a database and do not see each other; their conditions become JSON paths."""

from typing import Any

import pytest

from oracle.recorded_cases import own
from oracle.tasks_yml import predicate, tasks_yml
from pipeline.tasks import rules

CASE: dict[str, Any] = {
    "id": "9-00001",
    "number": "1000001",
    "timezone": "UTC",
    "definition": {
        "name": "visit",
        "appliesTo": "reports",
        "appliesToType": ["trace"],
        "appliesIf": None,
        "excludeMutedOrDead": True,
        "events": [{"id": None, "days": 3, "start": 1, "end": 8}],
        "actions": [{"type": "report", "form": "home_visit"}],
        "resolvedBy": {"default": True, "form": "home_visit", "orForms": ["V"]},
    },
    "docs": [
        {"_id": "p", "type": "person", "patient_id": "482", "parent": {"_id": "hh"}},
        {"_id": "r", "type": "data_record", "form": "trace", "fields": {"patient_id": 482}},
        {"_id": "s", "type": "data_record", "form": "missed_appointment_verification"},
    ],
    "expected": [{"source_id": "r", "event": "0"}],
}


def test_text_and_number_stay_equal_and_every_reference_is_the_cases_own() -> None:
    person, report, verification = own(CASE)["docs"]
    assert person["patient_id"] == "1000001482"
    assert person["parent"] == {"_id": "1000001hh"}
    assert report["fields"] == {"patient_id": 1000001482}
    assert report["form"] == "1000001.trace"
    assert verification["form"] == "missed_appointment_verification"


def test_a_case_becomes_a_valid_definition() -> None:
    (definition,) = rules.parse(tasks_yml("UTC", [own(CASE)])).tasks
    assert definition.applies_to_type == ["1000001.trace"]
    assert definition.default_form == "1000001.home_visit"
    assert [one.form for one in definition.resolved_if.newer_report] == ["1000001.V"]


def test_a_definition_for_every_form_keeps_to_its_own_case() -> None:
    untyped = {**CASE, "definition": {**CASE["definition"], "appliesToType": None}}
    (definition,) = rules.parse(tasks_yml("UTC", [own(untyped)])).tasks
    assert definition.applies_if == '$._id starts with "1000001"'


@pytest.mark.parametrize(
    ("operator", "value", "path"),
    [
        ("eq", "yes", '$."fields"."visit" == "yes"'),
        ("gte", 10, '$."fields"."visit".double() >= 10'),
        ("contains", "a.b", '$."fields"."visit" like_regex "(^| )a\\\\.b( |$)"'),
    ],
)
def test_a_condition_becomes_a_json_path(operator: str, value: Any, path: str) -> None:
    assert predicate({"field": "fields.visit", "op": operator, "value": value}) == path
