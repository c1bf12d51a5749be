"""The copy of the CHT's rules says what the engine recorded, and excuses nothing else."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from oracle.__main__ import RECORDED
from oracle.appointments import Row
from oracle.comparison import compare
from oracle.deviations import ALL, NONE, Deviation
from oracle.recorded_cases import VERIFICATION_FORM, read
from oracle.rules_engine import Judge

CASES = list(read(RECORDED))


def _rows(case: dict[str, Any], deviations: frozenset[Deviation]) -> dict[tuple[str, str], Row]:
    return Judge(case, deviations).rows()


def _case(tag: str, reason: Deviation) -> dict[str, Any]:
    """The first case with this tag in which the deviation changes a row."""
    return next(
        case
        for case in CASES
        if tag in case["tags"] and _rows(case, frozenset({reason})) != _rows(case, NONE)
    )


def test_without_deviations_it_repeats_every_recorded_row() -> None:
    for case in CASES:
        assert all(verdict.agrees for verdict in compare(case, _rows(case, NONE))), case["id"]


def test_core_cases_deviate_by_our_own_rules_only() -> None:
    for case in CASES:
        verdicts = list(compare(case, _rows(case, ALL)))
        assert not [verdict.disagreement for verdict in verdicts if verdict.disagreement]
        if case["core"]:
            assert all(any(one.is_designed for one in v.reasons) for v in verdicts if v.reasons)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("ref:unknown-id-before-known-uuid", Deviation.PATIENT_UUID),
        ("due:value-garbage", Deviation.READABLE_DATES),
        ("resolving:deleted-flag", Deviation.DELETED_REPORTS),
        ("due:reader-js-date", Deviation.DATE_READER),
        ("ref:none", Deviation.UNSEEN_REPORTS),
    ],
)
def test_a_deviation_is_excused_where_it_is_foreseen_and_exactly_so(
    tag: str, reason: Deviation
) -> None:
    case = _case(tag, reason)
    ours = _rows(case, ALL)
    assert {one.disagreement for one in compare(case, ours)} == {""}
    assert any(reason in one.reasons for one in compare(case, ours))

    key = next(key for key, row in ours.items() if row != _rows(case, NONE).get(key))
    wrong = {**ours, key: replace(ours[key], timely=not ours[key].timely)}
    assert any(one.disagreement for one in compare(case, wrong))


def test_what_is_missing_or_too_much_disagrees() -> None:
    case = next(case for case in CASES if "matrix" in case["tags"] and case["expected"])
    ours = _rows(case, ALL)
    assert all(one.agrees for one in compare(case, ours))
    assert any(one.disagreement for one in compare(case, {}))
    extra = {("another", "0"): next(iter(ours.values()))}
    assert any(one.disagreement for one in compare(case, {**ours, **extra}))


HOUR = 3_600_000
REPORTED = 1_794_988_800_000  # 2026-11-18, 10:40 in Blantyre


def _appointment(*others: dict[str, Any], **source: Any) -> dict[str, Any]:
    """A missed appointment of Anna, who shares her shortcode with Berta, and other documents."""
    women = [{"_id": one, "type": "person", "patient_id": "55555"} for one in ("anna", "berta")]
    missed = {
        "_id": "missed",
        "type": "data_record",
        "form": "trace",
        "reported_date": REPORTED,
        "fields": {"patient_uuid": "anna"},
        **source,
    }
    return {
        "timezone": "Africa/Blantyre",
        "now": "2026-11-20T10:00:00.000Z",
        "definition": {
            "name": "verify",
            "appliesTo": "reports",
            "appliesToType": ["trace"],
            "appliesIf": None,
            "excludeMutedOrDead": True,
            "events": [{"id": None, "days": 0, "start": 0, "end": 28}],
            "resolvedBy": {"default": True, "form": VERIFICATION_FORM, "orForms": ["visit"]},
        },
        "docs": [*women, missed, *others],
    }


def _later(form: str, **fields: str) -> dict[str, Any]:
    moment = REPORTED + HOUR
    return {
        "_id": "later",
        "type": "data_record",
        "form": form,
        "reported_date": moment,
        "fields": fields,
    }


@pytest.mark.parametrize(
    ("said", "theirs", "ours"),
    [
        ({"patient_id": "55555"}, "Completed", "Ready"),
        ({"patient_id": "55555", "patient_uuid": "berta"}, "Completed", "Ready"),
        ({"patient_id": "55555", "patient_uuid": "anna"}, "Completed", "Completed"),
    ],
    ids=["the code alone", "the code and another uuid", "the code and the uuid"],
)
def test_a_shared_shortcode_resolves_nothing_where_a_uuid_does_not_say_so(
    said: dict[str, str], theirs: str, ours: str
) -> None:
    case = _appointment(_later("visit", **said))
    assert _state(case, NONE) == theirs
    assert _state(case, ALL) == ours


def test_reports_with_a_shared_shortcode_alone_are_not_about_the_same_nobody() -> None:
    shared = {"patient_id": "55555"}
    case = _appointment(_later("visit", **shared), fields=shared)
    assert _state(case, ALL) == "Ready"


def test_a_verification_by_nobody_resolves_nothing() -> None:
    case = _appointment(_later(VERIFICATION_FORM, patient_uuid="anna"))
    assert (_state(case, NONE), _state(case, ALL)) == ("Completed", "Ready")


@pytest.mark.parametrize(
    "reported_date",
    [REPORTED // 1000, str(REPORTED // 1000), "0001-01-01", "9999-12-31T00:00:00Z", 10**14 - 1],
)
def test_a_report_dated_when_it_cannot_be_counts_from_its_landing(reported_date: Any) -> None:
    (row,) = _rows(_appointment(reported_date=reported_date), ALL).values()
    assert (row.due, row.calculated) == (date(2026, 11, 20), "Ready")


@pytest.mark.parametrize(
    "day", ["0001-01-01", "1899-12-31", "2200-01-01", "2199-12-20", "9999-12-31", REPORTED // 1000]
)
def test_a_day_that_cannot_be_is_that_of_the_report(day: Any) -> None:
    (row,) = _rows(_named_day(day), ALL).values()
    assert (row.due, row.calculated) == (date(2026, 11, 18), "Ready")


@pytest.mark.parametrize("day", ["1794988800000", 1794988800000, "2026-11-18"])
def test_digits_in_a_text_are_the_number_that_they_hold(day: Any) -> None:
    (row,) = _rows(_named_day(day), ALL).values()
    assert (row.due, row.calculated) == (date(2026, 11, 21), "Ready")


def _named_day(day: Any) -> dict[str, Any]:
    """Due three days after this day."""
    case = _appointment(fields={"patient_uuid": "anna", "next": day})
    event = {"id": None, "dueDatePath": "fields.next", "offsetDays": 3, "start": 7, "end": 28}
    case["definition"]["events"] = [{**event, "dateReader": "local-date"}]
    return case


def _state(case: dict[str, Any], deviations: frozenset[Deviation]) -> str | None:
    (row,) = _rows(case, deviations).values()
    return row.calculated
