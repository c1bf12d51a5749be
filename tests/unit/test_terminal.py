"""What an operator sees while steps run."""

import io
import sys

import pytest

from pipeline.sync.run import Progress
from pipeline.terminal import Lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own stderr in place once fixtures are made."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    return terminal


def test_steps_side_by_side_share_the_line_that_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = watched(monkeypatch)
    first, second = Lines("sync medic"), Lines("sync medic-sentinel")
    first.progress(Progress(read=1000, pending=24_000))
    second.progress(Progress(read=7, pending=None))
    last = terminal.getvalue().rpartition("\x1b[K")[2]
    assert last.startswith("sync medic: 1,000 changes, ")
    assert "24,000 left | sync medic-sentinel: 7 changes" in last
    first.finish("done")
    assert "\x1b[Ksync medic: done (0.0 s)\n" in terminal.getvalue()
    assert terminal.getvalue().rpartition("\x1b[K")[2].startswith("sync medic-sentinel: 7")
    second.finish("done")
    assert terminal.getvalue().endswith("sync medic-sentinel: done (0.0 s)\n")


def test_a_sentence_does_not_run_into_the_line_that_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = watched(monkeypatch)
    lines = Lines("sync medic")
    lines.progress(Progress(read=5))
    lines.tell("PostgreSQL does not answer.")
    assert "\r\x1b[Ksync medic: PostgreSQL does not answer.\n\r\x1b[Ksync medic: 5" in (
        terminal.getvalue()
    )
    lines.finish("done")


def test_a_log_has_no_line_that_moves(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines("sync medic")
    lines.progress(Progress(read=5))
    lines.finish("done")
    assert capsys.readouterr().err == "sync medic: done (0.0 s)\n"
