"""What really closes a task, and whom to trace."""

from itertools import chain
from typing import Any

import pytest

from tests.integration.two_sites import (
    Document,
    TwoSites,
    missed,
    person,
    report,
    verification,
    visit,
)

pytestmark = pytest.mark.one_server

ANNA = person("anna", patient_id="55555")
BERTA = person("berta", patient_id="55555")
ATTENDED = {
    "form": "referral_follow_up",
    "if": '$.fields.attended == "yes"',
    "source": "fields.inputs.source_id",
    "visit": "fields.visited_on",
}
REFERRED = {
    "appliesToType": ["referral"],
    "appointmentDate": "fields.appointment",
    "resolvedIf": {"newerReport": [ATTENDED]},
}


def referral(uuid: str, on: str = "2026-11-01", reported: str = "2026-11-10") -> Document:
    return report(uuid, "referral", "anna", reported, appointment=on)


def follow_up(uuid: str, source: str, **said: Any) -> Document:
    says = {"attended": "yes", "visited_on": "2026-11-12", **said}
    return report(uuid, "referral_follow_up", "anna", inputs={"source_id": source}, **says)


def test_the_follow_up_of_a_referral_closes_that_referral_and_no_other(field: TwoSites) -> None:
    others = (referral("r2", on="2026-11-08"), follow_up("f1", "r1"))
    field.begin(ANNA, referral("r1"), *others, **REFERRED)
    assert field.standings() == {"r1": "resolved", "r2": "open"}
    row = field.ledger("r1")
    assert (row["resolved_by_report"], row["resolved_by_form"]) == ("f1", "referral_follow_up")


def test_a_follow_up_that_does_not_meet_every_condition_closes_nothing(field: TwoSites) -> None:
    field.begin(
        ANNA,
        referral("r1"),
        *(follow_up(f"f{one}", "r1", attended=one) for one in ("no", "", None)),
        *(follow_up(f"v{one}", "r1", visited_on=one) for one in ("2026-10-31", "", "9999-12-31")),
        follow_up("f-other", "r2"),
        follow_up("f-none", ""),
        {**follow_up("f-early", "r1"), "reported_date": "2026-11-09T08:00:00Z"},
        **REFERRED,
    )
    assert field.standings() == {"r1": "open"}


def test_a_follow_up_that_is_edited_opens_and_closes_its_referral(field: TwoSites) -> None:
    field.begin(ANNA, referral("r1"), referral("r2", on="2026-11-08"), **REFERRED)
    field.change(follow_up("f1", "r1"))
    assert field.standings() == {"r1": "resolved", "r2": "open"}
    field.change(follow_up("f1", "r1", attended="no"))
    assert field.standings() == {"r1": "open", "r2": "open"}
    field.change(follow_up("f1", "r2"))
    assert field.standings() == {"r1": "open", "r2": "resolved"}


def test_a_visit_on_the_day_of_the_appointment_counts(field: TwoSites) -> None:
    field.begin(ANNA, referral("r1"), follow_up("f1", "r1", visited_on="2026-11-01"), **REFERRED)
    assert field.standings() == {"r1": "resolved"}
    # the appointment moves past the visit
    field.change(referral("r1", on="2026-11-13"))
    assert field.standings() == {"r1": "open"}


def test_a_form_name_and_conditions_stand_side_by_side(field: TwoSites) -> None:
    either = {"newerReport": ["visit_verification", ATTENDED]}
    field.begin(ANNA, referral("r1"), **{**REFERRED, "resolvedIf": either})
    field.change(follow_up("f1", "r1", attended="no"), visit("came", "anna"))
    assert field.ledger("r1")["resolved_by_report"] == "came"


ALL_OF_THEM = {
    "resolvedIf": {
        "all": [
            "visit_verification",
            {"form": "lab_result", "if": '$.fields.result != "lost"'},
        ]
    }
}


def test_where_all_are_asked_for_one_alone_closes_nothing(field: TwoSites) -> None:
    result = report("result", "lab_result", "anna", result="negative")
    field.begin(ANNA, missed("a1", "anna"), visit("came", "anna"), **ALL_OF_THEM)
    assert field.standings() == {"a1": "open"}
    field.change(result)
    assert field.standings() == {"a1": "resolved"}
    field.change(report("result", "lab_result", "anna", result="lost"))
    assert field.standings() == {"a1": "open"}
    field.change(result)
    field.withdraw("came")
    assert field.standings() == {"a1": "open"}


def test_a_resolver_that_names_a_patient_by_a_shared_code_closes_nothing(field: TwoSites) -> None:
    about = {"patient_id": "55555"}
    told = follow_up("f1", "r1")
    told["fields"] = {
        **about,
        **{key: one for key, one in told["fields"].items() if key != "patient_uuid"},
    }
    field.begin(ANNA, BERTA, referral("r1"), told, **REFERRED)
    assert field.standings() == {"r1": "open"}


TRACED = {
    "tracing": {
        "forms": ["trace_follow_up", "home_visit"],
        "outcome": "fields.found",
        "notFor": ["transferred_out", "died"],
    }
}


def begin(field: TwoSites, *more: Document, **keys: Any) -> None:
    """Anna's missed appointment is confirmed, today at eight."""
    answer = verification("told", "a1", "not_visited", reason="moved")
    field.begin(ANNA, missed("a1", "anna"), answer, *more, **{**TRACED, **keys})


