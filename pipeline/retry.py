"""Waiting for the other side to come back: pauses that grow up to a ceiling."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from pipeline.errors import Conflict, Unavailable, WorklistError

Result = TypeVar("Result")

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class Patience:
    """How long to wait in all for what may pass; `limit_seconds` None is for ever.

    The limit counts from the last time that something went well. `say` hears each reason once, and
    once that it is over. `stop` ends a pause early. `bears` are the errors that are waited out.
    """

    limit_seconds: float | None
    say: Callable[[str], None]
    stop: Event = field(default_factory=Event)
    clock: Callable[[], float] = time.monotonic
    bears: tuple[type[WorklistError], ...] = (Unavailable, Conflict)
    _pause_seconds: float = FIRST_PAUSE_SECONDS
    _began: float | None = None
    _said: str | None = None

    def attempt(self, step: Callable[[], Result]) -> Result:
        """What `step` returns in the end; its error where patience runs out or `stop` is set."""
        while True:
            try:
                result = step()
            except self.bears as error:
                self._bear(error)
            else:
                self.went_well()
                return result

    def went_well(self) -> None:
        if self._said:
            self.say("Works again.")
        self._pause_seconds, self._began, self._said = FIRST_PAUSE_SECONDS, None, None

    def _bear(self, error: WorklistError) -> None:
        self._began = self.clock() if self._began is None else self._began
        is_over = (
            self.limit_seconds is not None
            and self.clock() + self._pause_seconds - self._began > self.limit_seconds
        )
        if is_over or self.stop.is_set():
            raise error
        if str(error) != self._said:
            self.say(f"{error} Trying again, at first in {self._pause_seconds:.0f} s.")
            self._said = str(error)
        if self.stop.wait(self._pause_seconds):
            raise error
        self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
