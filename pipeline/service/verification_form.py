"""Answering on a page: post, redirect, get, so that reloading the page answers nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.errors import Conflict
from pipeline.service import language, pages
from pipeline.service.dependencies import Context, signed_in
from pipeline.service.list_view import View, uuid
from pipeline.worklist import rules
from pipeline.worklist.records import Answer, Sent

CANNOT_TELL = "cannot_tell"

router = APIRouter(include_in_schema=False)


@router.post("/tasks/{task_uuid}/verification")
def answer(
    request: Request,
    task_uuid: str,
    outcome: Annotated[str, Form()] = "",
    visit_date: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    follows_round: Annotated[str, Form()] = "0",
    key: Annotated[str, Form()] = "",
    next_task: Annotated[str, Form()] = "",
) -> Response:
    """The list again: after an answer at the next task, after a "cannot tell yet" at the same."""
    view, wanted = View.read(request), uuid(task_uuid)
    given = _given(outcome, visit_date, reason, note)
    round_ = int(follows_round) if _is_small_number(follows_round) else -1
    try:
        with signed_in(request) as context:
            notice = _store(context, wanted, Sent(given, round_, _key(context, key)))
    except rules.InvalidInput as error:
        return _show_again(request, wanted, view, given, error)
    except Conflict:
        notice = "already"
    shown = wanted if notice == "noted" else uuid(next_task)
    fragment = f"#t-{shown}" if shown else ""
    return RedirectResponse(f"/{view.query(**{notice: task_uuid})}{fragment}", 303)


def _given(outcome: str, visit_date: str, reason: str, note: str) -> Answer:
    """Without JavaScript a form also sends the details of the outcome that was not chosen."""
    return Answer(
        outcome=outcome,
        visit_date=visit_date if outcome == "visited" else "",
        reason=reason if outcome == "not_visited" else "",
        note=note.strip().replace("\r\n", "\n"),
    )


def _store(context: Context, task_uuid: UUID | None, sent: Sent) -> str:
    """What was done: the name of the notice that the list will show."""
    if task_uuid is None:
        raise rules.UnknownTask
    if sent.answer.outcome == CANNOT_TELL:
        context.add_note(task_uuid, sent.answer.note, sent.key)
        return "noted"
    context.accept(task_uuid, sent)
    return "answered"


def _key(context: Context, form_key: str) -> str:
    """The key of the form, so that submitting it twice counts once."""
    return f"page {uuid(form_key) or context.dependencies.new_id()}"


def _show_again(
    request: Request,
    task_uuid: UUID | None,
    view: View,
    given: Answer,
    error: rules.InvalidInput,
) -> Response:
    problem = language.current().problem(error.problem)
    with signed_in(request) as context:
        return HTMLResponse(pages.task_page(context, task_uuid, view, given, problem), 422)


def _is_small_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 7