def confirmed(patient: str, reason: str = "moved") -> tuple[Document, ...]:
    """The same of another patient."""
    answer = verification(
        f"told-{patient}", f"missed-{patient}", "not_visited", about=patient, reason=reason
    )
    return person(patient), missed(f"missed-{patient}", patient), answer


def traced(
    uuid: str, reported: str, form: str = "trace_follow_up", *, about: str = "anna", **said: Any
) -> Document:
    return report(uuid, form, about, reported, sender="chw1", **said)


LATER = "2026-11-20T09:00:00Z"


def test_whose_missed_appointment_is_confirmed_is_to_be_traced(field: TwoSites) -> None:
    begin(field)
    row = field.to_trace()["anna"]
    assert (row["task_id"], row["verification_reason"], row["chw_uuid"]) == (
        "a1~missed~verify",
        "moved",
        "chw1",
    )
    assert row["traced_at"] is row["trace_form"] is row["trace_outcome"] is None


def test_the_definition_says_for_which_reasons_nobody_goes(field: TwoSites) -> None:
    reasons = {"pd": "died", "pt": "transferred_out", "pe": "record_error", "pn": ""}
    field.begin(*chain(*(confirmed(one, reason) for one, reason in reasons.items())), **TRACED)
    assert set(field.to_trace()) == {"pe", "pn"}


def test_a_trace_after_the_answer_takes_the_patient_off_the_sheet(field: TwoSites) -> None:
    forms = {"pt": "trace_follow_up", "ph": "home_visit", "po": "household_survey"}
    field.begin(
        *chain(*map(confirmed, forms)),
        *(traced(f"went-{one}", LATER, form, about=one) for one, form in forms.items()),
        **TRACED,
    )
    assert set(field.to_trace()) == {"po"}, "another form is no trace"
    assert set(field.standings().values()) == {"verified"}


def test_a_trace_made_before_the_answer_is_shown_with_what_was_found(field: TwoSites) -> None:
    begin(
        field,
        traced("first", "2026-11-17", found="away"),
        traced("last", "2026-11-18", "home_visit", found="moved"),
    )
    row = field.to_trace()["anna"]
    assert (row["trace_form"], row["trace_outcome"]) == ("home_visit", "moved")
    assert f"{row['traced_at']:%Y-%m-%d}" == "2026-11-18"


def test_a_later_report_that_shows_that_the_patient_came_ends_the_search(field: TwoSites) -> None:
    begin(field)
    assert "anna" in field.to_trace()
    field.change(visit("came", "anna", LATER))
    assert field.to_trace() == {}
    field.withdraw("came")
    assert "anna" in field.to_trace()


def test_a_visit_ends_the_search_though_the_list_is_sent_again(field: TwoSites) -> None:
    begin(field, visit("came", "anna", LATER))
    field.change(missed("a2", "anna", reported="2026-11-21"))
    assert field.standings() == {"a1": "verified", "a2": "repeated"}
    assert field.to_trace() == {}


def test_an_answer_dated_when_it_cannot_be_is_from_when_it_landed(field: TwoSites) -> None:
    begin(field)
    told = verification("told", "a1", "not_visited", reason="moved")
    field.change({**told, "reported_date": "2027-12-01T08:00:00Z"})
    assert "anna" in field.to_trace()
    field.change(traced("went", "2026-11-21"))
    assert field.to_trace() == {}


def test_a_report_that_does_not_resolve_the_definition_ends_no_search(field: TwoSites) -> None:
    attended = [{"form": "visit_verification", "if": '$.fields.attended == "yes"'}]
    begin(field, resolvedIf={"default": True, "newerReport": attended})
    field.change(visit("came", "anna", LATER, attended="no"))
    assert "anna" in field.to_trace()
    field.change(visit("came", "anna", LATER, attended="yes"))
    assert field.to_trace() == {}


def test_a_withdrawn_report_says_so_answered_or_not_and_ends_the_search(field: TwoSites) -> None:
    begin(field, missed("a2", "anna", on="2026-11-08"))
    field.withdraw("a1", "a2")
    assert field.standings() == {"a1": "withdrawn", "a2": "withdrawn"}
    assert field.to_trace() == {}


def test_a_correction_to_visited_ends_the_search(field: TwoSites) -> None:
    begin(field)
    field.change(verification("corrected", "a1", "visited", round_=2))
    assert field.to_trace() == {}


def test_an_answer_visited_to_a_repeat_of_the_appointment_ends_the_search(field: TwoSites) -> None:
    begin(field, missed("a2", "anna", reported="2026-11-19"))
    assert "anna" in field.to_trace()
    field.change(verification("corrected", "a2", "visited", round_=2))
    assert field.to_trace() == {}


def test_an_edited_appointment_is_not_confirmed_and_nobody_is_sent(field: TwoSites) -> None:
    begin(field, verification("told", "a1", "not_visited", appointment_date="2026-11-01"))
    assert "anna" in field.to_trace()
    field.change(missed("a1", "anna", on="2026-11-08"))
    assert field.to_trace() == {}


def test_a_void_answer_sends_nobody(field: TwoSites) -> None:
    begin(field, verification("told", "a1", "not_visited", sender="chw1"))
    assert field.to_trace() == {}


def test_a_trace_of_a_shared_code_alone_is_no_trace_of_the_patient(field: TwoSites) -> None:
    went = report("went", "trace_follow_up", {"patient_id": "55555"}, LATER)
    begin(field, BERTA, went)
    assert "anna" in field.to_trace()
