"""What an operator sees while steps run."""

import io
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from pipeline import terminal
from pipeline.sync.run import Progress
from pipeline.terminal import Rate, StepProgress, print_table
from tests.waiting import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """Everything that was ever drawn, without colours and movements."""
        return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue()))

    def wait_for(self, pattern: str) -> None:
        """A line that matches; drawing takes its time."""
        wait_until(lambda: any(re.fullmatch(pattern, line.strip()) for line in self.lines()))


@dataclass
class Clock:
    """The seconds that steps go by, instead of the module `time`."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(terminal, "time", made)
    return made


def watched(monkeypatch: pytest.MonkeyPatch, columns: int) -> Terminal:
    """Not a fixture: pytest puts its own stderr in place once fixtures are made."""
    watching = Terminal()
    monkeypatch.setattr(sys, "stderr", watching)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    return watching


def test_each_database_has_a_bar(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    watching = watched(monkeypatch, 120)
    first, second = StepProgress("sync medic"), StepProgress("sync medic-sentinel")
    clock.seconds = 2
    first.documents(Progress(read=1000, pending=24_000))
    second.documents(Progress(read=7, pending=None))
    watching.wait_for("sync medic +[━╸╺]+ +1,000 documents, 500/s, 24,000 left, 0:00:48")
    watching.wait_for("sync medic-sentinel +[━╸╺]+ +7 documents, 4/s")
    first.finish("done")
    second.finish("done")
    for step in ("sync medic", "sync medic-sentinel"):
        watching.wait_for(rf"{step}: done \(2\.0 s\)")


def test_a_narrow_terminal_keeps_the_bar_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    watching = watched(monkeypatch, 60)
    progress = StepProgress("sync medic-sentinel")
    clock.seconds = 1
    progress.documents(Progress(read=1000, pending=8_900_000))
    watching.wait_for("sync medic-sentinel [━╸╺]+ 1,000/s, 8,900,000 left, 2:28:20")
    progress.finish("done")


def test_a_log_line_appears_above_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = watched(monkeypatch, 120)
    progress = StepProgress("sync medic")
    progress.documents(Progress(read=5))
    watching.wait_for("sync medic .*5 documents.*")
    progress.log("PostgreSQL does not answer.")
    watching.wait_for(r"sync medic: PostgreSQL does not answer\.")
    progress.finish("done")
    watching.wait_for(r"sync medic: done \(\d+\.\d s\)")


def test_threads_of_an_interrupted_command_draw_no_bar_below_its_last_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terminal, "_BARS", terminal._Bars())
    watching = watched(monkeypatch, 120)
    progress = StepProgress("sync medic")
    progress.documents(Progress(read=5))
    terminal.end_bars()
    terminal.log("Aborted!")
    progress.documents(Progress(read=6))
    assert watching.getvalue().endswith("\x1b[2KAborted!\n")


def test_a_refresh_counts_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = watched(monkeypatch, 120)
    progress = StepProgress("refresh live")
    progress.model("contact", "success", 3, 12)
    watching.wait_for(r"refresh live +[━╸╺]+ +3 of 12, last contact")
    progress.model("report", "error", 4, 12)
    watching.wait_for("refresh live: report: error")
    progress.finish("done")


def test_a_log_has_plain_lines_every_few_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = StepProgress("sync medic")
    clock.seconds = 4.9
    progress.documents(Progress(read=5))
    assert capsys.readouterr().err == ""
    clock.seconds = 5
    progress.documents(Progress(read=1000, pending=0))
    progress.finish("done")
    assert capsys.readouterr().err == (
        "sync medic: 1,000 documents, 200/s, 0 left\nsync medic: done (5.0 s)\n"
    )


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(0.0)
    assert rate.update(10.0, 1000) == 100
    assert rate.update(20.0, 1000) == 50
    assert rate.update(40.0, 3000) == 100
    assert rate.update(60.0, 3000) == 0


ROWS = [{"patient": f"Grace [bold]Banda {'x' * 200}", "flags": ["muted", "late"], "due": None}]
THEN = datetime(2026, 11, 20, 2, 15, 59, 999_999, UTC)


def test_a_table_in_a_pipe_has_one_plain_line_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, ["patient", "flags", "due"])
    heading, row, *_ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["patient", "flags", "due"]
    assert row.split("  ")[:2] == [ROWS[0]["patient"], "muted, late"]


def test_a_moment_in_a_table_has_minutes_and_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"accepted_at": THEN}], ["accepted_at"])
    assert capsys.readouterr().out.splitlines()[1].strip() == "2026-11-20 02:15 UTC"


def test_a_table_on_a_terminal_wraps_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    print_table(ROWS, ["patient", "flags", "due"])
    assert max(map(len, terminal.lines())) <= 60
    assert "".join(terminal.lines()).count("x") == 200
