"""Retries what may succeed later, with exponential backoff."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from threading import Event
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_before_delay,
    stop_when_event_set,
    wait_exponential,
)

from pipeline.errors import Conflict, Unavailable, WorklistError

Result = TypeVar("Result")

LONGEST_WAIT_SECONDS = 60.0


@dataclass
class Retry:
    """Retries a step until it succeeds, `limit_seconds` have passed without success, or `stop` is
    set; a limit of None is no limit.

    `log` gets each reason once, and one line when the step works again.
    """

    limit_seconds: float | None
    log: Callable[[str], None]
    stop: Event = field(default_factory=Event)
    errors: tuple[type[WorklistError], ...] = (Unavailable, Conflict)
    _reason: str | None = None
    _restarts: bool = True

    def __call__(self, step: Callable[[], Result]) -> Result:
        """The result of `step`, or its last error."""
        limit = inf if self.limit_seconds is None else self.limit_seconds
        result = Retrying(
            retry=retry_if_exception_type(self.errors),
            after=self._restart,
            wait=wait_exponential(max=LONGEST_WAIT_SECONDS),
            stop=stop_when_event_set(self.stop) | stop_before_delay(limit),
            before_sleep=self._log_reason,
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )(step)
        self.succeeded()
        return result

    def succeeded(self) -> None:
        """A step that goes on for long calls this as it progresses."""
        if self._reason and not self.stop.is_set():
            self.log("Works again.")
        self._reason = None
        self.restart()

    def restart(self) -> None:
        """Backoff and limit count from the next failure."""
        self._restarts = True

    def _restart(self, state: RetryCallState) -> None:
        if self._restarts:
            state.attempt_number, state.start_time = 1, time.monotonic()
        self._restarts = False

    def _log_reason(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception() if state.outcome else "")
        if reason != self._reason:
            self.log(f"{reason} Retrying in {state.upcoming_sleep:.0f} s.")
        self._reason = reason
