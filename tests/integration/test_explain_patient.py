"""A patient is asked for as people see them: by number, by name, by uuid."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.errors import Refused
from pipeline.worklist.explain import explanation
from tests.integration.recorded_programme import AREA, Programme

MOMENT = datetime(2026, 11, 18, 6, tzinfo=UTC)
TASK = "verify~verify-missed-appointment"
NOT_TRUE = (
    "Definition verify-missed-appointment: it applies to this type, but its `appliesIf` is not "
    "true for it."
)


def explained(programme: Programme, sought: str) -> list[list[str]]:
    return explanation(programme.connection, sought)


def person(uuid: str, number: str, name: str, place: str = AREA) -> dict[str, Any]:
    contact = {"_id": uuid, "type": "contact", "contact_type": "person", "name": name}
    return {**contact, "patient_id": number, "parent": {"_id": place}}


def report(uuid: str, form: str = "trace", days_ago: int = 0, **fields: Any) -> dict[str, Any]:
    reported = int((MOMENT - timedelta(days=days_ago)).timestamp() * 1000)
    document = {"_id": uuid, "type": "data_record", "form": form, "reported_date": reported}
    return {**document, "fields": fields}


def trace(uuid: str, reasons: str = "art", days_ago: int = 0, **fields: Any) -> dict[str, Any]:
    return report(uuid, days_ago=days_ago, trace_details={"trace_reasons": reasons}, **fields)


@pytest.fixture(scope="module")
def known(programme: Programme) -> Programme:
    for document in (
        person("p-task", "70001", "Thokozani Phiri-Mvula"),
        trace("r-task", patient_id="70001"),
        trace("r-household", "household", patient_id="70001"),
        person("p-refused", "70002", "Chimwemwe Kalonga"),
        trace("r-refused", "household", patient_id="70002"),
        report("r-visit", "visit_verification", 3, patient_id="70002"),
        person("p-other-form", "70003", "Limbani Saka"),
        report("r-other-form", "delivery", patient_id="70003"),
        person("p-nothing", "70004", "Mphatso Gondwe", place="nowhere"),
        {**person("p-muted", "70005", "Yamikani Juma"), "muted": "2026-11-01T08:00:00Z"},
        trace("r-muted", patient_id="70005"),
        trace("r-unknown", patient_id="70006", patient_name="Xolani Nobody"),
        trace("r-unknown-refused", "household", patient_id="70007"),
        person("p-twin-a", "70008", "Tiyamike Twin"),
        person("p-twin-b", "70008", "Tiyamike Twin"),
        {"_id": "h-1", "type": "contact", "contact_type": "household", "name": "Chisomo's house"}
        | {"place_id": "70009", "parent": {"_id": AREA}},
        person("p-decided", "70010", "Dalitso Banda-Uuid"),
        trace("r-decided", patient_id="70010x", patient_uuid="p-decided"),
    ):
        programme.save(document)
    programme.refresh()
    return programme


def test_a_number_a_name_and_a_uuid_find_the_same_patient(known: Programme) -> None:
    found = explained(known, "70001")
    head, task = found
    assert head == [
        f"Thokozani Phiri-Mvula, number 70001, in Matope area 1 ({AREA}): contact p-task.",
        "The report r-household of form trace, from 2026-11-18 08:00 CAT, has no task.",
        NOT_TRUE,
    ]
    assert task[0] == f"r-task~{TASK} is Ready (open)."
    for other in (" 70001 ", "mvula thoko", "p-task"):
        assert explained(known, other) == found


def test_a_report_that_a_definition_refuses_is_reported(known: Programme) -> None:
    assert explained(known, "70002") == [
        [
            f"Chimwemwe Kalonga, number 70002, in Matope area 1 ({AREA}): contact p-refused.",
            "This contact has no task.",
            "The report r-refused of form trace, from 2026-11-18 08:00 CAT, has no task.",
            NOT_TRUE,
        ]
    ]


def test_reports_of_other_forms_and_no_reports_are_reported(known: Programme) -> None:
    assert explained(known, "70003")[0][1:] == [
        "This contact has no task.",
        "No definition applies to the reports about it (forms: delivery).",
    ]
    assert explained(known, "70004") == [
        [
            "Mphatso Gondwe, number 70004, in a place without a name (nowhere): contact p-nothing.",
            "This contact has no task.",
            "There is no report about it.",
            "No supervisor has a place above it, so only programme-wide roles would see a task "
            "about it.",
        ]
    ]
    assert explained(known, "70009")[0][0].endswith(
        f"number 70009, in Matope area 1 ({AREA}): contact h-1."
    )


def test_a_muted_patient_has_a_task_that_is_excluded(known: Programme) -> None:
    _, task = explained(known, "70005")
    assert task[0] == f"r-muted~{TASK} is Cancelled (excluded)."


@pytest.mark.parametrize("sought", ["70006", "nobody xolani"])
def test_what_only_a_report_says_is_found(known: Programme, sought: str) -> None:
    head, task = explained(known, sought)
    assert head[0].startswith("Tasks whose patient is not known and whose report contains this n")
    assert task[0] == f"r-unknown~{TASK} is Ready (open)."


def test_a_report_without_task_that_names_an_unknown_number_is_reported(known: Programme) -> None:
    assert explained(known, "70007") == [
        [
            "The report r-unknown-refused of form trace, from 2026-11-18 08:00 CAT, has no task.",
            NOT_TRUE,
        ]
    ]


def test_a_report_that_names_a_number_and_is_about_another_is_reported(known: Programme) -> None:
    assert explained(known, "70010x") == [
        [
            "The report r-decided of form trace, from 2026-11-18 08:00 CAT, gives the number "
            "70010x, but is about p-decided."
        ]
    ]


@pytest.mark.parametrize(
    ("sought", "what"), [("70008", "the number 70008"), ("twin tiyamike", "this name")]
)
def test_of_several_patients_one_is_to_be_chosen(known: Programme, sought: str, what: str) -> None:
    who = f"Tiyamike Twin, number 70008, in Matope area 1 ({AREA})"
    assert explained(known, sought) == [
        [
            f"Several contacts have {what}. Ask for one of them by its UUID:",
            f"  p-twin-a: {who}",
            f"  p-twin-b: {who}",
        ]
    ]


def test_a_name_that_many_have_is_not_listed_without_end(known: Programme) -> None:
    choice = explained(known, "a")[0]
    assert len(choice) == 12
    assert choice[-1].startswith("There are more")


@pytest.mark.parametrize("sought", ["7000", "%", "no such name", " ", f"{UUID(int=7)}x"])
def test_what_is_not_known_is_refused_without_repeating_it(known: Programme, sought: str) -> None:
    with pytest.raises(Refused) as refused:
        explained(known, sought)
    assert str(refused.value).startswith(
        "No task, document or patient has this id, number or name as of the last refresh."
    )
