"""Whether ours is the engine's answer, and if not, whether we differ as foreseen. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from oracle.appointments import Row
from oracle.deviations import ALL, NONE, Deviation
from oracle.recorded_cases import Case
from oracle.rules_engine import Judge

Rows = Mapping[tuple[str, str], Row]


@dataclass(frozen=True)
class Verdict:
    """What one row came to: agreement without reasons, deviation with, or a disagreement."""

    case: str
    emission: str
    reasons: tuple[Deviation, ...]
    disagreement: str

    @property
    def agrees(self) -> bool:
        return not self.reasons and not self.disagreement


def compare(case: Case, ours: Rows) -> Iterator[Verdict]:
    """A verdict for every row that either side has; rows no longer emitted must be none of ours."""
    recorded = {(row["source_id"], row["event"]): _recorded(row) for row in case["expected"]}
    for key in sorted({*recorded, *ours}):
        expected, found = recorded.get(key), ours.get(key)
        emission = "~".join((*key, case["definition"]["name"]))
        if found == expected:
            yield Verdict(case["id"], emission, (), "")
            continue
        reasons = _reasons(case, key)
        foreseen = Judge(case, ALL).rows().get(key)
        wrong = _disagreement(case, reasons, expected, foreseen, found)
        yield Verdict(case["id"], emission, reasons, wrong)


def _recorded(row: Mapping[str, Any]) -> Row | None:
    """None where nothing is emitted any more."""
    if not row["emitted"]:
        return None
    due, start, end = (_day(row[key]) for key in ("dueDate", "startDate", "endDate"))
    return Row(due, start, end, row["resolved"], row["deleted"], row["timely"], row["calculated"])


def _day(written: str | None) -> date | None:
    """The last day that Python knows where the year has five digits."""
    if not written:
        return None
    return date.fromisoformat(written) if written[4] == "-" else date.max


def _reasons(case: Case, key: tuple[str, str]) -> tuple[Deviation, ...]:
    """The deviations that change this row: one alone, or where none does, one of all."""
    engine, all_of_them = Judge(case, NONE).rows().get(key), Judge(case, ALL).rows().get(key)
    alone = tuple(
        deviation
        for deviation in Deviation
        if Judge(case, frozenset({deviation})).rows().get(key) != engine
    )
    return alone or tuple(
        deviation
        for deviation in Deviation
        if Judge(case, ALL - {deviation}).rows().get(key) != all_of_them
    )


def _disagreement(
    case: Case,
    reasons: tuple[Deviation, ...],
    expected: Row | None,
    foreseen: Row | None,
    found: Row | None,
) -> str:
    """Empty where we differ as foreseen; in a core case only by our own rules."""
    if found != foreseen or not reasons:
        return f"the CHT says {expected}, we say {found}, foreseen was {foreseen}"
    if case["core"] and not any(reason.is_designed for reason in reasons):
        return f"a core case deviates by {reasons[0].value}"
    return ""
