"""Who may verify what, with which answer, and the report that carries it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from pipeline.worklist import rules
from pipeline.worklist.records import Answer, Definition, KnownVerification, Sent, Task, Viewer

TODAY = date(2026, 11, 20)
SUPERVISOR = Viewer("supervisor_matope", ("site_supervisor", "mm-online"), ("site",), "sup", True)
DEFINITION = Definition("verify", "Verify", ("site_supervisor",), ("moved", "died"))
TASK = Task(
    task_id="report~verify~verify-missed-appointment",
    task_uuid=UUID(int=1),
    source_id="report",
    definition="verify-missed-appointment",
    state="Ready",
    standing="open",
    flags=[],
    excluded_reason=None,
    appointment_task_uuid=UUID(int=1),
    report_count=1,
    last_reported_at=datetime(2026, 11, 16, tzinfo=UTC),
    patient_uuid="patient",
    place_uuid="household",
    place_name="Banda household",
    area_uuid="area",
    area_name="Phalula A",
    chw_uuid="chw",
    chw_name="Mary Phiri",
    facility_uuid="site",
    facility_name="Matope",
    appointment_on=date(2026, 10, 21),
    days_since_appointment=30,
    reported_at=datetime(2026, 11, 16, tzinfo=UTC),
    opens_on=date(2026, 11, 16),
    due_on=date(2026, 11, 16),
    closes_on=date(2026, 12, 14),
    days_overdue=4,
    days_left=24,
    resolved_at=None,
    resolved_by_report=None,
    resolved_by_form=None,
    verification_round=None,
    verification_outcome=None,
    verification_reason=None,
    verification_answered_in=None,
    verification_sender_name=None,
    verified_at=None,
    verified_by=None,
    title="Verify missed appointment",
    icon=None,
    priority_level=None,
    priority_label=None,
    patient_name="Grace Banda",
    patient_id="48213",
    reported_patient_uuid=None,
    phone=None,
    sex="female",
    date_of_birth=None,
    traced_at=None,
    trace_outcome=None,
    last_round=0,
    last_note=None,
    noted_by=None,
    noted_at=None,
)


@pytest.mark.parametrize(
    ("viewer", "sees_it"),
    [
        (SUPERVISOR, True),
        (replace(SUPERVISOR, roles=("tb_nurse", "mm-online")), False),
        (replace(SUPERVISOR, roles=("tb_nurse", "mm-online"), is_programme_wide=True), True),
        (replace(SUPERVISOR, is_online=False, is_programme_wide=True), False),
    ],
)
def test_a_list_holds_what_is_assigned_to_a_role_of_one_s_own_or_everything(
    viewer: Viewer, *, sees_it: bool
) -> None:
    assert rules.may_see(viewer, DEFINITION) == sees_it


def answered(round_: int, delivery: str = "pending") -> KnownVerification:
    return KnownVerification(
        report_id=f"report-{round_}",
        task_id=TASK.task_id,
        task_uuid=TASK.task_uuid,
        round=round_,
        outcome="visited",
        appointment_on=TASK.appointment_on,
        visit_on=None,
        reason=None,
        note=None,
        answered_in="worklist",
        void_reason=None,
        sender_uuid=None,
        sender_name=None,
        verified_by="deputy_matope",
        verified_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        delivery=delivery,
        replaces=None,
    )


@pytest.mark.parametrize("standing", ["open", "expired", "verified", "resolved"])
def test_a_supervisor_may_answer_what_is_due_was_due_or_is_answered(standing: str) -> None:
    rules.check_may_verify(SUPERVISOR, replace(TASK, standing=standing), DEFINITION)


@pytest.mark.parametrize(
    ("rule", "viewer", "task"),
    [
        ("online", replace(SUPERVISOR, is_online=False), TASK),
        ("role", replace(SUPERVISOR, roles=("program_officer", "mm-online")), TASK),
        ("contact", replace(SUPERVISOR, contact_uuid=None), TASK),
        ("scope", SUPERVISOR, replace(TASK, facility_uuid=None)),
        ("upcoming", SUPERVISOR, replace(TASK, standing="upcoming")),
        ("repeated", SUPERVISOR, replace(TASK, standing="repeated")),
        ("withdrawn", SUPERVISOR, replace(TASK, standing="withdrawn")),
        ("excluded", SUPERVISOR, replace(TASK, standing="excluded")),
    ],
)
def test_a_refusal_names_its_rule(rule: str, viewer: Viewer, task: Task) -> None:
    with pytest.raises(rules.NotAllowed) as refusal:
        rules.check_may_verify(viewer, task, DEFINITION)
    assert refusal.value.rule == rule


@pytest.mark.parametrize(
    "answer",
    [
        Answer("visited"),
        Answer("visited", visit_date="2026-11-20"),
        Answer("not_visited"),
        Answer("not_visited", reason="moved", note="x" * 2000),
        Answer("visited", note="“Grüße” \\ 😀\nsecond line"),
    ],
)
def test_details_may_be_given_or_left_out(answer: Answer) -> None:
    rules.check_answer(answer, DEFINITION, TODAY)


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("outcome", Answer("perhaps")),
        ("visit_date", Answer("visited", visit_date="2026-11-21")),
        ("visit_date", Answer("visited", visit_date="2026-02-30")),
        ("visit_date", Answer("visited", visit_date="20261020")),
        ("visit_date", Answer("visited", visit_date="0026-10-20")),
        ("visit_date", Answer("not_visited", visit_date="2026-10-20")),
        ("reason", Answer("visited", reason="moved")),
        ("reason", Answer("not_visited", reason="lost")),
        ("note", Answer("visited", note="x" * 2001)),
        ("note", Answer("visited", note="a\0b")),
    ],
)
def test_an_answer_that_cannot_be_meant_is_refused_by_field(field: str, answer: Answer) -> None:
    with pytest.raises(rules.InvalidInput) as refusal:
        rules.check_answer(answer, DEFINITION, TODAY)
    assert refusal.value.field == field


def test_the_second_of_two_supervisors_learns_who_was_first_and_when() -> None:
    with pytest.raises(rules.AlreadyVerified, match=r"by deputy_matope at 2026-11-20T08:30"):
        rules.check_follows(0, [answered(1)])


def test_a_correction_follows_the_last_round_even_if_that_was_withdrawn() -> None:
    rules.check_follows(2, [answered(2, "withdrawn"), answered(1)])
    with pytest.raises(rules.AlreadyVerified):
        rules.check_follows(1, [answered(2, "withdrawn"), answered(1)])


@pytest.mark.parametrize("history", [[], [answered(1)]])
def test_a_round_that_never_was_cannot_be_followed(history: list[KnownVerification]) -> None:
    with pytest.raises(rules.InvalidInput):
        rules.check_follows(2, history)


def test_a_report_id_never_changes_and_differs_by_instance_task_and_round() -> None:
    assert rules.report_id("cht", "task", 1) == "8279cce7-9ab6-5f99-bd86-dfaf37867723"
    others = {rules.report_id(*parts) for parts in [("b", "task", 1), ("cht", "t", 1)]}
    assert len(others | {rules.report_id("cht", "task", n) for n in (1, 2, 11)}) == 5


def test_a_request_is_known_again_by_everything_it_says() -> None:
    answer = Answer("visited", "2026-11-01", "", "note")
    answers = [
        answer,
        replace(answer, outcome="not_visited"),
        replace(answer, visit_date="", reason="2026-11-01"),
        replace(answer, note=""),
    ]
    different = {
        rules.request_hash(UUID(int=2), Sent(answer, 0, "key")),
        rules.request_hash(TASK.task_uuid, Sent(answer, 1, "key")),
        *(rules.request_hash(TASK.task_uuid, Sent(one, 0, "key")) for one in answers),
    }
    assert len(different) == 6


def report(task: Task = TASK) -> dict[str, Any]:
    return rules.verification_report(
        report_id="id",
        reported_at=datetime.fromtimestamp(1795300000, UTC),
        lineage=["sup", "site", "region"],
        task=task,
        answer=Answer("visited", "2026-10-22"),
        verification_id=UUID(int=7),
        verified_by="supervisor_matope",
        round_=2,
        replaces="earlier",
    )


def test_the_report_has_the_shape_that_the_cht_is_promised() -> None:
    assert report() == {
        "_id": "id",
        "type": "data_record",
        "form": "missed_appointment_verification",
        "content_type": "xml",
        "reported_date": 1795300000000,
        "contact": {"_id": "sup", "parent": {"_id": "site", "parent": {"_id": "region"}}},
        "hidden_fields": ["inputs", "verification_id", "task_id", "round", "replaces", "meta"],
        "fields": {
            "inputs": {
                "source": "task",
                "source_id": "report",
                "task_id": "report~verify~verify-missed-appointment",
                "contact": {"_id": "patient"},
            },
            "patient_uuid": "patient",
            "patient_id": "48213",
            "patient_name": "Grace Banda",
            "appointment_date": "2026-10-21",
            "verification": {
                "outcome": "visited",
                "visit_date": "2026-10-22",
                "reason": "",
                "note": "",
            },
            "verified_by": "supervisor_matope",
            "verification_id": "00000000-0000-0000-0000-000000000007",
            "task_id": "report~verify~verify-missed-appointment",
            "round": "2",
            "replaces": "earlier",
        },
    }


def test_an_unknown_patient_stays_who_the_source_report_says() -> None:
    unknown = replace(TASK, patient_uuid=None, reported_patient_uuid="as reported")
    assert report(unknown)["fields"]["patient_uuid"] == "as reported"


def test_every_leaf_of_a_report_about_nobody_known_is_a_string() -> None:
    unknown = replace(
        TASK, patient_uuid=None, patient_id=None, patient_name=None, appointment_on=None
    )

    def leaves(value: object) -> list[object]:
        return (
            [leaf for part in value.values() for leaf in leaves(part)]
            if isinstance(value, dict)
            else [value]
        )

    assert {type(leaf) for leaf in leaves(report(unknown)["fields"])} == {str}


@pytest.mark.parametrize(
    ("viewer", "missing", "has_worklist"),
    [
        (SUPERVISOR, [], True),
        (replace(SUPERVISOR, roles=("mm-online",)), ["role"], False),
        (replace(SUPERVISOR, facility_uuids=(), contact_uuid=None), ["place", "contact"], False),
        (replace(SUPERVISOR, contact_uuid=None), ["contact"], True),
        (replace(SUPERVISOR, is_online=False, contact_uuid=None), ["online"], False),
        (Viewer("officer", ("program_officer", "mm-online"), (), None, True, True), [], True),
        (replace(SUPERVISOR, facility_uuids=(), is_programme_wide=True), ["place"], True),
    ],
)
def test_an_account_is_shown_exactly_what_it_lacks(
    viewer: Viewer, missing: list[rules.Missing], has_worklist: bool
) -> None:
    assert rules.missing(viewer, {"site_supervisor"}) == missing
    assert rules.has_worklist(viewer, missing) == has_worklist
