"""One appointment, one task: lists that are sent again each night, answers, edited days."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import pytest

from tests.integration.two_sites import Document, TwoSites, missed, person, verification, visit

pytestmark = pytest.mark.one_server

ANNA = person("anna", patient_id="55555")
FIRST, SECOND, THIRD = (
    missed(f"night{number}", "anna", reported=f"2026-11-{14 + number}") for number in (1, 2, 3)
)
# A window in which the first report alone would have ended.
SHORT = {"events": [{"id": "missed", "days": 0, "start": 0, "end": 3}]}


def nights(patient: str) -> list[Document]:
    """The same three reports about another patient."""
    return [
        missed(f"{patient}-{number}", patient, reported=f"2026-11-{14 + number}")
        for number in (1, 2, 3)
    ]


def each(patients: Iterable[str], first: str, second: str, third: str) -> dict[str, str]:
    """These standings of the three reports of each patient."""
    return {
        f"{patient}-{number}": standing
        for patient in patients
        for number, standing in enumerate((first, second, third), 1)
    }


def carried(field: TwoSites) -> dict[str, tuple[str, str]]:
    """Each report's standing, and the report whose task carries its appointment."""
    return {
        source_id: (standing, field.ledger(source_id)["appointment_task_id"].partition("~")[0])
        for source_id, standing in field.standings().items()
    }


def test_the_earliest_report_carries_the_task_and_says_how_often(field: TwoSites) -> None:
    # in another order than they were written
    field.begin(ANNA, THIRD, SECOND)
    assert field.standings() == {"night2": "open", "night3": "repeated"}
    field.change(FIRST)
    assert carried(field) == {
        "night1": ("open", "night1"),
        "night2": ("repeated", "night1"),
        "night3": ("repeated", "night1"),
    }
    row = field.ledger("night1")
    assert (row["report_count"], f"{row['last_reported_at']:%Y-%m-%d}") == (3, "2026-11-17")
    assert (row["state"], field.ledger("night3")["state"]) == ("Ready", "Cancelled")
    assert row["flags"] == []


def test_repeats_count_once_in_lists_progress_and_workload(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND, THIRD)
    assert field.listed() == ["night1"]
    assert (field.progress().done_count, field.progress().asked_count) == (0, 1)
    assert open_today(field) == 1
    field.answer("night1")
    assert (field.progress().done_count, field.progress().asked_count) == (1, 1)


def open_today(field: TwoSites) -> int:
    rows = field.records("supervisor_workload", "supervisor, day")
    (count,) = (
        row["open_count"]
        for row in rows
        if row["supervisor"] == "sup1" and f"{row['day']}" == "2026-11-20"
    )
    return int(count)


def test_what_was_answered_is_not_asked_again_the_next_night(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND)
    field.answer("night1")
    field.change(THIRD)
    assert field.listed() == []
    assert field.standings() == {"night1": "verified", "night2": "repeated", "night3": "repeated"}


def test_the_window_is_that_of_all_reports_together(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, **SHORT)
    assert field.standings() == {"night1": "expired"}
    field.change(THIRD)
    row = field.ledger("night1")
    assert (row["standing"], f"{row['opens_on']}", f"{row['closes_on']}") == (
        "open",
        "2026-11-15",
        "2026-11-20",
    )


def test_a_withdrawn_report_hands_over_and_the_answer_is_kept(field: TwoSites) -> None:
    answered, unanswered = ("anna", "berta"), ("cora", "dora")
    reports = {patient: nights(patient) for patient in answered + unanswered}
    field.begin(*map(person, reports), *chain(*reports.values()))
    for patient in answered:
        field.answer(f"{patient}-1")
    first = {patient: report for patient, (report, *_) in reports.items()}
    field.delete("anna-1")
    field.delete("cora-1")
    field.change(*({**first[patient], "deleted": True} for patient in ("berta", "dora")))
    assert field.standings() == {
        **each(answered, "withdrawn", "verified", "repeated"),
        **each(unanswered, "withdrawn", "open", "repeated"),
    }
    for patient in reports:
        assert field.ledger(f"{patient}-2")["report_count"] == 2
        carries = field.ledger(f"{patient}-3")["appointment_task_id"]
        assert carries == f"{patient}-2~missed~verify"
    field.change(*first.values())
    assert field.standings() == {
        **each(answered, "verified", "repeated", "repeated"),
        **each(unanswered, "open", "repeated", "repeated"),
    }


def test_when_all_reports_are_withdrawn_nothing_is_left_to_do(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND)
    field.withdraw("night1", "night2")
    assert set(field.standings().values()) == {"withdrawn"}
    assert field.listed() == []


