"""What a benchmark prints: tables for people, then its figures as one line of JSON."""

import json
import os
import platform
import sys
from collections.abc import Collection, Mapping, Sequence

from pipeline.terminal import print_table

Figures = Mapping[str, float]
Rows = Sequence[Mapping[str, str]]

# The targets of the design; all are figures of one run, compared with a baseline in the same run.
AT_LEAST = {
    "ratio_to_bare_read": 0.9,
    "ratio_to_bare_landing": 0.8,
    "lists_to_pgbench": 0.35,
    "ratio_to_bare_bulk_docs": 0.8,
}
AT_MOST = {
    "cpu_to_curl": 1.2,
    "peak_mb": 150,
    "full_to_landing": 1.5,
    "incremental_to_idle": 2,
    "growth": 1.3,
    "cold_to_dbt": 2,
    "publish_to_plain": 3,
    "reader_waited_s": 1,  # no lock: a plain refresh of the largest view takes several seconds
    "list_tail": 6,
    "search_tail": 6,
    "verify_tail": 6,
}


def print_report(
    title: str, legs: Rows, figures: Figures, not_judged: Collection[str] = ()
) -> None:
    """`not_judged` are figures whose target does not apply to this run."""
    print(f"{title}\n{_machine()}\n")
    print_table(legs, list(legs[0]))
    print()
    judged = [_judgement(name, figures[name], name not in not_judged) for name in figures]
    print_table(judged, list(judged[0]))
    print()
    print(json.dumps(figures))


def _machine() -> str:
    cores, python = len(os.sched_getaffinity(0)), sys.version.split()[0]
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {python}"


def _judgement(name: str, value: float, is_judged: bool) -> dict[str, str]:
    least, most = AT_LEAST.get(name), AT_MOST.get(name)
    target = f"≥ {least}" if least is not None else f"≤ {most}" if most is not None else ""
    is_reached = (least is None or value >= least) and (most is None or value <= most)
    verdict = ("reached" if is_reached else "MISSED") if target and is_judged else ""
    return {"figure": name, "measured": f"{value:,}", "target": target, "": verdict}
