"""What the field sends: the recorded feeds, and whom a report is about when codes are shared."""

from typing import Any

import pytest

from tests.integration.recorded_programme import SHIPPED
from tests.integration.two_sites import (
    FEEDS,
    TwoSites,
    documents,
    missed,
    person,
    verification,
    visit,
)

pytestmark = pytest.mark.one_server

CODE = "55555"
ANNA = person("anna", patient_id=CODE)
BERTA = person("berta", patient_id=CODE)
# the same code at the other site
CORA = person("cora", household="hh2", patient_id=CODE)


def begin_with_feed(field: TwoSites, feed: str, tasks_yml: str = SHIPPED) -> None:
    field.empty()
    field.define(tasks_yml)
    field.change(*documents(feed))


def test_a_report_with_a_shared_code_and_a_uuid_is_about_the_uuid(field: TwoSites) -> None:
    begin_with_feed(field, "shortcode-uuid")
    row = field.ledger("about-berta")
    assert (row["standing"], row["patient_uuid"], row["flags"]) == ("open", "pat-b", [])
    assert field.listed() == ["about-berta"]


def test_a_visit_of_another_owner_of_the_code_closes_nothing(field: TwoSites) -> None:
    begin_with_feed(field, "wrong-close")
    assert field.standings() == {"a1": "open"}


def test_a_bare_verification_by_a_chw_closes_nothing_and_is_seen(field: TwoSites) -> None:
    begin_with_feed(field, "bare-verification")
    assert field.standings() == {"t-bare": "open"}
    assert field.verification("bare")["void_reason"] in {"not_authorised", "no_outcome"}
    assert field.verification("bare")["sender_uuid"] == "chw1"


def test_an_appointment_reported_each_night_is_one_task(field: TwoSites) -> None:
    begin_with_feed(field, "nightly")
    assert field.standings() == {"night1": "open", "night2": "repeated", "night3": "repeated"}
    assert field.listed() == ["night1"]
    field.refresh("published")
    published = field.connection.execute(
        "select count(*), count(distinct appointment_task_id) from worklist.missed_appointment"
    )
    assert published.fetchone() == (3, 1)


def test_appointments_in_the_years_1_and_9999_are_due_on_the_day_of_their_report(
    field: TwoSites,
) -> None:
    begin_with_feed(field, "year-edge", (FEEDS / "year-edge.tasks.yml").read_text())
    for source_id in ("v-min", "v-max"):
        row = field.ledger(source_id)
        assert (row["standing"], str(row["due_on"])) == ("open", "2026-11-10")
        assert {"bad_appointment_date", "no_due_date"} <= set(row["flags"])
        assert row["appointment_on"] is None
    field.refresh("published")


def test_a_shared_code_alone_names_nobody_and_stays_with_the_sender(field: TwoSites) -> None:
    field.begin(ANNA, CORA, missed("code-alone", {"patient_id": CODE}))
    row = field.ledger("code-alone")
    assert (row["standing"], row["patient_uuid"], row["place_uuid"]) == ("open", None, "site1")
    assert sorted(row["flags"]) == ["ambiguous_patient", "place_from_sender"]
    assert (field.listed("sup1"), field.listed("sup2")) == (["code-alone"], [])


HOUSES = (
    {"_id": "hh1b", "type": "contact", "contact_type": "household", "parent": {"_id": "area1"}},
    {"_id": "hh2b", "type": "contact", "contact_type": "household", "parent": {"_id": "area2"}},
)


