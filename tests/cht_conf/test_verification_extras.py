"""A CHW is sent after the verification: a configuration that was there, changed as deploy/cht says.

It is compiled by cht-conf itself and evaluated as on a phone. All traces are about one patient;
`tell` says in which state the task of a trace is on a day, None where it is not there.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.worklist.rules import FORM
from tests.cht_conf.conftest import (
    HERE,
    PROJECT,
    Compile,
    Phone,
    changed_as_told,
    readme_block,
)

Report = dict[str, Any]
Tell = Callable[..., str | None]

FIRST = datetime(2026, 12, 7, 6, tzinfo=UTC)  # eight o'clock in the programme's zone
PATIENT = {"_id": "patient", "type": "contact", "contact_type": "person", "name": "Grace"}
MISSED = "2026-12-03"
EXTRAS = (PROJECT / "deploy" / "cht" / "verification-extras.js").read_text()
TASKS = (HERE / "project" / "tasks.js").read_text()
CHANGED = changed_as_told(TASKS, readme_block("diff", "isReleased"))


@pytest.fixture(scope="module")
def unchanged(cht_conf: Path, compiled: Compile) -> Phone:
    return Phone(cht_conf, compiled({}))


@pytest.fixture(scope="module")
def phone(cht_conf: Path, compiled: Compile) -> Phone:
    return Phone(cht_conf, compiled({"tasks.js": CHANGED, "verification-extras.js": EXTRAS}))


@pytest.fixture
def tell(phone: Phone) -> Tell:
    def told(
        day: float, *reports: Report, of: str = "trace", contact: dict[str, Any] | None = None
    ) -> str | None:
        return _state(phone, day, reports, of, contact or PATIENT)

    return told


def _state(
    phone: Phone, day: float, reports: Sequence[Report], of: str, contact: dict[str, Any]
) -> str | None:
    found = phone.tasks(_moment(day).isoformat(), contact, reports)
    task = found.get(f"{of}~trace-visit~trace-follow-up")
    return task["state"] if task else None


def _moment(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def _report(id_: str, form: str, day: float, fields: dict[str, Any]) -> Report:
    reported = int(_moment(day).timestamp() * 1000)
    shared = {"patient_uuid": "patient", **fields}
    return {
        "_id": id_,
        "type": "data_record",
        "form": form,
        "reported_date": reported,
        "fields": shared,
    }


def trace(
    id_: str = "trace", *, day: float = 0, reasons: str = "art", missed: object = MISSED
) -> Report:
    details = {"trace_reasons": reasons, "missed_appointment_date": missed}
    return _report(id_, "trace", day, {"trace_details": details})


def answer(
    outcome: str,
    reason: str = "",
    *,
    day: float = 1,
    round_: int = 1,
    of: str = "trace",
    missed: str = MISSED,
    definition: str = "verify-missed-appointment",
) -> Report:
    """As the write-back sends it."""
    task_id = f"{of}~verify~{definition}"
    fields = {
        "inputs": {"source": "task", "source_id": of, "task_id": task_id},
        "task_id": task_id,
        "appointment_date": missed,
        "verification": {"outcome": outcome, "visit_date": "", "reason": reason, "note": ""},
        "round": str(round_),
    }
    return _report(f"answer-{of}-{round_}-{day}", FORM, day, fields)


def by_hand(outcome: str, *, day: float) -> Report:
    """Filled in on the patient's profile, where nothing says what it answers."""
    fields = {"inputs": {"source": "contact", "task_id": ""}, "appointment_date": "", "round": ""}
    return _report(f"by-hand-{day}", FORM, day, {**fields, "verification": {"outcome": outcome}})


def follow_up(of: str, *, day: float) -> Report:
    return _report(f"follow-up-{day}", "trace_follow_up", day, {"inputs": {"source_id": of}})


NOT_VISITED = answer("not_visited", "moved")


