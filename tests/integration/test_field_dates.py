"""Dates that cannot be: no row fails, each is flagged, and no task hides in another year."""

from typing import Any

import pytest

from tests.integration.two_sites import (
    NEXT_VISIT,
    Document,
    TwoSites,
    account,
    missed,
    moment,
    person,
    report,
    verification,
    visit,
)

ANNA = person("anna", patient_id="55555")
LANDED_ON = "2026-11-20"
DAY = 24 * 3_600_000
SECONDS = moment("2026-11-18") // 1000
IMPOSSIBLE_MOMENTS = [
    *(SECONDS, str(SECONDS), 0, -1, "1999-12-31T12:00:00Z", "0001-01-01T00:00:00Z"),
    *(moment("2026-11-18") + 365 * DAY, "2027-11-18T08:00:00.000Z"),  # a clock a year ahead
    moment("2026-11-20", hour=10) + 3 * DAY,
    *("9999-12-31T23:59:59Z", 253402300799999, 10**14 - 1),
]


class Each:
    """A report about a patient of its own for each of several values."""

    def __init__(self, field: TwoSites) -> None:
        self.field = field

    def begin(self, values: list[Any], made: Any, **keys: Any) -> None:
        people = (person(f"patient{number}") for number, _ in enumerate(values))
        reports = (
            made(f"r{number}", f"patient{number}", value) for number, value in enumerate(values)
        )
        self.field.begin(*people, *reports, **keys)
        self.values = values

    def rows(self) -> list[tuple[Any, Document]]:
        """Each value with its row of the ledger."""
        rows = {row["source_id"]: row for row in self.field.records("missed_appointment", "1")}
        return [(value, rows[f"r{number}"]) for number, value in enumerate(self.values)]


@pytest.fixture
def each(field: TwoSites) -> Each:
    return Each(field)


def reported_at(uuid: str, about: str, value: Any) -> Document:
    return missed(uuid, about, reported=value)


def appointment_on(uuid: str, about: str, value: Any) -> Document:
    return missed(uuid, about, on=value)


def next_visit_on(uuid: str, about: str, value: Any) -> Document:
    return visit(uuid, about, "2026-11-10", next=value)


def reported_and_due_on(uuid: str, about: str, value: Any) -> Document:
    reported = f"{value}T00:00:00Z" if isinstance(value, str) else value
    return visit(uuid, about, reported, next=value)


def test_a_report_dated_when_it_cannot_be_counts_from_when_it_landed(each: Each) -> None:
    each.begin(IMPOSSIBLE_MOMENTS, reported_at)
    for value, row in each.rows():
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", LANDED_ON)
        assert "bad_reported_date" in row["flags"], value


def test_a_moment_is_read_in_any_form(each: Each) -> None:
    milliseconds = moment("2026-11-18")
    forms = [milliseconds, milliseconds + 0.5, str(milliseconds), "2026-11-18T08:00:00Z"]
    each.begin(forms, reported_at)
    for value, row in each.rows():
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", "2026-11-18")
        assert "bad_reported_date" not in row["flags"], value


def test_a_clock_two_days_ahead_is_believed(field: TwoSites) -> None:
    field.begin(ANNA, missed("a1", "anna", reported="2026-11-22"))
    row = field.ledger("a1")
    assert (f"{row['due_on']}", row["flags"]) == ("2026-11-22", [])


def test_a_visit_dated_when_it_cannot_be_closes_nothing(field: TwoSites) -> None:
    visits = (visit(f"v{at}", "anna", one) for at, one in enumerate(IMPOSSIBLE_MOMENTS))
    field.begin(ANNA, missed("a1", "anna"), *visits)
    assert field.standings() == {"a1": "open"}


def test_an_appointment_on_a_day_that_cannot_be_is_flagged(each: Each) -> None:
    years = ["0001-01-01", "1899-12-31", "2200-01-01", "2569-11-01", "9999-12-31", "0000-00-00"]
    others = ["2026-02-30", "01/11/2026", SECONDS, str(SECONDS), 10**14 - 1, -1, True, {}]
    each.begin(years + others, appointment_on)
    for value, row in each.rows():
        found = (row["standing"], row["flags"], row["appointment_on"])
        assert (value, *found) == (value, "open", ["bad_appointment_date"], None)
        assert row["days_since_appointment"] is None, value


