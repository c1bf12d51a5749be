"""The pages for people: the list, one task, answering. Works without JavaScript."""

from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.errors import Conflict
from pipeline.service import rendering, texts
from pipeline.service.collaborators import Visit, visit
from pipeline.worklist import programme, rules, run, store
from pipeline.worklist.records import Answer, Definition, Filters, Progress, Task, Viewer

PAGE_LENGTH = 20
_TABS = ("open", "verified", "expired")
_MORE_TABS = ("resolved", "upcoming", "excluded", "withdrawn")
_LONGEST_SEARCH = 100
_NO_ANSWER = Answer("")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class View:
    """What of the list is shown; stands in the address, so that it can be kept and shared."""

    standing: str = "open"
    q: str = ""
    after: UUID | None = None

    @classmethod
    def read(cls, request: Request) -> "View":
        """An address that makes no sense shows the list from its start."""
        given = request.query_params
        standing = given.get("standing", "open")
        return cls(
            standing=standing if standing in (*_TABS, *_MORE_TABS) else "open",
            q=given.get("q", "").replace("\0", "")[:_LONGEST_SEARCH].strip(),
            after=_uuid(given.get("after", "")),
        )

    def query(self, **more: object) -> str:
        """The address's query; what is as usual is left out."""
        values = {**vars(self), **more}
        usual = vars(View())
        told = {key: value for key, value in values.items() if value != usual.get(key)}
        return f"?{urlencode(told)}" if told else ""


@dataclass(frozen=True)
class Row:
    """A task in the list with what its answer control needs."""

    task: Task
    reasons: tuple[str, ...]
    may_verify: bool
    key: UUID
    given: Answer = _NO_ANSWER


@router.get("/")
def worklist(request: Request) -> Response:
    view = View.read(request)
    with visit(request) as here:
        rows = _rows(here, view)
        progress = store.progress(here.connection, here.viewer)
        page = rendering.page(
            "list.html",
            **_frame(here),
            view=view,
            rows=rows[:PAGE_LENGTH],
            has_more=len(rows) > PAGE_LENGTH,
            progress=progress,
            tabs=_tabs(progress, view),
            empty=_why_empty(here.viewer, progress, view),
            notice=_notice(here, request),
        )
    return HTMLResponse(page)


def _rows(here: Visit, view: View) -> list[Row]:
    found = _tasks(here, view)
    names = {task.definition for task in found}
    definitions = {name: programme.definition(here.connection, name) for name in names}
    return [_row(here, task, definitions[task.definition]) for task in found]


def _tasks(here: Visit, view: View) -> list[Task]:
    return store.tasks(
        here.connection,
        here.viewer,
        filters=Filters(standing=view.standing, search=view.q),
        limit=PAGE_LENGTH + 1,
        after=view.after,
    )


def _row(here: Visit, task: Task, definition: Definition) -> Row:
    may_verify = rules.why_not(here.viewer, task, definition) is None
    return Row(task, definition.reasons, may_verify, here.collaborators.new_id())


def _frame(here: Visit) -> dict[str, object]:
    """What stands around every page of a signed-in user."""
    return {
        "viewer": here.viewer,
        "places": programme.place_names(here.connection, here.viewer.facility_uuids),
        "programme": programme.days(here.connection),
        "lacks": _lacks(here),
    }


def _lacks(here: Visit) -> list[str]:
    """The keys of what the account is missing, and of what it is not for."""
    missing = rules.missing(here.viewer, programme.assigned_roles(here.connection))
    reads = ["reads"] if here.viewer.is_programme_wide and here.viewer.is_online else []
    return [f"viewer.{code}" for code in [*reads, *missing]]


def _tabs(progress: Progress, view: View) -> list[tuple[str, int]]:
    """Every standing that holds anything, so that nothing reported is out of reach."""
    counts = progress.count_by_standing
    shown = [*_TABS, *(one for one in _MORE_TABS if one in counts or one == view.standing)]
    return [(one, counts.get(one, 0)) for one in shown]