@pytest.mark.parametrize("day", [0, 2, 4, 11, 28])
def test_without_an_answer_there_is_no_task(tell: Tell, day: float) -> None:
    assert tell(day, trace()) is None


def test_a_patient_who_did_not_come_is_traced_after_the_answer(phone: Phone, tell: Tell) -> None:
    days = {day: tell(day, trace(), NOT_VISITED) for day in (1, 2, 3, 12, 13)}
    assert days == {1: "Draft", 2: "Draft", 3: "Ready", 12: "Ready", 13: "Failed"}
    (task,) = phone.tasks(_moment(4).isoformat(), PATIENT, [trace(), NOT_VISITED]).values()
    assert task["due_on"] == "2026-12-11"


@pytest.mark.parametrize("reason", ["moved", "other", ""])
def test_somebody_goes_for_these_reasons(tell: Tell, reason: str) -> None:
    assert tell(4, trace(), answer("not_visited", reason)) == "Ready"


@pytest.mark.parametrize("reason", ["transferred_out", "died", "record_error"])
def test_nobody_goes_for_these_reasons(tell: Tell, reason: str) -> None:
    assert tell(4, trace(), answer("not_visited", reason)) is None


def test_a_patient_who_came_is_not_traced(tell: Tell) -> None:
    assert [tell(day, trace(), answer("visited")) for day in (1, 4, 40)] == [None] * 3


def test_the_highest_round_counts_in_whatever_order_reports_arrive(tell: Tell) -> None:
    visited = answer("visited", round_=2, day=1)
    assert tell(4, trace(), answer("not_visited", "moved", day=2), visited) == "Completed"
    earlier = answer("visited", round_=1, day=2)
    assert tell(4, trace(), earlier, answer("not_visited", round_=2, day=1)) == "Ready"


def test_a_correction_closes_the_task_and_another_reopens_it(tell: Tell) -> None:
    corrected = answer("visited", round_=2, day=4)
    assert tell(5, trace(), NOT_VISITED, corrected) == "Completed"
    again = answer("not_visited", "other", round_=3, day=6)
    assert tell(7, trace(), NOT_VISITED, corrected, again) == "Draft"
    assert tell(8, trace(), NOT_VISITED, corrected, again) == "Ready"


def test_a_corrected_reason_does_not_send_the_chw_twice(tell: Tell) -> None:
    corrected = answer("not_visited", "other", round_=2, day=6)
    assert tell(7, trace(), NOT_VISITED, follow_up("trace", day=4), corrected) == "Completed"


def test_an_answer_without_an_outcome_is_none(tell: Tell) -> None:
    assert tell(4, trace(), answer("")) is None
    assert tell(4, trace(), NOT_VISITED, answer("", round_=2, day=2)) == "Ready"
    assert tell(30, trace(), answer("")) == "Draft"


def test_an_answer_that_says_of_itself_deleted_is_none(tell: Tell) -> None:
    assert tell(4, trace(), {**NOT_VISITED, "deleted": True}) is None


@pytest.mark.parametrize("reasons", ["malnutrition", "lab_results other", ""])
def test_what_no_definition_selects_goes_through_as_before(
    unchanged: Phone, tell: Tell, reasons: str
) -> None:
    reports = [trace(reasons=reasons)]
    for day in (0, 2, 11, 12):
        before = _state(unchanged, day, reports, "trace", PATIENT)
        assert tell(day, *reports) == before
    assert tell(4, *reports) == "Ready"


def test_what_nobody_answered_in_time_goes_through(tell: Tell) -> None:
    # the last day ends at midnight, two thirds of a day after the hour of the report
    days = {day: tell(day, trace()) for day in (28.6, 28.7, 30, 31, 40, 41)}
    assert days == {
        28.6: None,
        28.7: "Draft",
        30: "Draft",
        31: "Ready",
        40: "Ready",
        41: "Failed",
    }


