"""The invented programme hangs together, whenever it is invented."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from testbed.invented_programme.programme import documents

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MOMENTS = [NOW, datetime(2028, 2, 29, 22, 30, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]

Document = dict[str, Any]


@pytest.fixture(params=MOMENTS, ids=str)
def moment(request: pytest.FixtureRequest) -> datetime:
    value: datetime = request.param
    return value


def of_form(invented: list[Document], form: str) -> list[Document]:
    return [document for document in invented if document.get("form") == form]


def test_the_same_moment_and_seed_give_the_same_programme() -> None:
    assert documents(NOW) == documents(NOW)
    assert documents(NOW) != documents(NOW, seed=2)


def test_every_id_is_given_once_and_every_reference_leads_somewhere(moment: datetime) -> None:
    invented = documents(moment)
    ids = Counter(document["_id"] for document in invented)
    assert max(ids.values()) == 1
    for document in invented:
        parent = document.get("parent") or document.get("contact") or {}
        while parent:
            assert parent["_id"] in ids
            parent = parent.get("parent")
        for place in document.get("facility_id", []):
            assert place in ids


def test_shortcodes_are_given_once(moment: datetime) -> None:
    contacts = [document for document in documents(moment) if document.get("type") == "contact"]
    codes = [contact.get("patient_id") or contact.get("place_id") for contact in contacts]
    assert len(set(codes)) == len(codes)


def test_the_first_site_has_118_missed_appointments(moment: datetime) -> None:
    invented = documents(moment)
    contacts = {one["name"]: one["contact_id"] for one in invented if "contact_id" in one}
    senders = Counter(trace["contact"]["_id"] for trace in of_form(invented, "trace"))
    assert senders[contacts["supervisor_namilongo"]] == 118
    assert sorted(senders.values()) == [27, 44, 118]


def test_appointments_were_missed_one_to_thirteen_weeks_ago_and_reported_since(
    moment: datetime,
) -> None:
    for trace in of_form(documents(moment), "trace"):
        reported = datetime.fromtimestamp(trace["reported_date"] / 1000, UTC)
        assert timedelta(hours=2) < moment - reported < timedelta(days=10)
        missed = trace["fields"]["trace_details"]["missed_appointment_date"]
        if missed and "/" not in missed:
            assert 6 <= (moment.date() - date.fromisoformat(missed)).days <= 92
            assert date.fromisoformat(missed) < reported.date()


def test_nothing_has_happened_yet_that_lies_ahead(moment: datetime) -> None:
    now = moment.timestamp() * 1000
    for document in documents(moment):
        for key in ("reported_date", "authoredOn", "updated_date"):
            assert document.get(key, 0) <= now
        for entry in document.get("stateHistory", []):
            assert entry["timestamp"] <= now


def test_some_appointments_are_answered_by_a_later_visit(moment: datetime) -> None:
    invented = documents(moment)
    reported = {
        trace["fields"].get("patient_uuid"): trace["reported_date"]
        for trace in of_form(invented, "trace")
    }
    visits = of_form(invented, "visit_verification")
    assert len(visits) == 15
    for visit in visits:
        assert visit["reported_date"] > reported[visit["fields"]["patient_uuid"]]


def test_the_odd_ones_are_there() -> None:
    invented = documents(NOW)
    contacts = {document["_id"] for document in invented if document.get("type") == "contact"}
    traces = of_form(invented, "trace")
    subjects = [trace["fields"].get("patient_uuid") for trace in traces]
    dates = [trace["fields"]["trace_details"]["missed_appointment_date"] for trace in traces]
    assert "" in dates
    assert "31/02/2026" in dates
    assert None in subjects
    assert [one for one in subjects if one and one not in contacts]
    assert Counter(one for one in subjects if one).most_common(1)[0][1] == 2
    troubled = {one["_id"] for one in invented if one.get("muted") or one.get("date_of_death")}
    assert len(troubled & set(subjects)) == 2


def test_chw_tasks_are_in_every_state_and_targets_of_two_months() -> None:
    invented = documents(NOW)
    tasks = [document for document in invented if document.get("type") == "task"]
    states = {task["state"] for task in tasks}
    assert states == {"Draft", "Ready", "Completed", "Failed", "Cancelled"}
    assert [task for task in tasks if "owner" not in task]
    periods = Counter(one["reporting_period"] for one in invented if one.get("type") == "target")
    assert periods == {"2026-11": 12, "2026-10": 12}
