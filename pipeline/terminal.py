"""What an operator sees: the progress of each step on stderr, as a bar or in lines, and tables."""

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_LINES = 5.0
_RATE_SECONDS = 15.0
_NARROW = 100  # columns, below which a bar has only the most important numbers
_UNLIMITED = 1_000_000  # columns


class DocumentCount(Protocol):
    """How far a sync has come; `pending` is None where the CHT does not say what is left."""

    @property
    def read(self) -> int: ...

    @property
    def pending(self) -> int | None: ...


def log(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - this module is where we print


def print_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Fits the terminal; in a file or pipe, every row is one plain line."""
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNLIMITED)
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M %Z}"
    return str(value)


class Rate:
    """Items a second over the last `_RATE_SECONDS`."""

    def __init__(self, started: float) -> None:
        self._counts = deque([(started, 0)])

    def update(self, moment: float, count: int) -> float:
        self._counts.append((moment, count))
        while len(self._counts) > 2 and self._counts[1][0] <= moment - _RATE_SECONDS:
            self._counts.popleft()
        first_moment, first_count = self._counts[0]
        return (count - first_count) / max(moment - first_moment, 0.001)


class _Bars:
    """The bars of all running steps, at the bottom of the terminal; stderr is shown above them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._has_ended = False

    def update(self, step: str, done: int, total: int | None, numbers: str) -> None:
        """Without a total the bar pulses."""
        with self._lock:
            if self._has_ended:
                return
            self._progress = self._progress or _start_progress()
            if step not in self._bars:
                self._bars[step] = self._progress.add_task(step, total=None, numbers="")
            self._progress.update(self._bars[step], completed=done, total=total, numbers=numbers)

    def remove(self, step: str) -> None:
        with self._lock:
            bar = self._bars.pop(step, None)
            if self._progress and bar is not None:
                self._progress.remove_task(bar)
            if not self._bars:
                self._stop()

    def end(self) -> None:
        with self._lock:
            self._has_ended = True
            self._stop()

    def _stop(self) -> None:
        if self._progress:
            self._progress.stop()
        self._progress = None
        self._bars.clear()


def _start_progress() -> Progress:
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[numbers]}", markup=False),
        console=Console(stderr=True),
        expand=True,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=4,
    )
    progress.start()
    return progress


_BARS = _Bars()


@atexit.register
def end_bars() -> None:
    """Removes all bars; threads that still run draw no other."""
    _BARS.end()


class StepProgress:
    """The progress of one step; a `quiet` one has no bar and logs only what has happened."""

    def __init__(self, step: str, quiet: bool = False) -> None:
        self._step = step
        self._quiet = quiet
        console = Console(stderr=True)
        self._has_bar = console.is_terminal and not console.is_dumb_terminal and not quiet
        self._started = time.monotonic()
        self._logged = self._started
        self._rate = Rate(self._started)

    def documents(self, count: DocumentCount) -> None:
        rate = self._rate.update(time.monotonic(), count.read)
        numbers, total = f"{rate:,.0f}/s", None
        if count.pending is not None:
            total = count.read + count.pending
            numbers += f", {count.pending:,} left{_time_left(count.pending, rate)}"
        self._show(count.read, total, f"{count.read:,} documents, {numbers}", numbers)

    def model(self, name: str, status: str, done: int, total: int) -> None:
        """A model or test that dbt has finished, the `done`th of `total`."""
        if status not in {"success", "pass"}:
            self.log(f"{name}: {status}")
        self._show(done, total, f"{done} of {total}, last {name}", f"{done} of {total}")

    def close(self) -> None:
        """Ends the step without a line."""
        _BARS.remove(self._step)

    def finish(self, result: str, *, has_changes: bool = False) -> None:
        self.close()
        if not self._quiet or has_changes:
            self.log(f"{result} ({time.monotonic() - self._started:.1f} s)")

    def log(self, sentence: str) -> None:
        log(f"{self._step}: {sentence}")

    def _show(self, done: int, total: int | None, numbers: str, short: str) -> None:
        if self._has_bar:
            is_narrow = Console(stderr=True).width < _NARROW
            _BARS.update(self._step, done, total, short if is_narrow else numbers)
        elif not self._quiet and time.monotonic() - self._logged >= _SECONDS_BETWEEN_LINES:
            self._logged = time.monotonic()
            self.log(numbers)


def _time_left(count: int, rate: float) -> str:
    return f", {timedelta(seconds=round(count / rate))}" if count and rate else ""