def test_an_answer_after_the_end_still_counts(tell: Tell) -> None:
    assert tell(33, trace(), answer("visited", day=32)) == "Completed"
    assert tell(36, trace(), answer("not_visited", "moved", day=34)) == "Ready"
    assert tell(36, trace(), answer("not_visited", "died", day=34)) == "Completed"


def test_an_answer_in_time_withholds_also_after_the_end(tell: Tell) -> None:
    assert tell(33, trace(), answer("visited", day=27)) is None


def test_reports_from_before_the_supervisors_began_go_as_before(
    unchanged: Phone, tell: Tell
) -> None:
    old = trace(day=-10)
    for day in (-8, -1, 0, 2):
        assert tell(day, old) == _state(unchanged, day, [old], "trace", PATIENT)
    assert tell(-1, old) == "Ready"
    assert tell(-1, old, answer("visited", day=-2)) == "Completed"


def test_an_answer_to_another_appointment_changes_nothing(tell: Tell) -> None:
    other = trace("other", day=1, missed="2026-12-05")
    visited = answer("visited", of="other", missed="2026-12-05", day=2)
    assert tell(4, trace(), other, visited) is None
    assert tell(5, trace(), other, visited, NOT_VISITED) == "Ready"
    assert tell(5, trace(), other, visited, NOT_VISITED, of="other") is None


def test_an_answer_to_another_definition_changes_nothing(tell: Tell) -> None:
    assert tell(4, trace(), answer("not_visited", definition="verify-lab-results")) is None


def test_a_list_that_is_sent_again_each_night_gives_one_task(tell: Tell) -> None:
    nights = [trace(), *(trace(f"night-{day}", day=day) for day in range(1, 6))]
    assert tell(4, *nights, NOT_VISITED) == "Ready"
    assert tell(30, *nights) == "Draft"
    for day in range(1, 6):
        assert tell(4, *nights, NOT_VISITED, of=f"night-{day}") is None
        assert tell(31, *nights, of=f"night-{day}") is None


def test_two_reports_of_one_moment_give_one_task(tell: Tell) -> None:
    both = [trace(), trace("upon", day=0)]
    assert [tell(4, *both, NOT_VISITED, of=id_) for id_ in ("trace", "upon")] == ["Ready", None]


@pytest.mark.parametrize(
    "earlier",
    [trace("earlier", day=-0.5, reasons="other"), {**trace("earlier", day=-0.5), "deleted": True}],
)
def test_a_report_that_is_not_to_be_verified_does_not_count_for_another(
    tell: Tell, earlier: Report
) -> None:
    assert tell(4, earlier, trace(), NOT_VISITED) == "Ready"


def test_an_answer_counts_for_the_appointment_whichever_report_it_names(tell: Tell) -> None:
    nights = [trace(), trace("night", day=1)]
    assert tell(5, *nights, answer("not_visited", of="night", day=2)) == "Ready"
    assert tell(5, trace("night", day=1), NOT_VISITED, of="night") == "Ready"


def test_an_appointment_that_was_edited_waits_for_its_own_answer(tell: Tell) -> None:
    edited = trace(missed="2026-12-04")
    assert tell(5, edited, NOT_VISITED) is None
    assert tell(5, edited, NOT_VISITED, answer("visited", round_=2, missed="2026-12-04")) is None
    anew = answer("not_visited", round_=2, missed="2026-12-04", day=2)
    assert tell(5, edited, NOT_VISITED, anew) == "Ready"


@pytest.mark.parametrize("missed", ["", "soon", None])
def test_where_the_day_cannot_be_read_the_task_decides(tell: Tell, missed: object) -> None:
    traces = [trace(missed=missed), trace("second", day=0.5, missed=missed)]
    named = answer("not_visited", missed="")
    assert tell(4, *traces, named) == "Ready"
    assert tell(4, *traces, named, of="second") is None


