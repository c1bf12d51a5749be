"""The API under /api/v1. Everything in it is asked and answered as the signed-in user."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import driver
from pipeline.errors import Conflict, Refused
from pipeline.service import problem_details
from pipeline.service.api_examples import ACCEPTED, ANSWERS, MANY, TASK
from pipeline.service.dependencies import SignedOut, signed_in
from pipeline.service.list_view import PAGE_LENGTH
from pipeline.worklist import (
    explanation_facts,
    reference_data,
    rules,
    store,
    task_explanation,
    task_notes,
)
from pipeline.worklist.records import (
    Answer,
    Area,
    Filters,
    KnownVerification,
    PatientReport,
    Progress,
    Sent,
    Task,
    TaskNote,
    ToTrace,
)

Standing = Literal[
    "upcoming", "open", "verified", "resolved", "expired", "repeated", "withdrawn", "excluded"
]
State = Literal["Draft", "Ready", "Completed", "Failed", "Cancelled"]
Flag = Literal[
    "ambiguous_patient",
    "appointment_changed",
    "bad_reported_date",
    "distant_appointment_date",
    "unknown_patient",
    "place_from_sender",
    "no_appointment_date",
    "bad_appointment_date",
    "future_appointment_date",
    "no_due_date",
    "text_altered",
    "duplicate_open",
    "orphan_place",
]
Order = Literal["missed", "due", "name", "area"]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Name = Annotated[Text, Field(max_length=1000)]
Limit = Annotated[int, Field(ge=1, le=200, description="maximum number of rows")]
KEY = r"^[!-~]{1,200}$"
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=KEY,
        description="chosen by you: new for every answer, the same for a retry within 24 hours",
    ),
]
MOST_AT_ONCE = 100


class Problem(BaseModel):
    """RFC 9457; `errors` names the fields that were wrong."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


@dataclass(frozen=True)
class Me:
    """Who is signed in, with rights as last known."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    facility_names: list[str]
    contact_uuid: str | None
    is_online: bool
    is_programme_wide: bool
    missing: Annotated[
        list[rules.Missing], Field(description="what the account lacks in the CHT to verify")
    ]
    progress: Progress
    as_of: Annotated[datetime | None, Field(description="the time that the tasks are derived from")]


class TaskQuery(BaseModel):
    """Which tasks are wanted, and how."""

    standing: Standing | None = Field(
        None, description="`open` where neither this nor `state` is given"
    )
    state: State | None = Field(None, description="state in the CHT's terms")
    definition: Name = Field("", description="name in tasks.yml")
    place_uuid: Name = Field("", description="this place and all below it")
    area_uuid: Name = Field("", description="the CHW's area")
    reason: Name = Field("", description="the reason for not_visited")
    flag: Flag | None = None
    is_overdue: bool = Field(False, description="only where the due day has passed")
    q: Text = Field("", max_length=100, description="name, shortcode or phone")
    order: Order = Field(
        "missed", description="most days since the appointment, due day, name, CHW's area"
    )
    limit: Limit = PAGE_LENGTH
    after: UUID | None = Field(None, description="`next` of the previous page")

    @property
    def filters(self) -> Filters:
        return Filters(
            standing=self.standing or ("" if self.state else "open"),
            state=self.state or "",
            definition=self.definition,
            place_uuid=self.place_uuid,
            area_uuid=self.area_uuid,
            reason=self.reason,
            flag=self.flag or "",
            is_overdue=self.is_overdue,
            search=self.q,
        )


@dataclass(frozen=True)
class TaskPage:
    tasks: list[Task]
    next: Annotated[
        UUID | None, Field(description="pass it as `after` for the next page; null at the end")
    ]


@dataclass(frozen=True)
class TaskWithHistory:
    task: Task
    reasons: Annotated[tuple[str, ...], Field(description="the reasons allowed with not_visited")]
    why_not: Annotated[
        str | None, Field(description="the rule that keeps you from answering it; null if you may")
    ]
    history: Annotated[
        list[KnownVerification],
        Field(description="all answers, newest first; those with a void_reason do not count"),
    ]
    notes: Annotated[list[TaskNote], Field(description="why it was not answered, newest first")]
    patient_reports: Annotated[
        list[PatientReport],
        Field(description="appointments, later reports and traces, newest first"),
    ]
    explanation: Annotated[list[str], Field(description="why it is in its state, in sentences")]


@dataclass(frozen=True)
class VerificationPage:
    verifications: list[KnownVerification]
    next: Annotated[
        str | None, Field(description="pass it as `after` for the next page; null at the end")
    ]


class AnswerSent(BaseModel):
    """`visit_date` goes with visited, `reason` with not_visited; both may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": ANSWERS})

    outcome: Literal["visited", "not_visited"]
    visit_date: str | None = Field(None, max_length=10, description="a day, not after today")
    reason: str | None = Field(None, max_length=200)
    note: str = Field("", max_length=rules.NOTE_LENGTH)
    follows_round: int = Field(
        0,
        ge=0,
        le=2_000_000_000,
        description="the task's `last_round` as you read it: 0 to answer, more to correct",
    )

    @property
    def answer(self) -> Answer:
        return Answer(self.outcome, self.visit_date or "", self.reason or "", self.note)


