"""What an answer of the CHT means for a verification report on its way. Pure.

The states of a row of the outbox:

    accepted ──▶ pending ──▶ sent ──▶ confirmed
                  │ ▲ │       │         │  ▲
                  │ │ │       ▼         ▼  │
                  │ │ └──▶ withdrawn ◀──┘  │
                  │ │         ▲   └────────┘
                  ▼ │         │
                refused ──────┘

    pending ▶ sent         the CHT says that it has the report
    pending ▶ refused      the CHT will never take it, or something else stands under its id
    pending ▶ withdrawn    found deleted before it was sent again; or dropped by a person
    refused ▶ pending      retried by a person
    refused ▶ withdrawn    dropped by a person
    sent ▶ confirmed       its id stands in the landing, whoever synced it
    sent, confirmed ▶ withdrawn    by what has landed it was deleted in the CHT
    withdrawn ▶ confirmed  it has landed after all: restored in the CHT, or dropped too late

A withdrawn answer does not count: its task is open again.

A claim counts an attempt and puts off the next one before anything is sent. So a row whose answer
was lost comes back with an attempt behind it, and is looked up before it is sent again: CouchDB
lets a write over a deletion through, and somebody may have deleted the report on purpose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pipeline.cht.client import Standing, Stored, Written
from pipeline.cht.http import own_words

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
    """Where a row goes, and why where that needs saying. PENDING is to be tried again later.

    `report_id` is the id under which the CHT has the report, where it chose one itself.
    """

    state: State
    reason: str | None = None
    report_id: str | None = None


SENT = Decision(State.SENT)
WITHDRAWN = Decision(State.WITHDRAWN)


@dataclass(frozen=True)
class Pace:
    """How long a worker may hold what it claimed, and how long what failed waits."""

    lease: timedelta = timedelta(minutes=5)
    first_pause: timedelta = timedelta(seconds=5)
    longest_pause: timedelta = timedelta(minutes=5)

    def pause(self, attempts: int) -> timedelta:
        """Twice as long after each attempt, up to a ceiling."""
        doublings = min(max(attempts, 1) - 1, 20)
        return min(self.first_pause * (1 << doublings), self.longest_pause)


# For a CHT that makes a report twice when asked twice: what an earlier request may still do is
# waited for before it is looked for.
CAUTIOUS = Pace(first_pause=timedelta(minutes=1))


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


def after_searching(report: Mapping[str, Any], found: Iterable[tuple[str, Stored]]) -> Decision:
    """What the documents mean that carry the report's `verification_id` under ids of the CHT's.

    There may be several, since the CHT does not keep a report from being made twice; the first id
    counts, whoever asks.
    """
    copies = sorted((id_, after_reading(report, stored)) for id_, stored in found)
    ours = [id_ for id_, decision in copies if decision == SENT]
    if not ours:
        return copies[0][1]
    others = f"The CHT has {len(ours)} copies of this report." if len(ours) > 1 else None
    return Decision(State.SENT, others, ours[0])


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


def for_the_api(report: Mapping[str, Any], replaces: str | None) -> dict[str, Any]:
    """The report as `POST /api/v1/report` takes it: without an id, its sender by id alone.

    `replaces` is the id that the CHT gave the report which this one corrects.
    """
    body = {key: value for key, value in report.items() if key != "_id"}
    fields = dict(_mapping(body.get("fields")))
    if replaces:
        fields["replaces"] = replaces
    return body | {"contact": _mapping(body.get("contact")).get("_id"), "fields": fields}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