def test_a_day_in_milliseconds_is_the_same_day(tell: Tell) -> None:
    missed = int(datetime(2026, 12, 2, 22, tzinfo=UTC).timestamp() * 1000)  # midnight there
    nights = [trace(missed=missed), trace("night", day=1, missed=MISSED)]
    assert tell(4, *nights, answer("not_visited", of="night", missed=MISSED)) == "Ready"
    assert tell(5, *nights, of="night") is None


def test_a_report_by_hand_answers_what_was_reported_before_it(tell: Tell) -> None:
    later = trace("later", day=3, missed="2026-12-08")
    assert tell(5, trace(), later, by_hand("not_visited", day=2)) == "Ready"
    assert tell(6, trace(), later, by_hand("not_visited", day=2), of="later") is None


@pytest.mark.parametrize(
    "contact",
    [{**PATIENT, "date_of_death": "2026-12-05"}, {**PATIENT, "muted": "2026-12-05T08:00:00Z"}],
)
def test_nobody_is_sent_to_the_dead_and_the_muted(tell: Tell, contact: dict[str, Any]) -> None:
    assert tell(4, trace(), NOT_VISITED, contact=contact) is None


def test_the_follow_up_of_this_report_resolves_it_and_no_other(tell: Tell) -> None:
    assert tell(4, trace(), NOT_VISITED, follow_up("trace", day=4)) == "Completed"
    assert tell(4, trace(), NOT_VISITED, follow_up("another", day=4)) == "Ready"


def test_a_newer_visit_resolves_it(tell: Tell) -> None:
    assert tell(4, trace(), NOT_VISITED, _report("v", "visit_verification", 3, {})) == "Completed"
    assert tell(4, trace(), NOT_VISITED, _report("v", "visit_verification", -1, {})) == "Ready"


def test_what_was_handed_to_the_form_is_still_handed_to_it(unchanged: Phone, phone: Phone) -> None:
    before = unchanged.tasks(_moment(3).isoformat(), PATIENT, [trace()])
    after = phone.tasks(_moment(4).isoformat(), PATIENT, [trace(), NOT_VISITED])
    ((id_, old),) = before.items()
    assert after[id_]["actions"] == old["actions"]
    assert old["actions"][0]["content"]["t_missed_date"] == MISSED
    assert (after[id_]["priority"], after[id_]["state"]) == (7, "Ready")


def test_other_tasks_are_left_alone(unchanged: Phone, phone: Phone) -> None:
    details = {"trace_details": {"next_attempt_date": "2026-12-20"}}
    reports = [_report("follow-up", "trace_follow_up", 4, details)]
    moment = _moment(13).isoformat()
    after = phone.tasks(moment, PATIENT, reports)
    assert after == unchanged.tasks(moment, PATIENT, reports)
    assert after["follow-up~attempt~trace-next-attempt"]["state"] == "Ready"


def test_the_default_resolution_can_be_kept_beside_ours(cht_conf: Path, compiled: Compile) -> None:
    start, end = CHANGED.index("    resolvedIf:"), CHANGED.index("    events:")
    tasks = CHANGED[:start] + readme_block("js", "defaultResolvedIf") + CHANGED[end:]
    tasks = tasks.replace(", startsFrom }", " }")
    phone = Phone(cht_conf, compiled({"tasks.js": tasks, "verification-extras.js": EXTRAS}))
    anybody = follow_up("another", day=4)
    for reports, state in (
        ([], "Ready"),
        ([anybody], "Completed"),
        ([answer("visited", round_=2, day=2)], "Completed"),
    ):
        assert _state(phone, 5, [trace(), NOT_VISITED, *reports], "trace", PATIENT) == state


def test_the_context_for_filling_in_by_hand_compiles(compiled: Compile) -> None:
    context = readme_block("js", "missed_appointment_task_id")
    exports = "module.exports = { context, fields: [], cards: [] };\n"
    assert compiled({"contact-summary.templated.js": context + exports})
