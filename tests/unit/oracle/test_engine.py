"""The copy of the CHT's rules says what the engine recorded, and excuses nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from oracle.__main__ import RECORDED
from oracle.cases import read
from oracle.comparing import compare
from oracle.engine import ALL, NONE, Deviation, Judge, Row

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


def test_core_cases_deviate_by_number_only() -> None:
    for case in CASES:
        verdicts = list(compare(case, _rows(case, ALL)))
        assert not [verdict.disagreement for verdict in verdicts if verdict.disagreement]
        if case["core"]:
            assert all(any(one.is_numbered for one in v.reasons) for v in verdicts if v.reasons)


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
