"""What an answer of the CHT means for a verification report on its way. Pure.

The states of a row of the outbox:

    pending ──▶ sent ──▶ confirmed
       │          │          │
       │          └──────────┴──▶ withdrawn    the report was deleted in the CHT
       ├──▶ withdrawn                          the same, seen before it was sent again
       └──▶ refused                            kept with the CHT's words; a person decides
               └──▶ pending                    replayed by hand

`pending`: not known to be in the CHT. `sent`: the CHT says that it has it. `confirmed`: its id
stands in the landing, whoever synced it.

A claim counts an attempt and puts off the next one before anything is sent. So a row whose answer
was lost comes back with an attempt behind it, and is looked up before it is sent again: CouchDB
lets a write over a deletion through, and somebody may have deleted the report on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pipeline.cht.client import Standing, Stored, Written
from pipeline.cht.door import own_words

LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)

NOT_OURS = (
    "ALARM: another document stands in the CHT under the id of this verification report. It was "
    "not overwritten; compare the two by hand."
)
NO_ANSWER = "The CHT did not say what became of this report."
_PASSING = frozenset({"internal_server_error", "service_unavailable", "timeout", "unknown_error"})
_ANSWER = ("verification_id", "task_id", "round")
_VERIFICATION = ("outcome", "visit_date", "reason", "note")


class State(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Decision:
    """Where a row goes, and why where that needs saying. PENDING is to be tried again later."""

    state: State
    reason: str | None = None


SENT = Decision(State.SENT)
WITHDRAWN = Decision(State.WITHDRAWN)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: twice as long each time, up to a ceiling."""
    doublings = min(max(attempts, 1) - 1, 20)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def must_look_first(attempts: int) -> bool:
    """Whether an earlier attempt may have reached the CHT; `attempts` counts this one too."""
    return attempts > 1


def after_writing(written: Written) -> Decision | None:
    """None when something stands under the id already: then the document itself decides."""
    if written.ok:
        return SENT
    if written.error == "conflict":
        return None
    said = own_words(written.error, written.reason)
    if not said or written.error in _PASSING:
        return Decision(State.PENDING, said or NO_ANSWER)
    return Decision(State.REFUSED, said)


def after_reading(report: Mapping[str, Any], stored: Stored) -> Decision:
    """What a document that stands, or stood, under the report's id means."""
    if stored.standing == Standing.DELETED:
        return WITHDRAWN
    if stored.standing == Standing.MISSING or stored.content is None:
        return Decision(State.PENDING, NO_ANSWER)
    return SENT if is_ours(report, stored.content) else Decision(State.REFUSED, NOT_OURS)


def is_ours(report: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """The same verification with the same answer; Sentinel may have added to the document."""
    return stored.get("form") == report.get("form") and _answer(stored) == _answer(report)


def _answer(document: Mapping[str, Any]) -> list[object]:
    fields = _mapping(document.get("fields"))
    verification = _mapping(fields.get("verification"))
    return [
        *(fields.get(key) for key in _ANSWER),
        *(verification.get(key) or "" for key in _VERIFICATION),
    ]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
