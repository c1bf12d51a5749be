"""What each answer of the CHT means for a report on its way."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from pipeline.cht.client import DocumentState, Stored, WriteResult
from pipeline.writeback.rules import (
    NOT_OURS,
    Backoff,
    State,
    after_reading,
    after_searching,
    after_writing,
    for_the_api,
    is_ours,
    must_look_first,
)

REPORT: dict[str, Any] = {
    "_id": "r-1",
    "form": "missed_appointment_verification",
    "fields": {
        "verification": {
            "outcome": "visited",
            "visit_date": "2026-10-22",
            "reason": "",
            "note": "",
        },
        "verification_id": "v-1",
        "task_id": "s~verify~verify-missed-appointment",
        "round": "1",
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    report = copy.deepcopy(REPORT)
    *parents, last = path.split(".")
    inner = report
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return report


def test_a_document_that_sentinel_added_to_is_still_ours() -> None:
    stored = changed("fields.patient_age", "12") | {"_rev": "2-b", "transitions": {"muting": {}}}
    assert is_ours(REPORT, stored)


def test_an_answer_left_empty_or_left_out_is_the_same() -> None:
    stored = copy.deepcopy(REPORT)
    del stored["fields"]["verification"]["note"]
    assert is_ours(REPORT, stored)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fields.verification.outcome", "not_visited"),
        ("fields.verification.visit_date", "2026-10-23"),
        ("fields.verification.reason", "moved"),
        ("fields.verification.note", "came late"),
        ("fields.verification_id", "v-2"),
        ("fields.task_id", "another"),
        ("fields.round", "2"),
        ("form", "visit_verification"),
        ("fields", "no fields at all"),
    ],
)
def test_another_answer_under_our_id_is_an_alarm(path: str, value: object) -> None:
    decision = after_reading(REPORT, Stored(DocumentState.PRESENT, "1-a", changed(path, value)))
    assert (decision.state, decision.reason) == (State.REFUSED, NOT_OURS)


def test_a_report_somebody_deleted_is_withdrawn_and_not_sent_again() -> None:
    assert after_reading(REPORT, Stored(DocumentState.DELETED)).state == State.WITHDRAWN


@pytest.mark.parametrize(
    ("written", "state"),
    [
        (WriteResult(ok=True), State.SENT),
        (WriteResult(error="forbidden", reason="no"), State.REFUSED),
        (WriteResult(error="timeout", reason="shards"), State.PENDING),
        (WriteResult(), State.PENDING),
    ],
)
def test_each_answer_for_one_report_has_its_meaning(written: WriteResult, state: State) -> None:
    decision = after_writing(written)
    assert decision is not None
    assert decision.state == state


def test_a_conflict_is_decided_by_the_document_that_is_stored() -> None:
    assert after_writing(WriteResult(error="conflict")) is None


def test_a_refusal_keeps_the_chts_own_words() -> None:
    decision = after_writing(WriteResult(error="forbidden", reason="Only reviewers."))
    assert decision is not None
    assert decision.reason == "forbidden: Only reviewers"


def test_of_several_copies_the_first_counts_for_every_worker() -> None:
    ours = Stored(DocumentState.PRESENT, "1-a", REPORT)
    decision = after_searching(
        REPORT, [("b", ours), ("a", ours), ("0", Stored(DocumentState.DELETED))]
    )
    assert (decision.state, decision.report_id) == (State.SENT, "a")
    assert decision.reason == "The CHT has 2 copies of this report."


def test_what_was_found_and_then_deleted_is_withdrawn() -> None:
    found = [("a", Stored(DocumentState.DELETED))]
    assert after_searching(REPORT, found).state == State.WITHDRAWN


def test_the_api_is_given_no_id_and_the_sender_by_id_alone() -> None:
    report = REPORT | {"contact": {"_id": "sup-1", "parent": {"_id": "site-1"}}}
    body = for_the_api(report, "their-id")
    assert "_id" not in body
    assert body["contact"] == "sup-1"
    assert body["fields"] == REPORT["fields"] | {"replaces": "their-id"}
    assert for_the_api(report, None)["fields"] == REPORT["fields"]


def test_only_a_repeated_attempt_looks_first() -> None:
    assert [must_look_first(attempts) for attempts in (1, 2, 9)] == [False, True, True]


def test_pauses_grow_up_to_a_ceiling() -> None:
    pace = Backoff()
    pauses = [pace.pause(attempts) for attempts in range(1, 100)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=5)
    assert pauses[-1] == pace.longest_pause
