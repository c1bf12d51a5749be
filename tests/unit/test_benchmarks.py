"""What benchmarks print, and that the targets they judge by are the documented ones."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.measured_legs import median_ratio
from benchmarks.report import AT_LEAST, AT_MOST, print_report

PERFORMANCE = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()


def test_every_target_is_in_the_performance_page_and_no_other() -> None:
    documented = re.findall(r"^\| `(\w+)` \|.*\| ([≥≤]) ([0-9.]+)", PERFORMANCE, re.MULTILINE)
    targets = [(name, "≥", limit) for name, limit in AT_LEAST.items()]
    targets += [(name, "≤", limit) for name, limit in AT_MOST.items()]
    found = [(name, sign, float(limit.rstrip("."))) for name, sign, limit in documented]
    assert sorted(found) == sorted(targets)


def test_the_last_line_is_one_json_object_of_all_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"docs_per_s": 20_000, "cpu_to_curl": 1.3, "ratio_to_bare_read": 0.95, "growth": 9}
    print_report("Title", [{"leg": "sync"}], figures, not_judged={"growth"})
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == figures
    judged = {line.split()[0]: line.split()[-1] for line in lines if line.strip()}
    assert judged["cpu_to_curl"] == "MISSED"
    assert judged["ratio_to_bare_read"] == "reached"
    assert judged["growth"] == "1.3"
    assert judged["docs_per_s"] == "20,000"


def test_a_ratio_compares_round_by_round() -> None:
    """A machine that slows down from round to round changes no ratio."""
    assert median_ratio([100, 50, 10], [200, 100, 20]) == 0.5