def test_an_answer_counts_whichever_report_of_the_appointment_it_names(field: TwoSites) -> None:
    named = {"anna": 1, "berta": 2, "cora": 3}
    field.begin(*map(person, named), *chain(*map(nights, named)))
    field.change(
        *(
            verification(
                f"told-{patient}",
                f"{patient}-{number}",
                "not_visited",
                about=patient,
                appointment_date="2026-11-01",
            )
            for patient, number in named.items()
        )
    )
    assert field.standings() == each(named, "verified", "repeated", "repeated")
    for patient in named:
        row = field.ledger(f"{patient}-1")
        told = (row["verification_outcome"], row["verification_report_id"])
        assert told == ("not_visited", f"told-{patient}")


def test_of_answers_to_several_reports_the_highest_round_counts(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND)
    field.answer("night1", "visited")
    field.change(verification("correction", "night2", "not_visited", round_=2))
    assert field.ledger("night1")["verification_outcome"] == "not_visited"


def test_the_task_is_open_as_long_as_one_of_its_reports_would_be(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND, THIRD, visit("came", "anna", "2026-11-17T03:00:00Z"))
    # later than two of the reports, and earlier than the third
    assert field.standings()["night1"] == "open"
    field.withdraw("night3")
    assert field.standings()["night1"] == "resolved"
    field.change(THIRD, visit("came-again", "anna", "2026-11-18"))
    assert field.standings() == {"night1": "resolved", "night2": "repeated", "night3": "repeated"}


def test_two_appointments_of_a_patient_are_two_tasks(field: TwoSites) -> None:
    other = missed("other", "anna", on="2026-11-08", reported="2026-11-16")
    field.begin(ANNA, FIRST, SECOND, other)
    assert field.standings() == {"night1": "open", "night2": "repeated", "other": "open"}
    assert field.ledger("night1")["flags"] == field.ledger("other")["flags"] == ["duplicate_open"]
    field.answer("night1")
    assert field.standings()["other"] == "open"


def test_each_event_of_an_appointment_is_a_task_of_its_own(field: TwoSites) -> None:
    events = [{"id": one, "days": 0, "start": 0, "end": 28} for one in ("missed", "again")]
    field.begin(ANNA, FIRST, SECOND, events=events)
    rows = field.records("missed_appointment", "task_id")
    assert [(row["task_id"].partition("~verify")[0], row["standing"]) for row in rows] == [
        ("night1~again", "open"),
        ("night1~missed", "open"),
        ("night2~again", "repeated"),
        ("night2~missed", "repeated"),
    ]


def test_reports_without_a_readable_day_are_not_taken_for_one_appointment(field: TwoSites) -> None:
    days: list[Any] = ["", "2026-02-30", None, "0001-01-01"]
    reports = [missed(f"r{at}", "anna", on=day) for at, day in enumerate(days * 2)]
    field.begin(ANNA, *reports)
    assert field.listed() == [f"r{at}" for at, _ in enumerate(reports)]


def test_reports_about_an_unknown_patient_are_not_taken_for_one_appointment(
    field: TwoSites,
) -> None:
    reports = (missed(f"r{number}", {"patient_id": "31313"}) for number in (1, 2))
    field.begin(*reports)
    assert field.listed() == ["r1", "r2"]
    # and are, once somebody is registered under the code
    field.change(person("dora", patient_id="31313"))
    assert field.standings() == {"r1": "open", "r2": "repeated"}
    assert field.ledger("r2")["patient_uuid"] == "dora"


def test_without_an_appointment_date_each_report_asks_for_itself(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND, appointmentDate=None)
    assert field.listed() == ["night1", "night2"]
    row = field.ledger("night2")
    assert (row["appointment_task_id"], row["report_count"]) == (row["task_id"], 1)


def edited(report: dict[str, Any], on: str) -> dict[str, Any]:
    """The medical record system moves an appointment and keeps the report's id."""
    details = {**report["fields"]["trace_details"], "missed_appointment_date": on}
    return {**report, "fields": {**report["fields"], "trace_details": details}}


def test_an_edited_day_asks_again_and_keeps_the_old_answer_in_the_history(
    field: TwoSites,
) -> None:
    other = missed("b1", "berta")
    field.begin(ANNA, person("berta"), FIRST, other)
    on_the_page = field.answer("night1")
    field.change(verification("told", "b1", about="berta", appointment_date="2026-11-01"))
    assert field.standings() == {"night1": "verified", "b1": "verified"}
    field.change(edited(FIRST, "2026-11-08"), edited(other, "2026-11-08"))
    assert sorted(field.listed()) == ["b1", "night1"]
    for source_id, told in (("night1", on_the_page), ("b1", "told")):
        row = field.ledger(source_id)
        assert (row["standing"], row["flags"]) == ("open", ["appointment_changed"])
        assert row["verification_outcome"] is None
        old = field.verification(told)
        assert (f"{old['appointment_on']}", old["outcome"], old["void_reason"]) == (
            "2026-11-01",
            "visited",
            None,
        )
    field.change(FIRST, other)
    for source_id in ("night1", "b1"):
        row = field.ledger(source_id)
        assert (row["standing"], row["flags"]) == ("verified", [])


