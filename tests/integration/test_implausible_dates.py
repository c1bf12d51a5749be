"""Dates that cannot be: no row fails, each is flagged, and no task hides in another year."""

from collections.abc import Callable
from typing import Any

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


def each(name: str, made: Callable[[str, str, Any], Document], values: list[Any]) -> list[Document]:
    """A report about a patient of its own for each of several values."""
    ids = [f"{name}{number}" for number, _ in enumerate(values)]
    reports = (made(f"{one}-report", one, value) for one, value in zip(ids, values, strict=True))
    return [*map(person, ids), *reports]


def rows(field: TwoSites, name: str, values: list[Any]) -> list[tuple[Any, Document]]:
    """Each value with its row of the ledger."""
    found = {row["source_id"]: row for row in field.records("missed_appointment", "1")}
    return [(value, found[f"{name}{number}-report"]) for number, value in enumerate(values)]


def reported_at(uuid: str, about: str, value: Any) -> Document:
    return missed(uuid, about, reported=value)


def appointment_on(uuid: str, about: str, value: Any) -> Document:
    return missed(uuid, about, on=value)


def next_visit_on(uuid: str, about: str, value: Any) -> Document:
    return visit(uuid, about, "2026-11-10", next=value)


def reported_and_due_on(uuid: str, about: str, value: Any) -> Document:
    reported = f"{value}T00:00:00Z" if isinstance(value, str) else value
    return visit(uuid, about, reported, next=value)


MOMENT = moment("2026-11-18")
MOMENTS = [MOMENT, MOMENT + 0.5, str(MOMENT), "2026-11-18T08:00:00Z"]
IMPOSSIBLE_DAYS = [
    *("0001-01-01", "1899-12-31", "2200-01-01", "2569-11-01", "9999-12-31", "0000-00-00"),
    *("2026-02-30", "01/11/2026", SECONDS, str(SECONDS), 10**14 - 1, -1, True, {}),
]
DAYS = [moment("2026-11-01"), str(moment("2026-11-01")), "2026-11-01", "2026-11-01T09:00"]
DISTANT_DAYS = ["2019-02-21", "1926-11-01"]  # the former is 2026-10-31 in Ethiopia
LATE_DAYS = ["2026-11-18", "2026-11-19"]
REPORTS = (
    *each("impossible-moment", reported_at, IMPOSSIBLE_MOMENTS),
    *each("moment", reported_at, MOMENTS),
    *each("ahead", reported_at, ["2026-11-22"]),
    *each("impossible-day", appointment_on, IMPOSSIBLE_DAYS),
    *each("distant-day", appointment_on, [*DISTANT_DAYS, "2024-12-01"]),
    *each("late-day", appointment_on, LATE_DAYS),
    *each("seen", reported_at, ["2026-11-18"]),
    *(visit(f"visit{at}", "seen0", one) for at, one in enumerate(IMPOSSIBLE_MOMENTS)),
    ANNA,
    *(missed(f"day{at}", "anna", on=one) for at, one in enumerate(DAYS)),
)


def test_a_report_dated_when_it_cannot_be_counts_from_when_it_landed(field: TwoSites) -> None:
    field.begin(*REPORTS)
    for value, row in rows(field, "impossible-moment", IMPOSSIBLE_MOMENTS):
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", LANDED_ON)
        assert "bad_reported_date" in row["flags"], value


def test_a_moment_is_read_in_any_form(field: TwoSites) -> None:
    field.begin(*REPORTS)
    for value, row in rows(field, "moment", MOMENTS):
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", "2026-11-18")
        assert "bad_reported_date" not in row["flags"], value


def test_a_clock_two_days_ahead_is_believed(field: TwoSites) -> None:
    field.begin(*REPORTS)
    row = field.ledger("ahead0-report")
    assert (f"{row['due_on']}", row["flags"]) == ("2026-11-22", [])


def test_a_visit_dated_when_it_cannot_be_closes_nothing(field: TwoSites) -> None:
    field.begin(*REPORTS)
    assert field.ledger("seen0-report")["standing"] == "open"


def test_an_appointment_on_a_day_that_cannot_be_is_flagged(field: TwoSites) -> None:
    field.begin(*REPORTS)
    for value, row in rows(field, "impossible-day", IMPOSSIBLE_DAYS):
        found = (row["standing"], row["flags"], row["appointment_on"])
        assert (value, *found) == (value, "open", ["bad_appointment_date"], None)
        assert row["days_since_appointment"] is None, value


def test_the_day_of_an_appointment_is_read_in_any_form(field: TwoSites) -> None:
    field.begin(*REPORTS)
    standings = [field.ledger(f"day{at}")["standing"] for at, _ in enumerate(DAYS)]
    assert standings == ["open", "repeated", "repeated", "repeated"]
    assert field.ledger("day0")["flags"] == []


def test_an_appointment_in_another_calendar_is_flagged_and_kept(field: TwoSites) -> None:
    field.begin(*REPORTS)
    for value, row in rows(field, "distant-day", [*DISTANT_DAYS, "2024-12-01"]):
        flags = ["distant_appointment_date"] if value in DISTANT_DAYS else []
        assert (row["standing"], f"{row['appointment_on']}", row["flags"]) == ("open", value, flags)


def test_an_appointment_after_its_task_is_due_is_in_the_future(field: TwoSites) -> None:
    field.begin(*REPORTS)
    flags = [row["flags"] for _, row in rows(field, "late-day", LATE_DAYS)]
    assert flags == [[], ["future_appointment_date"]]


IMPOSSIBLE_VISITS = [
    *("0001-01-01", "1899-12-31", "2200-01-01", "2569-11-12", "9999-12-31", "9999-12-01"),
    *("2026-02-30", "", None, SECONDS, str(SECONDS), 10**14 - 1),
]
EDGES = ["1900-01-01", "2199-12-31", "2199-12-15"]
VISITS = (
    *each("impossible", next_visit_on, IMPOSSIBLE_VISITS),
    *each("edge", next_visit_on, EDGES),
    *each("next", next_visit_on, ["2026-11-12"]),
)


def test_a_due_day_that_cannot_be_is_that_of_the_report(field: TwoSites) -> None:
    field.begin(*VISITS, **NEXT_VISIT)
    for value, row in rows(field, "impossible", IMPOSSIBLE_VISITS):
        assert (value, row["standing"], f"{row['due_on']}") == (value, "open", "2026-11-10")
        assert "no_due_date" in row["flags"], value


def test_a_window_that_leaves_the_years_that_can_be_is_none(field: TwoSites) -> None:
    field.begin(*VISITS, **NEXT_VISIT)
    for value, row in rows(field, "edge", EDGES):
        assert (value, f"{row['due_on']}") == (value, "2026-11-10")


def test_a_next_visit_after_its_report_is_in_no_future(field: TwoSites) -> None:
    field.begin(*VISITS, **NEXT_VISIT)
    row = field.ledger("next0-report")
    assert (row["standing"], f"{row['due_on']}", row["flags"]) == ("open", "2026-11-15", [])


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


def test_no_view_and_no_publication_fails_over_one_row(field: TwoSites) -> None:
    days = ["0001-01-01", "9999-12-31", "0000-00-00", 0, 10**14 - 1, -1, 1e300, [], {"a": 1}]
    field.begin(*each("r", reported_and_due_on, days), **NEXT_VISIT)
    field.change(
        {**ANNA, "date_of_birth": "9999-12-31", "reported_date": 1e300},
        {**verification("told", "r1-report"), "reported_date": "9999-12-31"},
    )
    assert len(rows(field, "r", days)) == len(days)
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
