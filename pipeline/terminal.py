"""What an operator sees on stderr: a line that moves on a terminal, plain lines in a log."""

import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

_SECONDS_BETWEEN_LINES = 5.0


class Reached(Protocol):
    """How far a step has come."""

    @property
    def read(self) -> int: ...

    @property
    def pending(self) -> int | None: ...


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - this module is where we print


class Lines:
    """The progress of one step; `quiet` keeps to what is worth a line in a log.

    Steps that run side by side share the line that moves.
    """

    _moving: ClassVar[dict[str, str]] = {}
    _pen: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, step: str, quiet: bool = False) -> None:
        self._step = step
        self._quiet = quiet
        self._moves = sys.stderr.isatty() and not quiet
        self._started = time.monotonic()
        self._told = self._started
        self._count = 0

    def progress(self, reached: Reached) -> None:
        rate = reached.read / max(time.monotonic() - self._started, 0.001)
        left = "" if reached.pending is None else f", {reached.pending:,} left"
        self._show(f"{reached.read:,} changes, {rate:,.0f}/s{left}")

    def model(self, name: str, status: str) -> None:
        """One model or test that dbt finished."""
        self._count += 1
        if status not in {"success", "pass"}:
            self.tell(f"{name}: {status}")
        self._show(f"{self._count} done, last {name}")

    def finish(self, words: str, *, is_worth_telling: bool = False) -> None:
        self._moving.pop(self._step, None)
        if not self._quiet or is_worth_telling:
            self.tell(f"{words} ({time.monotonic() - self._started:.1f} s)")

    def _show(self, words: str) -> None:
        if self._moves:
            with self._pen:
                self._moving[self._step] = f"{self._step}: {words}"
                self._draw()
        elif not self._quiet and time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.tell(words)

    def tell(self, words: str) -> None:
        """A sentence about this step that stays, even when it is quiet."""
        with self._pen:
            if sys.stderr.isatty():
                sys.stderr.write("\r\x1b[K")
            say(f"{self._step}: {words}")
            if self._moving:
                self._draw()

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r\x1b[K" + " | ".join(self._moving.values())[:width])
        sys.stderr.flush()


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
