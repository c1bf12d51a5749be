"""The sentences of an explanation: each standing names what decided it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipeline.worklist.task_explanation import (
    Answered,
    Considered,
    Facts,
    Resolver,
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
    appointment_task_id="r1~verify~missed",
    report_count=1,
    last_reported_at=datetime(2026, 11, 3, 6, tzinfo=UTC),
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
    verification_round=None,
    applies_to="reports",
    is_resolved_when_cleared=False,
    roles=["supervisor"],
    today=date(2026, 11, 20),
    zone="Africa/Blantyre",
    resolvers=[
        Resolver(0, "answer", True, None, None, None),
        Resolver(1, "visit", False, None, None, None),
        Resolver(2, "call", False, None, ["fields", "source"], None),
        Resolver(2, "seen", False, '$."came" == "yes"', None, ["fields", "day"]),
    ],
    supervisors=["esther"],
)
ANSWER = Answered(
    report_id="v1",
    round=1,
    outcome="visited",
    appointment_on=date(2026, 10, 21),
    answered_in="worklist",
    void_reason=None,
    sender_uuid=None,
    verified_by="esther",
    verified_at=datetime(2026, 11, 20, 7, tzinfo=UTC),
    delivery="sent",
)
FROM_CHT = replace(ANSWER, answered_in="cht", sender_uuid="c1", verified_by=None)


def test_an_open_task_says_where_it_comes_from_what_would_close_it_and_who_sees_it() -> None:
    assert explain(OPEN) == [
        "r1~verify~missed is Ready (open).",
        "The report r1 of 2026-11-03 08:00 CAT is its source: definition missed, event verify.",
        "The patient is p1.",
        "The appointment was on 2026-10-21.",
        "It opens on 2026-11-03, is due on 2026-11-03 and closes on 2026-12-01; "
        "today is 2026-11-20.",
        "A report of form answer within the window would resolve it.",
        "A later report of form visit would resolve it.",
        "A later report of form call that names the source at fields.source and a later report of "
        'form seen, for which $."came" == "yes" is true, whose date at fields.day is not before '
        "the appointment would resolve it.",
        "A verification would close it.",
        "Visible to esther through the place h1.",
        "Flag duplicate_open: the same patient has another open task of this definition.",
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"standing": "verified", "verification_round": 1, "answers": [ANSWER]},
            "The verification of round 1 counts.",
        ),
        (
            {"standing": "verified", "answers": [ANSWER]},
            "Round 1: visited, by esther at 2026-11-20 09:00 CAT, report v1, sent.",
        ),
        (
            {"standing": "resolved", "resolved_by_report": "r2", "resolved_by_form": "visit"},
            "The report r2 of form visit resolves it: the definition is resolved by a later report "
            "of form visit.",
        ),
        (
            {"answers": [replace(FROM_CHT, void_reason="not_authorised")]},
            "Round 1: visited, by the contact c1 in the CHT at 2026-11-20 09:00 CAT, report v1, "
            "sent; it does not count: its sender is not the contact of an online user who may "
            "verify.",
        ),
        (
            {"answers": [replace(ANSWER, appointment_on=date(2026, 9, 1))]},
            "Round 1: visited for the appointment of 2026-09-01, by esther at 2026-11-20 09:00 "
            "CAT, report v1, sent.",
        ),
        (
            {"standing": "repeated", "appointment_task_id": "r0~verify~missed"},
            "The appointment had been reported before: its task is r0~verify~missed.",
        ),
        (
            {"report_count": 5},
            "5 reports are about this appointment, the latest from 2026-11-03 08:00 CAT.",
        ),
        (
            {"patient_uuid": None, "flags": ["ambiguous_patient"]},
            "Several contacts have the number in it, so it is assigned to none of them.",
        ),
        (
            {"standing": "resolved", "resolved_by_report": "r3", "resolved_by_form": "call"},
            "The report r3 of form call resolves it: the definition is resolved by a later report "
            "of form call that names the source at fields.source and a later report of form seen, "
            'for which $."came" == "yes" is true, whose date at fields.day is not before the '
            "appointment.",
        ),
        ({"standing": "resolved", "resolved_by_report": "r1"}, "The scheduled task was cleared."),
        (
            {"standing": "excluded", "excluded_reason": "deceased"},
            "It is excluded: the patient has a date of death.",
        ),
        ({"standing": "withdrawn"}, "It was withdrawn: the document was deleted in the CHT."),
        ({"standing": "expired"}, "It has closed, but can still be answered."),
        ({"patient_uuid": None}, "The patient in it is not known."),
        (
            {"supervisors": []},
            "No supervisor sees it: no user with the role supervisor has the place h1 or one "
            "above it.",
        ),
        (
            {"place_uuid": None},
            "It belongs to no place, so no supervisor sees it; programme-wide roles do.",
        ),
    ],
)
def test_what_decided_is_named(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in explain(replace(OPEN, **changes))


def test_a_document_that_gave_no_task_is_explained() -> None:
    named = Considered("r1", "missed", "report", "trace", False, True, False)
    other = replace(named, definition="households", is_type_named=False)
    fresh = replace(named, definition="new", is_asked=True)
    assert explain_absence([named, other, fresh]) == [
        "r1 is a report of type trace.",
        "Definition missed: it applies to this type, but its `appliesIf` is not true for it.",
        "Definition households: it does not apply to this type.",
        "Definition new: it applies: the next refresh will create the task.",
    ]
    assert "neither a report nor a contact" in explain_absence([replace(named, kind=None)])[0]
