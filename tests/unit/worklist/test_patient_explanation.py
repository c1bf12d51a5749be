"""The sentences about a patient: what gave a task, what gave none, and what names somebody else."""

from dataclasses import replace
from datetime import UTC, datetime

from pipeline.worklist.patient_explanation import choose, explain_number, explain_patient
from pipeline.worklist.patients import MOST, Patient, Report
from pipeline.worklist.task_explanation import Considered

ANNA = Patient("p1", "Anna", "48074", "h1", "Matope 1", ["esther"])
REFUSED = Report(
    report_uuid="r1",
    form="trace",
    reported_at=datetime(2026, 11, 3, 6, tzinfo=UTC),
    zone="Africa/Blantyre",
    patient_uuid="p1",
    is_ambiguous=False,
    is_form_asked=True,
    has_task=False,
    considered=[
        Considered("r1", "missed", "report", "trace", False, True, False),
        Considered("r1", "households", "report", "trace", False, False, False),
    ],
)
OF_NOBODY = replace(
    REFUSED, report_uuid="r2", patient_uuid=None, is_ambiguous=True, considered=[], has_task=True
)
OF_ANOTHER = replace(
    OF_NOBODY, is_ambiguous=False, report_uuid="r3", patient_uuid="p2", reported_at=None
)
GAVE_NONE = [
    "The report r1 of form trace, from 2026-11-03 08:00 CAT, has no task.",
    "Definition missed: it applies to this type, but its `appliesIf` is not true for it.",
]


def test_a_patient_without_a_task_is_explained_by_what_was_asked_and_refused() -> None:
    household = Considered("p1", "households", "contact", "person", False, True, False)
    assert explain_patient(ANNA, 0, [REFUSED], [household]) == [
        "Anna, number 48074, in Matope 1 (h1): contact p1.",
        "This contact has no task.",
        "Definition households: it applies to this type, but its `appliesIf` is not true for it.",
        *GAVE_NONE,
    ]


def test_with_tasks_only_what_gave_none_is_added() -> None:
    asked = replace(REFUSED, has_task=True)
    assert explain_patient(ANNA, 1, [REFUSED, asked], [])[1:] == GAVE_NONE


def test_a_report_that_names_the_number_of_several_or_is_about_another_is_reported() -> None:
    sentences = explain_patient(ANNA, 0, [OF_NOBODY, OF_ANOTHER], [])
    assert sentences[-2:] == [
        "The report r2 of form trace, from 2026-11-03 08:00 CAT, gives only the number 48074, "
        "which several contacts have, so it is assigned to none of them.",
        "The report r3 of form trace gives the number 48074, but is about p2.",
    ]


def test_of_a_number_without_a_contact_only_reports_without_a_task_are_reported() -> None:
    other = replace(OF_NOBODY, report_uuid="r4", is_form_asked=False, has_task=False)
    assert explain_number("48074", [replace(REFUSED, patient_uuid=None), OF_NOBODY, other]) == [
        *GAVE_NONE,
        "The report r4 of form trace, from 2026-11-03 08:00 CAT, gives the number 48074; no "
        "definition applies to its form.",
    ]


def test_a_contact_without_name_number_and_place_is_explained_too() -> None:
    bare = Patient("p1", None, None, None, None, [])
    assert explain_patient(bare, 0, [], []) == [
        "No name: contact p1.",
        "This contact has no task.",
        "There is no report about it.",
        "No supervisor has a place above it, so only programme-wide roles would see a task about "
        "it.",
    ]


def test_whatever_is_listed_ends_and_says_so() -> None:
    assert len(choose([ANNA] * (MOST + 1), "this name")) == 1 + MOST + 1
    assert len(choose([ANNA] * MOST, "this name")) == 1 + MOST
    sentences = explain_patient(ANNA, 1, [OF_ANOTHER] * (MOST + 1), [])
    assert len(sentences) == 1 + MOST + 1
    assert sentences[-1] == "There are more reports, which are not listed."
