"""What a response of the CHT means for a verification report. Pure.

The states of a row of the outbox:

    accepted ──▶ pending ──▶ sent ──▶ confirmed
                  │ ▲ │       │         │  ▲
                  │ │ │       ▼         ▼  │
                  │ │ └──▶ withdrawn ◀──┘  │
                  │ │         ▲   └────────┘
                  ▼ │         │
                refused ──────┘

    pending ▶ sent         the CHT says that it has the report
    pending ▶ refused      the CHT will never accept it, or another document has its id
    pending ▶ withdrawn    found deleted before it was sent again; or dropped by a person
    refused ▶ pending      retried by a person
    refused ▶ withdrawn    dropped by a person
    sent ▶ confirmed       the report has landed, whoever synced it
    sent, confirmed ▶ withdrawn    its deletion in the CHT has landed
    withdrawn ▶ confirmed  it has landed after all: restored in the CHT, or dropped too late

A withdrawn answer does not count: its task is open again.

A claim counts an attempt and sets the next one before anything is sent. So a row whose response
was lost has an attempt counted, and is looked up before it is sent again: CouchDB accepts a write
over a deletion, and somebody may have deleted the report on purpose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pipeline.cht.client import DocumentState, Stored, WriteResult
from pipeline.cht.http import join_reason

NOT_OURS = (
    "ALARM: the CHT has another document under the id of this verification report. It was not "
    "overwritten; compare the two by hand."
)
NO_ANSWER = "The CHT did not say whether it stored this report."
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
    """A row's next state, with a reason where one is needed. PENDING is tried again later.

    `report_id` is the id of the report in the CHT, where the CHT chose it.
    """

    state: State
    reason: str | None = None
    report_id: str | None = None


SENT = Decision(State.SENT)
WITHDRAWN = Decision(State.WITHDRAWN)


@dataclass(frozen=True)
class Backoff:
    """How long a claim lasts, and how long a failed row waits."""

    lease: timedelta = timedelta(minutes=5)
    first_pause: timedelta = timedelta(seconds=5)
    longest_pause: timedelta = timedelta(minutes=5)

    def pause(self, attempts: int) -> timedelta:
        """Doubles with each attempt, up to a ceiling."""
        doublings = min(max(attempts, 1) - 1, 20)
        return min(self.first_pause * (1 << doublings), self.longest_pause)


# For an API that creates a report twice when asked twice: an earlier request gets time to finish
# before its report is searched for.
API_BACKOFF = Backoff(first_pause=timedelta(minutes=1))


def must_look_first(attempts: int) -> bool:
    """Whether an earlier attempt may have reached the CHT; `attempts` counts this one too."""
    return attempts > 1


def after_writing(written: WriteResult) -> Decision | None:
    """None when the id is taken: then the stored document decides."""
    if written.ok:
        return SENT
    if written.error == "conflict":
        return None
    said = join_reason(written.error, written.reason)
    if not said or written.error in _PASSING:
        return Decision(State.PENDING, said or NO_ANSWER)
    return Decision(State.REFUSED, said)


def after_reading(report: Mapping[str, Any], stored: Stored) -> Decision:
    """The decision by the document that is or was stored under the report's id."""
    if stored.state == DocumentState.DELETED:
        return WITHDRAWN
    if stored.state == DocumentState.MISSING or stored.content is None:
        return Decision(State.PENDING, NO_ANSWER)
    return SENT if is_ours(report, stored.content) else Decision(State.REFUSED, NOT_OURS)


def after_searching(report: Mapping[str, Any], found: Iterable[tuple[str, Stored]]) -> Decision:
    """The decision by the documents with the report's `verification_id`, whose ids the CHT chose.

    There may be several, since the API does not prevent a second copy; the lowest id counts.
    """
    copies = sorted((id_, after_reading(report, stored)) for id_, stored in found)
    ours = [id_ for id_, decision in copies if decision == SENT]
    if not ours:
        return copies[0][1]
    others = f"The CHT has {len(ours)} copies of this report." if len(ours) > 1 else None
    return Decision(State.SENT, others, ours[0])


def is_ours(report: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether it is the same verification and answer; Sentinel may have added fields."""
    return stored.get("form") == report.get("form") and _answer(stored) == _answer(report)


def _answer(document: Mapping[str, Any]) -> list[object]:
    fields = _mapping(document.get("fields"))
    verification = _mapping(fields.get("verification"))
    return [
        *(fields.get(key) for key in _ANSWER),
        *(verification.get(key) or "" for key in _VERIFICATION),
    ]


def for_the_api(report: Mapping[str, Any], replaces: str | None) -> dict[str, Any]:
    """The report as `POST /api/v1/report` takes it: without an id, the sender by id alone.

    `replaces` is the id in the CHT of the report that this one corrects.
    """
    body = {key: value for key, value in report.items() if key != "_id"}
    fields = dict(_mapping(body.get("fields")))
    if replaces:
        fields["replaces"] = replaces
    return body | {"contact": _mapping(body.get("contact")).get("_id"), "fields": fields}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