def test_the_day_of_an_appointment_is_read_in_any_form(field: TwoSites) -> None:
    milliseconds = moment("2026-11-01")
    forms = [milliseconds, str(milliseconds), "2026-11-01", "2026-11-01T09:00"]
    field.begin(ANNA, *(missed(f"a{at}", "anna", on=one) for at, one in enumerate(forms)))
    assert field.standings() == {"a0": "open"} | dict.fromkeys(("a1", "a2", "a3"), "repeated")
    assert field.ledger("a0")["flags"] == []


def test_an_appointment_in_another_calendar_is_flagged_and_kept(each: Each) -> None:
    distant = ["2019-02-21", "1926-11-01"]  # the former is 2026-10-31 in Ethiopia
    each.begin([*distant, "2024-12-01"], appointment_on)
    for value, row in each.rows():
        flags = ["distant_appointment_date"] if value in distant else []
        assert (row["standing"], f"{row['appointment_on']}", row["flags"]) == ("open", value, flags)


def test_a_due_day_that_cannot_be_is_that_of_the_report(each: Each) -> None:
    years = ["0001-01-01", "1899-12-31", "2200-01-01", "2569-11-12", "9999-12-31", "9999-12-01"]
    others = ["2026-02-30", "", None, SECONDS, str(SECONDS), 10**14 - 1]
    each.begin(years + others, next_visit_on, **NEXT_VISIT)
    for value, row in each.rows():
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", "2026-11-10")
        assert "no_due_date" in row["flags"], value


def test_a_window_that_leaves_the_years_that_can_be_is_none(each: Each) -> None:
    each.begin(["1900-01-01", "2199-12-31", "2199-12-15"], next_visit_on, **NEXT_VISIT)
    for value, row in each.rows():
        assert (value, f"{row['due_on']}") == (value, "2026-11-10")


def test_a_next_visit_after_its_report_is_in_no_future(field: TwoSites) -> None:
    field.begin(ANNA, next_visit_on("v1", "anna", "2026-11-12"), **NEXT_VISIT)
    row = field.ledger("v1")
    assert (row["standing"], f"{row['due_on']}", row["flags"]) == ("open", "2026-11-15", [])


def test_an_appointment_after_its_task_is_due_is_in_the_future(each: Each) -> None:
    each.begin(["2026-11-18", "2026-11-19"], appointment_on)
    flags = [row["flags"] for _, row in each.rows()]
    assert flags == [[], ["future_appointment_date"]]


def test_an_answer_counts_whatever_its_days_say(field: TwoSites) -> None:
    visited_on = ["9999-99-99", "0001-01-01", "20261101", "soon"]
    answers = [verification(f"told{at}", f"a{at}") for at, _ in enumerate(visited_on)]
    for answer, day in zip(answers, visited_on, strict=True):
        answer["fields"]["verification"]["visit_date"] = day
        answer["reported_date"] = moment("2026-11-20") + 365 * DAY
    tasks = (missed(f"a{at}", "anna", on=f"2026-11-0{at + 1}") for at, _ in enumerate(visited_on))
    field.begin(ANNA, *tasks, *answers)
    assert set(field.standings().values()) == {"verified"}
    rows = field.records("missed_appointment", "task_id")
    assert {row["verification_visit_on"] for row in rows} == {None}


def test_no_view_and_no_publication_fails_over_one_row(each: Each) -> None:
    days = ["0001-01-01", "9999-12-31", "0000-00-00", 0, 10**14 - 1, -1, 1e300, [], {"a": 1}]
    each.begin(days, reported_and_due_on, **NEXT_VISIT)
    field = each.field
    field.change(
        {**ANNA, "date_of_birth": "9999-12-31", "reported_date": 1e300},
        {**verification("told", "r1"), "reported_date": "9999-12-31"},
    )
    assert len(each.rows()) == len(days)
    views = field.connection.execute(
        "select schemaname || '.' || viewname from pg_views "
        "where schemaname in ('worklist_live', 'worklist_pii')"
    ).fetchall()
    for (view,) in views:
        field.rows(view)
    field.refresh("published")


def test_a_text_that_no_index_takes_is_one_row_and_stops_nothing(field: TwoSites) -> None:
    endless = "".join(f"{number:x}" for number in range(20_000))
    field.begin(
        ANNA,
        missed("a1", "anna"),
        missed("a2", {"patient_id": endless, "patient_uuid": endless}),
        report("a3", endless, "anna", "2026-11-19", endless),
        verification("a4", endless),
        person("long", patient_id=endless, place_id=endless),
        account("long", endless, "site_supervisor"),
    )
    assert field.standings() == {"a1": "open", "a2": "open"}
    assert field.ledger("a2")["patient_uuid"] == "long"
