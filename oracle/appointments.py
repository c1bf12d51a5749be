"""One appointment, one task: what several reports about one appointment come to. Pure."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple


@dataclass(frozen=True)
class Row:
    """What is said of one emission at one moment."""

    due: date | None
    start: date | None
    end: date | None
    resolved: bool
    deleted: bool
    timely: bool
    calculated: str | None


# No more is said of a report whose appointment another one carries.
REPEATED = Row(
    None, None, None, resolved=False, deleted=False, timely=False, calculated="Cancelled"
)

Key = tuple[str, str]


class Reported(NamedTuple):
    """A report's own row, and what decides whose task its appointment is and who answers it."""

    key: Key
    appointment: Hashable | None
    counts_from: float
    row: Row
    is_answered: bool  # by a verification that names its patient and no task


def carried(reports: Iterable[Reported]) -> Mapping[Key, list[Reported]]:
    """The reports of each task, the one that carries it first; what is withdrawn stays alone."""
    together: dict[Hashable, list[Reported]] = defaultdict(list)
    for report in sorted(reports, key=lambda one: (one.counts_from, one.key)):
        is_alone = report.appointment is None or report.row.deleted
        together[report.key if is_alone else ("appointment", report.appointment)].append(report)
    return {group[0].key: group for group in together.values()}


def united(reports: list[Reported]) -> Row:
    """Open from the first day to the last of all, and resolved where each of them is."""
    rows = [report.row for report in reports]
    starts = [row.start for row in rows if row.start]
    ends = [row.end for row in rows if row.end]
    return replace(
        rows[0],
        start=min(starts, default=None),
        end=max(ends, default=None),
        resolved=all(row.resolved for row in rows),
        timely=any(row.timely for row in rows),
    )