class AnswerToTask(AnswerSent):
    """One of many answers, each with its own task and key."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": MANY})

    task_uuid: UUID
    idempotency_key: str = Field(pattern=KEY, description="as the header of a single answer")


class AnswersSent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verifications: list[AnswerToTask] = Field(min_length=1, max_length=MOST_AT_ONCE)


class NoteSent(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"note": "The register of that week is at the district."}]},
    )

    note: str = Field(min_length=1, max_length=rules.NOTE_LENGTH)


@dataclass(frozen=True)
class Accepted:
    """An answer that is safe: it goes to the CHT as the report `report_id`."""

    verification_id: UUID
    report_id: str
    task_uuid: UUID
    task_id: str
    round: int
    outcome: str
    visit_on: date | None
    reason: str | None
    note: str
    replaces: str | None
    verified_by: str
    verified_at: datetime
    appointment_on: date | None
    patient_uuid: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of one of many: `status` is what it would have been alone."""

    task_uuid: UUID
    status: Annotated[int, Field(description="201 if it was stored")]
    verification: Accepted | None
    problem: Annotated[dict[str, Any] | None, Field(description="as in RFC 9457")]


@dataclass(frozen=True)
class Outcomes:
    """In the order in which they were sent."""

    outcomes: list[Outcome]


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {problem_details.MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": "a problem", "content": content} for status in statuses}


def _example(status: int, value: object) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {"application/json": {"example": value}}}}


router = APIRouter(prefix="/api/v1", responses=_problems(400, 401, 403, 422, 503))


@router.get("/me")
def me(request: Request) -> Me:
    """Who is signed in, with rights as last known, and how far the list is."""
    with signed_in(request) as context:
        connection, viewer = context.connection, context.viewer
        return Me(
            user_name=viewer.user_name,
            roles=viewer.roles,
            facility_uuids=viewer.facility_uuids,
            facility_names=reference_data.place_names(connection, viewer.facility_uuids),
            contact_uuid=viewer.contact_uuid,
            is_online=viewer.is_online,
            is_programme_wide=viewer.is_programme_wide,
            missing=rules.missing(viewer, reference_data.assigned_roles(connection)),
            progress=store.progress(connection, viewer),
            as_of=reference_data.days(connection).as_of,
        )


@router.get("/tasks", responses=_example(200, {"tasks": [TASK], "next": None}))
def tasks(request: Request, query: Annotated[TaskQuery, Query()]) -> TaskPage:
    """Your tasks, most days since the appointment first."""
    with signed_in(request) as context:
        found = store.tasks(
            context.connection,
            context.viewer,
            filters=query.filters,
            order=query.order,
            limit=query.limit + 1,
            after=query.after,
        )
    shown = found[: query.limit]
    return TaskPage(shown, shown[-1].task_uuid if len(found) > query.limit else None)


