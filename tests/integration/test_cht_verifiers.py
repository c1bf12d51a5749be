"""Who may verify in the CHT, and what an answer from there is worth."""

from typing import Any

import pytest

from pipeline.worklist import explanation_facts
from tests.integration.two_sites import TwoSites, account, missed, person, verification

pytestmark = pytest.mark.one_server

ANNA = person("anna", patient_id="55555")
MISSED = missed("a1", "anna")
# The contacts of an officer, a deactivated supervisor and a nurse, each an online user.
PEOPLE = (
    *(person(one, household="site1") for one in ("officer1", "gone1", "removed1", "nurse1")),
    account("officer1", "officer1", "program_officer"),
    account("gone1", "gone1", "site_supervisor", inactive=True),
    account("removed1", "removed1", "site_supervisor"),
    account("nurse1", "nurse1", "tb_nurse"),
    {**account("walking", "chw1", "chw"), "roles": ["chw"]},
)


def begin(field: TwoSites, *more: dict[str, Any], **keys: Any) -> None:
    field.begin(ANNA, MISSED, *PEOPLE, *more, **keys)


def answered_by(field: TwoSites, senders: list[str]) -> dict[str, tuple[str, str | None]]:
    """What two answers of each sender come to, one that names its task and one its patient.

    Each is about a patient of its own: the standing of the task, and why the answer is void.
    """
    answers = [(sender, way) for sender in senders for way in ("task", "patient")]
    ids = [f"{sender}-{way}" for sender, way in answers]
    begin(
        field,
        *(person(f"patient-{one}") for one in ids),
        *(missed(f"missed-{one}", f"patient-{one}") for one in ids),
        *(
            verification(
                one,
                f"missed-{one}" if way == "task" else "",
                sender=sender,
                about=f"patient-{one}",
            )
            for one, (sender, way) in zip(ids, answers, strict=True)
        ),
    )
    field.withdraw("org.couchdb.user:removed1")
    standings = field.standings()
    found = {}
    for one, (sender, _) in zip(ids, answers, strict=True):
        told = field.verification(one)
        assert told["sender_uuid"] == sender
        found[one] = (standings[f"missed-{one}"], told["void_reason"])
    return found


def test_a_current_or_former_supervisor_verifies(field: TwoSites) -> None:
    found = answered_by(field, ["boss1", "boss2", "gone1", "removed1"])
    assert found == dict.fromkeys(found, ("verified", None))


def test_a_sender_who_may_not_verify_closes_nothing_and_is_seen(field: TwoSites) -> None:
    found = answered_by(field, ["chw1", "officer1", "nurse1", "nobody", "anna"])
    assert found == dict.fromkeys(found, ("open", "not_authorised"))


def test_an_answer_without_an_outcome_is_none(field: TwoSites) -> None:
    outcomes: dict[str, Any] = {"berta": "", "cora": "perhaps", "dora": None}
    begin(
        field,
        *map(person, outcomes),
        *(missed(f"missed-{one}", one) for one in outcomes),
        *(
            verification(f"{way}-{one}", task, outcome, about=one)
            for one, outcome in outcomes.items()
            for way, task in (("told", f"missed-{one}"), ("by-hand", ""))
        ),
    )
    assert set(field.standings().values()) == {"open"}
    for one in outcomes:
        for way in ("told", "by-hand"):
            assert field.verification(f"{way}-{one}")["void_reason"] == "no_outcome"
    assert explanation_facts.void_verifications(field.connection) == {"no_outcome": 6}


def test_a_void_answer_does_not_replace_one_that_counts(field: TwoSites) -> None:
    begin(field, verification("told", "a1", "not_visited"))
    field.change(verification("forged", "a1", "visited", sender="chw1", round_=2))
    row = field.ledger("a1")
    assert (row["standing"], row["verification_outcome"]) == ("verified", "not_visited")
    assert row["verification_report_id"] == "told"


def test_the_rules_of_another_definition_authorise_nobody(field: TwoSites) -> None:
    begin(field, verification("told", "a1"), assignedTo={"roles": ["tb_nurse"]})
    assert field.standings() == {"a1": "open"}
    field.change(verification("told-again", "a1", sender="nurse1"))
    assert field.standings() == {"a1": "verified"}


