"""The API under /api/v1. Everything in it is asked and answered as the signed-in user."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pipeline.service.collaborators import visit
from pipeline.worklist import programme, rules, run, store
from pipeline.worklist.records import Answer, KnownVerification, Progress, Task

Standing = Literal["upcoming", "open", "verified", "resolved", "expired", "withdrawn", "excluded"]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=200, description="at most so many rows")]


class Problem(BaseModel):
    """RFC 9457; `errors` names the fields that were wrong."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


class Me(BaseModel):
    user_name: str
    roles: list[str]
    facility_uuids: list[str]
    facility_names: list[str]
    contact_uuid: str | None
    is_online: bool
    is_programme_wide: bool
    missing: list[rules.Missing] = Field(
        description="what the account lacks in the CHT to verify; empty if nothing"
    )
    progress: Progress
    as_of: datetime | None = Field(description="the moment of the derived tables")


class TaskPage(BaseModel):
    tasks: list[Task]
    next: UUID | None = Field(description="give it as `after` to read on; null at the end")


class TaskWithHistory(BaseModel):
    task: Task
    reasons: list[str] = Field(description="what not_visited may name")
    why_not: str | None = Field(description="the rule against answering it; null if you may")
    history: list[KnownVerification] = Field(description="all answers, newest first")


class VerificationPage(BaseModel):
    verifications: list[KnownVerification]
    next: str | None = Field(description="give it as `after` to read on; null at the end")


class AnswerSent(BaseModel):
    """`visit_date` goes with visited, `reason` with not_visited; both may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"outcome": "visited", "visit_date": "2026-10-22", "follows_round": 0},
                {"outcome": "not_visited", "reason": "moved", "note": "", "follows_round": 0},
            ]
        },
    )

    outcome: Literal["visited", "not_visited"]
    visit_date: str | None = Field(None, max_length=10, description="a day, not after today")
    reason: str | None = Field(None, max_length=200)
    note: str = Field("", max_length=rules.NOTE_LENGTH)
    follows_round: int = Field(
        0, ge=0, le=1_000_000, description="the task's `last_round` as you read it"
    )

    @property
    def answer(self) -> Answer:
        return Answer(self.outcome, self.visit_date or "", self.reason or "", self.note)


class Accepted(BaseModel):
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


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": "a problem", "content": content} for status in statuses}


router = APIRouter(prefix="/api/v1", responses=_problems(401, 403, 422, 503))


@router.get("/me")
def me(request: Request) -> Me:
    """Who is signed in, with rights as last known, and how far the list is."""
    with visit(request) as here:
        viewer = here.viewer
        return Me(
            user_name=viewer.user_name,
            roles=list(viewer.roles),
            facility_uuids=list(viewer.facility_uuids),
            facility_names=programme.place_names(here.connection, viewer.facility_uuids),
            contact_uuid=viewer.contact_uuid,
            is_online=viewer.is_online,
            is_programme_wide=viewer.is_programme_wide,
            missing=rules.missing(viewer, programme.assigned_roles(here.connection)),
            progress=store.progress(here.connection, viewer),
            as_of=programme.days(here.connection).as_of,
        )


@router.get("/tasks")
def tasks(
    request: Request,
    standing: Standing = "open",
    q: Annotated[Text, Query(max_length=100, description="name, shortcode or phone")] = "",
    limit: Limit = 50,
    after: Annotated[UUID | None, Query(description="the `next` of the page before")] = None,
) -> TaskPage:
    """Your tasks, most days since the appointment first."""
    with visit(request) as here:
        found = store.tasks(
            here.connection, here.viewer, standing=standing, search=q, limit=limit + 1, after=after
        )
    shown = found[:limit]
    return TaskPage(tasks=shown, next=shown[-1].task_uuid if len(found) > limit else None)


@router.get("/tasks/{task_uuid}", responses=_problems(404))
def task(request: Request, task_uuid: UUID) -> TaskWithHistory:
    """One task with all its answers; 404 for what is not on your worklist."""
    with visit(request) as here:
        found = store.task(here.connection, here.viewer, task_uuid)
        if found is None:
            raise rules.UnknownTask
        definition = programme.definition(here.connection, found.definition)
        return TaskWithHistory(
            task=found,
            reasons=list(definition.reasons),
            why_not=rules.why_not(here.viewer, found, definition),
            history=store.history(here.connection, found.task_id),
        )


@router.post("/tasks/{task_uuid}/verification", status_code=201, responses=_problems(404, 409))
def verify(
    request: Request,
    task_uuid: UUID,
    sent: AnswerSent,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[!-~]{1,200}$",
            description="yours, new for every answer, the same when you repeat one; 24 hours",
        ),
    ],
) -> Accepted:
    """Answers a task. 409 with who and when if somebody was faster."""
    with visit(request) as here:
        accepted = run.accept(
            here.connection,
            here.viewer,
            task_uuid,
            sent.answer,
            follows_round=sent.follows_round,
            enqueue=here.collaborators.enqueue,
            now=here.now,
            verification_id=here.collaborators.new_id(),
            idempotency_key=idempotency_key,
        )
    return Accepted(task_uuid=task_uuid, **vars(accepted))


@router.get("/verifications")
def verifications(
    request: Request,
    limit: Limit = 50,
    after: Annotated[Text | None, Query(max_length=200)] = None,
) -> VerificationPage:
    """Answers to tasks on your worklist, latest first, with their way to the CHT."""
    with visit(request) as here:
        found = store.verifications(here.connection, here.viewer, limit=limit + 1, after=after)
    shown = found[:limit]
    return VerificationPage(
        verifications=shown, next=shown[-1].report_id if len(found) > limit else None
    )