@router.get("/areas")
def areas(request: Request, standing: Standing = "open") -> list[Area]:
    """The CHWs' areas in which you have tasks, by name."""
    with signed_in(request) as context:
        return store.areas(context.connection, context.viewer, Filters(standing=standing))


@router.get("/to-trace")
def to_trace(request: Request) -> list[ToTrace]:
    """Patients whose missed appointment is confirmed, and whom nobody has traced since, by area."""
    with signed_in(request) as context:
        return store.to_trace(context.connection, context.viewer)


@router.get("/tasks/{task_uuid}", responses=_problems(404))
def task(request: Request, task_uuid: UUID) -> TaskWithHistory:
    """One task with all that was said of it; 404 for what is not on your worklist."""
    with signed_in(request) as context:
        connection, viewer = context.connection, context.viewer
        found = store.task(connection, viewer, task_uuid)
        if found is None:
            raise rules.UnknownTask
        definition = reference_data.definition(connection, found.definition)
        return TaskWithHistory(
            task=found,
            reasons=definition.reasons,
            why_not=rules.why_not(viewer, found, definition),
            history=store.history(connection, found.task_id),
            notes=task_notes.of_task(connection, found.task_id),
            patient_reports=store.patient_reports(connection, found),
            explanation=[
                sentence
                for facts in explanation_facts.of_tasks(driver(connection), found.task_id)
                for sentence in task_explanation.explain(facts, names_readers=False)
            ],
        )


@router.post(
    "/tasks/{task_uuid}/verification",
    status_code=201,
    responses={**_problems(404, 409), **_example(201, ACCEPTED)},
)
def verify(request: Request, task_uuid: UUID, sent: AnswerSent, idempotency_key: Key) -> Accepted:
    """Answers a task, or corrects its answer. 409 with who and when if somebody was faster."""
    return _accept(request, task_uuid, sent, idempotency_key)


def _accept(request: Request, task_uuid: UUID, sent: AnswerSent, key: str) -> Accepted:
    """Safe in PostgreSQL when it returns."""
    with signed_in(request) as context:
        accepted = context.accept(task_uuid, Sent(sent.answer, sent.follows_round, key))
    return Accepted(task_uuid=task_uuid, **vars(accepted))


@router.post("/verifications")
def verify_many(request: Request, sent: AnswersSent) -> Outcomes:
    """Answers several tasks, each for itself: what is wrong with one does not hold up the others.

    Each outcome has the status that it would have had alone.
    """
    return Outcomes([_outcome(request, one) for one in sent.verifications])


def _outcome(request: Request, sent: AnswerToTask) -> Outcome:
    try:
        accepted = _accept(request, sent.task_uuid, sent, sent.idempotency_key)
    except SignedOut:
        raise
    except (Refused, Conflict) as error:
        problem = problem_details.of(error)
        return Outcome(sent.task_uuid, problem["status"], None, problem)
    return Outcome(sent.task_uuid, 201, accepted, None)


@router.post("/tasks/{task_uuid}/note", status_code=201, responses=_problems(404, 409))
def note(request: Request, task_uuid: UUID, sent: NoteSent, idempotency_key: Key) -> TaskNote:
    """Keeps why a task cannot be answered yet; it stays open, and the note stays here."""
    with signed_in(request) as context:
        return context.add_note(task_uuid, sent.note, idempotency_key)


@router.get("/verifications")
def verifications(
    request: Request,
    limit: Limit = PAGE_LENGTH,
    after: Annotated[Text | None, Query(max_length=200)] = None,
) -> VerificationPage:
    """Answers to tasks on your worklist, latest first, with their way to the CHT."""
    with signed_in(request) as context:
        found = store.verifications(
            context.connection, context.viewer, limit=limit + 1, after=after
        )
    shown = found[:limit]
    return VerificationPage(shown, shown[-1].report_id if len(found) > limit else None)