def test_a_uuid_anywhere_in_the_report_decides_and_reaches_its_own_site(field: TwoSites) -> None:
    houses = ({**house, "place_id": CODE} for house in HOUSES)
    ways: list[tuple[dict[str, Any], dict[str, str], str]] = [
        ({"patient_id": CODE, "patient_uuid": "cora"}, {}, "cora"),
        ({"patient_id": CODE, "patient_uuid": "berta"}, {}, "berta"),
        ({"patient_uuid": "cora"}, {"patient_id": CODE}, "cora"),
        ({"patient_id": CODE}, {"patient_uuid": "cora"}, "cora"),
        ({"patient_id": "cora"}, {}, "cora"),
        ({"place_id": CODE, "place_uuid": "hh2b"}, {}, "hh2b"),
        ({"patient_id": "cora"}, {"patient_id": CODE}, "cora"),
        ({"patient_id": CODE, "inputs": {"contact": {"_id": "cora"}}}, {}, "cora"),
        (
            {"patient_id": CODE, "patient_uuid": "gone", "inputs": {"contact": {"_id": "cora"}}},
            {},
            "cora",
        ),
    ]
    reports = (
        {**missed(f"a{at}", below_fields, on=f"2026-11-0{at + 1}"), **at_the_top}
        for at, (below_fields, at_the_top, _) in enumerate(ways)
    )
    field.begin(ANNA, BERTA, CORA, *houses, *reports)
    found = [field.ledger(f"a{at}")["patient_uuid"] for at, _ in enumerate(ways)]
    assert found == [uuid for _, _, uuid in ways]
    assert field.listed("sup1") == ["a1"]
    assert field.listed("sup2") == [f"a{at}" for at, _ in enumerate(ways) if at != 1]


def test_a_code_is_shared_as_soon_as_a_second_owner_lands_and_until_one_gets_another(
    field: TwoSites,
) -> None:
    field.begin(ANNA, missed("a1", {"patient_id": CODE}))
    assert field.ledger("a1")["patient_uuid"] == "anna"
    field.change(CORA)
    assert field.ledger("a1")["patient_uuid"] is None
    field.change({**CORA, "patient_id": "66666"})
    assert field.ledger("a1")["patient_uuid"] == "anna"
    field.change(CORA, {**ANNA, "patient_id": "66666"})
    assert field.ledger("a1")["patient_uuid"] == "cora"
    assert (field.listed("sup1"), field.listed("sup2")) == ([], ["a1"])


def test_who_was_deleted_owns_no_code(field: TwoSites) -> None:
    field.begin(ANNA, BERTA, missed("a1", {"patient_id": CODE}))
    assert field.ledger("a1")["patient_uuid"] is None
    field.withdraw("berta")
    assert field.ledger("a1")["patient_uuid"] == "anna"


def test_the_code_of_a_person_and_of_a_place_is_shared_too(field: TwoSites) -> None:
    house = {**HOUSES[1], "place_id": CODE}
    field.begin(ANNA, house, missed("a1", {"patient_id": CODE}))
    assert "ambiguous_patient" in field.ledger("a1")["flags"]


def test_a_visit_by_a_code_closes_the_task_while_the_code_is_one_patients(field: TwoSites) -> None:
    field.begin(ANNA, missed("a1", "anna"), visit("came", {"patient_id": CODE}))
    assert field.standings()["a1"] == "resolved"
    field.change(BERTA)
    assert field.standings()["a1"] == "open"
    field.change({**BERTA, "patient_id": "66666"})
    assert field.standings()["a1"] == "resolved"


def test_reports_with_a_shared_code_alone_close_nothing_of_each_other(field: TwoSites) -> None:
    alone = {"patient_id": CODE}
    field.begin(ANNA, BERTA, missed("a1", alone), visit("came", alone))
    field.change(verification("by-hand", "", about=alone))
    assert field.standings()["a1"] == "open"


def test_a_visit_by_uuid_and_shared_code_closes_its_own_patients_task(field: TwoSites) -> None:
    came = visit("came", {"patient_uuid": "anna", "patient_id": CODE})
    field.begin(ANNA, BERTA, missed("a1", "anna"), missed("b1", "berta"), came)
    assert field.standings() == {"a1": "resolved", "b1": "open"}


def test_an_answer_that_names_the_task_of_an_ambiguous_patient_closes_it(field: TwoSites) -> None:
    alone = {"patient_id": CODE}
    field.begin(ANNA, BERTA, missed("a1", alone), verification("told", "a1", about=alone))
    assert field.standings()["a1"] == "verified"


def test_without_any_subject_nothing_closes_anything(field: TwoSites) -> None:
    nobody: dict[str, Any] = {}
    field.begin(missed("a1", nobody), missed("a2", nobody), visit("came", nobody))
    assert field.standings() == {"a1": "open", "a2": "open"}
    assert {"unknown_patient", "place_from_sender"} <= set(field.ledger("a1")["flags"])
