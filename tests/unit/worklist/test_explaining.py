"""The sentences of an explanation: each standing names what decided it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipeline.worklist.explaining import (
    Answered,
    Considered,
    Facts,
    explain,
    explain_absence,
)

OPEN = Facts(
    task_id="r1~verify~missed",
    source_id="r1",
    definition="missed",
    event="verify",
    state="Ready",
    standing="open",
    excluded_reason=None,
    flags=["duplicate_open"],
    patient_uuid="p1",
    place_uuid="h1",
    reported_at=datetime(2026, 11, 3, 6, tzinfo=UTC),
    appointment_on=date(2026, 10, 21),
    opens_on=date(2026, 11, 3),
    due_on=date(2026, 11, 3),
    closes_on=date(2026, 12, 1),
    resolved_by_report=None,
    resolved_by_form=None,
    resolved_at=None,
    applies_to="reports",
    default_form="answer",
    newer_report_forms=["visit"],
    is_resolved_by_default=True,
    is_resolved_when_cleared=False,
    roles=["supervisor"],
    today=date(2026, 11, 20),
    zone="Africa/Blantyre",
    supervisors=["esther"],
)
ANSWER = Answered("v1", 1, "visited", "esther", datetime(2026, 11, 20, 7, tzinfo=UTC), "sent")


def test_an_open_task_says_where_it_comes_from_what_would_close_it_and_who_sees_it() -> None:
    assert explain(OPEN) == [
        "r1~verify~missed is Ready (open).",
        "The report r1, of 2026-11-03 08:00 asks for it: definition missed, event verify.",
        "It is about p1.",
        "The appointment was on 2026-10-21.",
        "It opens on 2026-11-03, is due on 2026-11-03 and closes on 2026-12-01; "
        "today is 2026-11-20.",
        "A report of form answer inside the window would resolve it.",
        "A later report of form visit would resolve it.",
        "A verification would close it.",
        "esther may see it, by the place h1.",
        "Flag duplicate_open: the same patient has another open task of this definition.",
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"standing": "verified", "answers": [ANSWER]}, "The answer of round 1 counts."),
        (
            {"standing": "verified", "answers": [ANSWER]},
            "Round 1: visited, by esther at 2026-11-20 09:00, report v1, sent.",
        ),
        (
            {"standing": "resolved", "resolved_by_report": "r2", "resolved_by_form": "visit"},
            "The report r2 of form visit resolves it.",
        ),
        ({"standing": "resolved", "resolved_by_report": "r1"}, "The scheduled task was cleared."),
        (
            {"standing": "excluded", "excluded_reason": "deceased"},
            "It is excluded: the patient has a date of death.",
        ),
        ({"standing": "withdrawn"}, "It was withdrawn: the document is deleted in the CHT."),
        ({"standing": "expired"}, "Its last day has passed. It can still be answered."),
        ({"patient_uuid": None}, "Nobody knows the patient whom it names."),
        (
            {"supervisors": []},
            "No supervisor sees it: nobody with the role supervisor has a place above h1.",
        ),
        (
            {"place_uuid": None},
            "It belongs to no place, so no supervisor sees it; programme-wide roles do.",
        ),
    ],
)
def test_what_decided_is_named(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in explain(replace(OPEN, **changes))


def test_a_document_that_gave_no_task_is_told_why() -> None:
    named = Considered("r1", "missed", "report", "trace", False, True, False)
    other = replace(named, definition="households", is_type_named=False)
    fresh = replace(named, definition="new", is_asked=True)
    assert explain_absence([named, other, fresh]) == [
        "r1 is a report of type trace.",
        "Definition missed: it asks documents of this type, but its `appliesIf` is not true of "
        "this one.",
        "Definition households: it does not ask documents of this type.",
        "Definition new: it applies; the task comes with the next refresh.",
    ]
    assert "neither a report nor a contact" in explain_absence([replace(named, kind=None)])[0]