def test_an_edited_appointment_is_answered_by_a_further_round(field: TwoSites) -> None:
    field.begin(ANNA, FIRST)
    field.answer("night1", "visited")
    field.change(edited(FIRST, "2026-11-08"))
    field.answer("night1", "not_visited", follows_round=1)
    row = field.ledger("night1")
    assert (row["standing"], row["verification_outcome"], row["flags"]) == (
        "verified",
        "not_visited",
        [],
    )


def test_an_answer_without_a_day_counts_for_the_task_it_names(field: TwoSites) -> None:
    said: dict[str, Document] = {
        "anna": {},
        "berta": {"appointment_date": ""},
        "cora": {"appointment_date": "soon"},
    }
    reports = [missed(f"{patient}-1", patient) for patient in said]
    field.begin(*map(person, said), *reports)
    field.change(
        *(
            verification(f"told-{patient}", f"{patient}-1", about=patient, **more)
            for patient, more in said.items()
        )
    )
    field.change(*(edited(report, "2026-11-08") for report in reports))
    for patient in said:
        row = field.ledger(f"{patient}-1")
        assert (patient, row["standing"], row["flags"]) == (patient, "verified", [])


def test_an_answer_to_another_day_does_not_count(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, verification("told", "night1", appointment_date="2026-10-11"))
    row = field.ledger("night1")
    assert (row["standing"], row["flags"]) == ("open", ["appointment_changed"])


def test_a_report_edited_to_another_appointment_leaves_the_first_to_its_repeats(
    field: TwoSites,
) -> None:
    field.begin(ANNA, FIRST, SECOND, THIRD)
    field.change(verification("told", "night2", appointment_date="2026-11-01"))
    field.change(edited(FIRST, "2026-11-08"))
    assert field.standings() == {"night1": "open", "night2": "verified", "night3": "repeated"}
    field.change(edited(THIRD, "2026-11-08"))
    assert field.standings() == {"night1": "open", "night2": "verified", "night3": "repeated"}
    assert field.ledger("night3")["appointment_task_id"] == "night1~missed~verify"
    assert field.ledger("night1")["report_count"] == 2


def test_our_answer_stays_with_its_appointment_before_it_has_landed(field: TwoSites) -> None:
    field.begin(ANNA, FIRST, SECOND)
    field.answer("night1")
    field.change(edited(FIRST, "2026-11-08"))
    assert field.standings() == {"night1": "open", "night2": "verified"}
    assert field.ledger("night1")["flags"] == ["appointment_changed"]


def test_an_answer_stays_with_its_patient_when_the_report_is_edited_to_another(
    field: TwoSites,
) -> None:
    field.begin(ANNA, person("berta"), FIRST, SECOND)
    told = field.answer("night1")
    row = field.connection.execute(
        "select report from app.outbox where report_id = %s", [told]
    ).fetchone()
    assert row is not None
    field.change(row[0])
    field.change({**FIRST, "fields": {**FIRST["fields"], "patient_uuid": "berta"}})
    assert field.standings() == {"night1": "open", "night2": "verified"}
    assert field.ledger("night1")["flags"] == ["appointment_changed"]
    assert field.ledger("night2")["verified_by"] == "sup1"


def test_a_report_from_the_cht_about_another_patient_than_its_task_answers_neither(
    field: TwoSites,
) -> None:
    other = missed("other", "berta")
    told = verification("told", "night1", about="berta", appointment_date="2026-11-01")
    field.begin(ANNA, person("berta"), FIRST, other, told)
    assert field.standings() == {"night1": "open", "other": "open"}


def test_two_events_of_one_appointment_are_not_two_appointments(field: TwoSites) -> None:
    events = [{"id": one, "days": 0, "start": 0, "end": 28} for one in ("missed", "again")]
    field.begin(ANNA, FIRST, events=events)
    rows = field.records("missed_appointment", "task_id")
    assert [row["flags"] for row in rows] == [[], []]


def test_elements_of_one_schedule_are_not_reports_of_one_appointment(field: TwoSites) -> None:
    schedule = [
        {"due": "2026-11-10T08:00:00Z", "group": group, "type": "anc", "state": "sent"}
        for group in (1, 2)
    ]
    registered = {**missed("p1", "anna"), "form": "P", "scheduled_tasks": schedule}
    field.begin(
        ANNA,
        registered,
        appliesTo="scheduled_tasks",
        appliesToType=["P"],
        appointmentDate="scheduled_task.due",
    )
    rows = field.records("missed_appointment", "task_id")
    assert [(row["standing"], row["report_count"]) for row in rows] == [("open", 1)] * 2


def test_a_patient_who_is_found_to_be_another_takes_the_reports_along(field: TwoSites) -> None:
    by_code = missed("night1", {"patient_id": "55555"}, reported="2026-11-15")
    field.begin(ANNA, by_code, SECOND)
    assert field.standings() == {"night1": "open", "night2": "repeated"}
    field.change({**ANNA, "patient_id": "66666"}, person("berta", patient_id="55555"))
    assert field.standings() == {"night1": "open", "night2": "open"}
    assert field.ledger("night1")["patient_uuid"] == "berta"
