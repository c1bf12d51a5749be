"""What an operator sees on stderr: a bar for each step on a terminal, plain lines in a log."""

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_OF_A_PACE = 15.0
_NARROW = 100  # columns, below which a bar says less in words


class Reached(Protocol):
    """How far a step has come."""

    @property
    def read(self) -> int: ...

    @property
    def pending(self) -> int | None: ...


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - this module is where we print


class Pace:
    """How many a second lately."""

    def __init__(self, started: float) -> None:
        self._seen = deque([(started, 0)])

    def at(self, moment: float, count: int) -> float:
        self._seen.append((moment, count))
        while len(self._seen) > 2 and self._seen[1][0] <= moment - _SECONDS_OF_A_PACE:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / max(moment - then, 0.001)


class _Bars:
    """The bars of all steps that run, below each other at the end of the terminal.

    While there are any, what is written to stderr appears above them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: Progress | None = None
        self._bars: dict[str, TaskID] = {}

    def show(self, step: str, done: int, total: int | None, numbers: str) -> None:
        """Without a total it is not known how much is left, and the bar only moves."""
        with self._lock:
            self._drawn = self._drawn or _begin()
            if step not in self._bars:
                self._bars[step] = self._drawn.add_task(step, total=None, numbers="")
            self._drawn.update(self._bars[step], completed=done, total=total, numbers=numbers)

    def take_away(self, step: str) -> None:
        with self._lock:
            bar = self._bars.pop(step, None)
            if self._drawn and bar is not None:
                self._drawn.remove_task(bar)
            if not self._bars:
                self._end()

    def end(self) -> None:
        """Gives the terminal back, whatever still runs."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._drawn:
            self._drawn.stop()
        self._drawn = None
        self._bars.clear()


def _begin() -> Progress:
    drawn = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[numbers]}", markup=False),
        console=Console(stderr=True),
        expand=True,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=4,
    )
    drawn.start()
    return drawn


_BARS = _Bars()
atexit.register(_BARS.end)


class Lines:
    """The progress of one step; `quiet` keeps to what is worth a line in a log."""

    def __init__(self, step: str, quiet: bool = False) -> None:
        self._step = step
        self._quiet = quiet
        terminal = Console(stderr=True)
        self._has_bar = terminal.is_terminal and not terminal.is_dumb_terminal and not quiet
        self._started = time.monotonic()
        self._told = self._started
        self._pace = Pace(self._started)

    def progress(self, reached: Reached) -> None:
        """Documents of a database, of which it may be unknown how many are left."""
        rate = self._pace.at(time.monotonic(), reached.read)
        words, total = f"{rate:,.0f}/s", None
        if reached.pending is not None:
            total = reached.read + reached.pending
            words += f", {reached.pending:,} left{_time_left(reached.pending, rate)}"
        self._show(reached.read, total, f"{reached.read:,} documents, {words}", words)

    def model(self, name: str, status: str, done: int, total: int) -> None:
        """One model or test that dbt finished, the `done`th of `total`."""
        if status not in {"success", "pass"}:
            self.tell(f"{name}: {status}")
        self._show(done, total, f"{done} of {total}, last {name}", f"{done} of {total}")

    def finish(self, words: str, *, is_worth_telling: bool = False) -> None:
        _BARS.take_away(self._step)
        if not self._quiet or is_worth_telling:
            self.tell(f"{words} ({time.monotonic() - self._started:.1f} s)")

    def _show(self, done: int, total: int | None, words: str, short: str) -> None:
        if self._has_bar:
            is_narrow = Console(stderr=True).width < _NARROW
            _BARS.show(self._step, done, total, short if is_narrow else words)
        elif not self._quiet and time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.tell(words)

    def tell(self, words: str) -> None:
        """A sentence about this step that stays, even when it is quiet."""
        say(f"{self._step}: {words}")


def _time_left(count: int, rate: float) -> str:
    """Empty when there is no telling."""
    return f", {timedelta(seconds=round(count / rate))}" if count and rate else ""


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Rows under their headings, as wide as they need to be."""
    cells = [list(columns)] + [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