def test_a_name_written_into_a_report_proves_nothing(field: TwoSites) -> None:
    begin(field, verification("told", "a1", sender="chw1", verified_by="sup1"))
    assert field.standings() == {"a1": "open"}
    assert field.verification("told")["verified_by"] is None
    # and that of a supervisor's answer is not repeated either: the sender is known, the user not
    field.change(verification("told", "a1", sender="boss1", verified_by="sup2"))
    row, told = field.ledger("a1"), field.verification("told")
    assert (row["standing"], row["verification_answered_in"]) == ("verified", "cht")
    assert row["verified_by"] is told["verified_by"] is None
    assert (told["answered_in"], told["sender_uuid"]) == ("cht", "boss1")


def test_our_own_answer_is_ours_before_and_after_it_lands(field: TwoSites) -> None:
    begin(field)
    report_id = field.answer("a1")
    for _ in range(2):
        row, told = field.ledger("a1"), field.verification(report_id)
        assert (row["standing"], row["verified_by"]) == ("verified", "sup1")
        assert (row["verification_answered_in"], told["answered_in"]) == ("worklist", "worklist")
        assert (told["verified_by"], told["void_reason"]) == ("sup1", None)
        field.change(written(field, report_id))


def written(field: TwoSites, report_id: str) -> dict[str, Any]:
    """The report as it is sent to the CHT."""
    row = field.connection.execute(
        "select report from app.outbox where report_id = %s", [report_id]
    ).fetchone()
    assert row is not None
    return dict(row[0])


def test_our_report_edited_in_the_cht_is_not_ours_any_more(field: TwoSites) -> None:
    begin(field)
    report_id = field.answer("a1", "not_visited")
    edited = written(field, report_id)
    edited["fields"]["verification"]["outcome"] = "visited"
    edited["fields"]["round"] = "2"
    field.change(edited)
    row = field.ledger("a1")
    assert (row["verification_outcome"], row["verification_answered_in"]) == ("visited", "cht")
    assert row["verified_by"] is None
    rows = field.records("verification", "round")
    assert [(one["answered_in"], one["outcome"]) for one in rows] == [
        ("worklist", "not_visited"),
        ("cht", "visited"),
    ]


def test_what_we_accepted_counts_though_its_sender_has_lost_the_role(field: TwoSites) -> None:
    begin(field)
    report_id = field.answer("a1")
    field.change(written(field, report_id), account("sup1", "boss1", "program_officer"))
    assert field.standings() == {"a1": "verified"}
    assert field.verification(report_id)["void_reason"] is None


def test_a_copy_that_names_our_answer_is_judged_by_its_own_sender(field: TwoSites) -> None:
    begin(field)
    report_id = field.answer("a1", "not_visited")
    ours = written(field, report_id)["fields"]["verification_id"]
    forged = verification("copy", "a1", "visited", sender="chw1", round_=2, verification_id=ours)
    field.change(forged)
    assert field.ledger("a1")["verification_outcome"] == "not_visited"


def test_an_account_that_lands_later_makes_an_answer_count(field: TwoSites) -> None:
    begin(field, person("new1", household="site1"), verification("told", "a1", sender="new1"))
    assert field.standings() == {"a1": "open"}
    field.change(account("new1", "new1", "site_supervisor"))
    assert field.standings() == {"a1": "verified"}
    field.change(account("new1", "somebody-else", "site_supervisor"))
    assert field.standings() == {"a1": "open"}


def test_a_definition_may_count_our_own_answers_only(field: TwoSites) -> None:
    begin(field, verification("told", "a1"), verification("by-hand", ""), verifiedInCht=False)
    assert field.standings() == {"a1": "open"}
    field.answer("a1", follows_round=last_round(field))
    assert field.standings() == {"a1": "verified"}


def last_round(field: TwoSites) -> int:
    row = field.connection.execute(
        "select last_round from worklist_pii.identified_task where source_id = 'a1'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_verification_form_is_void_as_any_newer_report_too(field: TwoSites) -> None:
    begin(
        field,
        verification("told", "", sender="chw1"),
        resolvedIf={"newerReport": ["missed_appointment_verification"]},
    )
    assert field.standings() == {"a1": "open"}
    field.change(verification("told-again", "", sender="boss1"))
    assert field.standings() == {"a1": "verified"}