def _why_empty(viewer: Viewer, progress: Progress, view: View) -> str:
    if view.q:
        return texts.say("list.nobody_found", search=view.q)
    if view.standing != "open" or view.after or not viewer.is_online:
        return texts.say("list.empty")
    return texts.say("list.done" if progress.done_count else "list.nothing_reported")


def _notice(here: Visit, request: Request) -> dict[str, object] | None:
    """What became of the answer just given: the address names only the task."""
    for kind in ("answered", "already"):
        task_uuid = _uuid(request.query_params.get(kind, ""))
        task = store.task(here.connection, here.viewer, task_uuid) if task_uuid else None
        if task is not None:
            last = store.history(here.connection, task.task_id)[:1]
            return {"kind": kind, "task": task, "last": last[0]} if last else None
    return None


@router.get("/tasks/{task_uuid}")
def task(request: Request, task_uuid: str) -> Response:
    with visit(request) as here:
        return HTMLResponse(_task_page(here, _uuid(task_uuid), View.read(request)))


def _task_page(
    here: Visit,
    task_uuid: UUID | None,
    view: View,
    given: Answer = _NO_ANSWER,
    problem: str | None = None,
) -> str:
    """With what was given and what is wrong with it, after an answer that was not stored."""
    found = store.task(here.connection, here.viewer, task_uuid) if task_uuid else None
    if found is None:
        raise rules.UnknownTask
    definition = programme.definition(here.connection, found.definition)
    return rendering.page(
        "task.html",
        **_frame(here),
        view=view,
        row=replace(_row(here, found, definition), given=given),
        why_not=rules.why_not(here.viewer, found, definition),
        history=store.history(here.connection, found.task_id),
        problem=problem,
    )


@router.post("/tasks/{task_uuid}/verification")
def verify(
    request: Request,
    task_uuid: str,
    outcome: Annotated[str, Form()] = "",
    visit_date: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    follows_round: Annotated[str, Form()] = "0",
    key: Annotated[str, Form()] = "",
) -> Response:
    """Post, redirect, get: loading the page again does not answer again."""
    view, wanted = View.read(request), _uuid(task_uuid)
    answer = _given(outcome, visit_date, reason, note)
    try:
        _accept(request, wanted, answer, follows_round, key)
    except rules.InvalidInput as error:
        return _try_again(request, wanted, view, answer, error)
    except Conflict:
        return RedirectResponse(f"/{view.query(already=task_uuid)}", 303)
    return RedirectResponse(f"/{view.query(answered=task_uuid)}", 303)


def _given(outcome: str, visit_date: str, reason: str, note: str) -> Answer:
    """Without JavaScript a form also sends the details of the outcome that was not chosen."""
    return Answer(
        outcome=outcome,
        visit_date=visit_date if outcome == "visited" else "",
        reason=reason if outcome == "not_visited" else "",
        note=note.strip().replace("\r\n", "\n"),
    )


def _accept(
    request: Request, task_uuid: UUID | None, answer: Answer, follows_round: str, key: str
) -> None:
    if task_uuid is None:
        raise rules.UnknownTask
    with visit(request) as here:
        run.accept(
            here.connection,
            here.viewer,
            task_uuid,
            answer,
            follows_round=int(follows_round) if _is_small_number(follows_round) else -1,
            enqueue=here.collaborators.enqueue,
            now=here.now,
            verification_id=here.collaborators.new_id(),
            idempotency_key=f"page {_uuid(key) or here.collaborators.new_id()}",
        )


def _try_again(
    request: Request,
    task_uuid: UUID | None,
    view: View,
    answer: Answer,
    error: rules.InvalidInput,
) -> Response:
    with visit(request) as here:
        page = _task_page(here, task_uuid, view, answer, texts.problem(error.problem))
        return HTMLResponse(page, 422)


def _is_small_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 7


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
