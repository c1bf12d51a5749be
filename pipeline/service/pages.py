"""The list and one task. They work without JavaScript."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.service import i18n, language, layout, rendering
from pipeline.service.dependencies import Context, is_behind_tls, signed_in
from pipeline.service.list_view import ORDERS, PAGE_LENGTH, WITH_WARNINGS, View, uuid
from pipeline.worklist import reference_data, rules, store, task_notes
from pipeline.worklist.records import Answer, Definition, Progress, Task

_NO_ANSWER = Answer("")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Row:
    """A task with what its answer control needs; `next_uuid` is the task shown below it."""

    task: Task
    definition: Definition
    may_verify: bool
    key: UUID
    next_uuid: UUID | None = None
    others: Sequence[Task] = ()
    given: Answer = _NO_ANSWER


@router.get("/")
def worklist(request: Request) -> Response:
    view = View.read(request)
    with signed_in(request) as context:
        known = reference_data.definitions_of(context.connection, context.viewer)
        offered = list(known.values()) if len(known) > 1 else []
        view, found = _list(context, _without_hidden_filter(view, offered))
        rows = _rows(context, found, known)[:PAGE_LENGTH]
        progress = store.progress(context.connection, context.viewer)
        page = rendering.page(
            "list.html",
            **layout.values(
                context,
                progress,
                view.standing,
                layout.codes([*offered, *(row.definition for row in rows)]) | _priorities(rows),
            ),
            view=view,
            rows=rows,
            is_mixed=len({row.definition for row in rows}) > 1,
            groups=_groups(rows, view),
            has_more=len(found) > PAGE_LENGTH,
            definitions=offered,
            areas=store.areas(context.connection, context.viewer, view.filters),
            orders=ORDERS,
            flags=_flags(context, view),
            reasons=_reasons(rows, view),
            empty=_why_empty(progress, view),
            notice=_notice(context, request),
        )
    return HTMLResponse(page)


def _priorities(rows: Iterable[Row]) -> set[str]:
    return {row.task.priority_label for row in rows if row.task.priority_label}


def _without_hidden_filter(view: View, offered: Sequence[Definition]) -> View:
    """Without a definition that cannot be chosen: nobody could see the filter, or clear it."""
    if view.definition in {one.name for one in offered}:
        return view
    return replace(view, definition="")


def _list(context: Context, view: View) -> tuple[View, list[Task]]:
    """One more than is shown; from the start if the task to continue after is unknown now."""
    try:
        return view, store.tasks(
            context.connection,
            context.viewer,
            filters=view.filters,
            order=view.order,
            limit=PAGE_LENGTH + 1,
            after=view.after,
        )
    except rules.InvalidInput:
        return _list(context, replace(view, after=None))


def _rows(context: Context, tasks: Sequence[Task], known: Mapping[str, Definition]) -> list[Row]:
    """Programme-wide roles also read tasks of definitions that no longer exist."""
    names = {task.definition for task in tasks}
    definitions = {
        name: known.get(name) or reference_data.definition(context.connection, name)
        for name in names
    }
    others = store.others(context.connection, context.viewer, tasks)
    following = [*(task.task_uuid for task in tasks[1:]), None]
    return [
        replace(
            _row(context, task, definitions[task.definition]),
            next_uuid=next_uuid,
            others=_others(others, task),
        )
        for task, next_uuid in zip(tasks, following, strict=False)
    ]


def _row(context: Context, task: Task, definition: Definition) -> Row:
    may_verify = rules.why_not(context.viewer, task, definition) is None
    return Row(task, definition, may_verify, context.dependencies.new_id())


def _others(by_patient: Mapping[str, Sequence[Task]], task: Task) -> list[Task]:
    """The other open tasks of the same patient."""
    of_patient = by_patient.get(task.patient_uuid or "", ())
    return [other for other in of_patient if other.task_id != task.task_id]


def _groups(rows: Sequence[Row], view: View) -> list[tuple[Task | None, list[Row]]]:
    """A task of each area with the rows in it, where the order is by area; else one group."""
    if view.order != "area":
        return [(None, list(rows))] if rows else []
    grouped = groupby(rows, key=lambda row: row.task.area_uuid)
    groups = [list(of_area) for _, of_area in grouped]
    return [(of_area[0].task, of_area) for of_area in groups]


def _flags(context: Context, view: View) -> dict[str, int]:
    """With their counts, those the list can be filtered by, and is, even where no task has it."""
    if view.standing not in WITH_WARNINGS and not view.flag:
        return {}
    found = store.flags(context.connection, context.viewer, view.filters)
    return {**found, view.flag: found.get(view.flag, 0)} if view.flag else found


def _reasons(rows: Iterable[Row], view: View) -> list[str]:
    """What the list can be filtered by, and is, even where no task has that reason."""
    offered = [reason for row in rows for reason in row.definition.reasons]
    return list(dict.fromkeys([*offered, view.reason] if view.reason else offered))


def _why_empty(progress: Progress, view: View) -> str:
    """The key of the text for an empty list."""
    if view.after:
        return "list.end"
    if view.is_narrowed:
        return "list.nobody_found"
    if view.standing != "open":
        return "list.empty"
    return "list.done" if progress.done_count else "list.nothing_reported"


def _notice(context: Context, request: Request) -> dict[str, object] | None:
    """What happened to the answer just given; the URL names only the task."""
    for kind in ("answered", "already", "noted"):
        task_uuid = uuid(request.query_params.get(kind, ""))
        task = store.task(context.connection, context.viewer, task_uuid) if task_uuid else None
        if task is not None:
            history = store.history(context.connection, task.task_id)
            has_answer = bool(history) or (kind == "noted" and task.last_note)
            return {"kind": kind, "task": task, "last": history[:1]} if has_answer else None
    return None


@router.get("/tasks/{task_uuid}")
def task(request: Request, task_uuid: str) -> Response:
    with signed_in(request) as context:
        return HTMLResponse(task_page(context, uuid(task_uuid), View.read(request)))


@router.get("/tasks/{task_uuid}/verification")
def task_again(request: Request, task_uuid: str) -> Response:
    """For a browser that reloads the page of a refused answer."""
    return RedirectResponse(f"/tasks/{task_uuid}{View.read(request).query()}", 303)


def task_page(
    context: Context,
    task_uuid: UUID | None,
    view: View,
    given: Answer = _NO_ANSWER,
    problem: str | None = None,
) -> str:
    """With what was entered and what is wrong with it, after an answer that was not stored."""
    found = store.task(context.connection, context.viewer, task_uuid) if task_uuid else None
    if found is None:
        raise rules.UnknownTask
    definition = reference_data.definition(context.connection, found.definition)
    others = _others(store.others(context.connection, context.viewer, [found]), found)
    progress = store.progress(context.connection, context.viewer)
    return rendering.page(
        "task.html",
        **layout.values(context, progress, found.standing, layout.codes([definition])),
        view=view,
        row=replace(_row(context, found, definition), given=given),
        others=_rows(context, others, {definition.name: definition}),
        why_not=rules.why_not(context.viewer, found, definition),
        history=store.history(context.connection, found.task_id),
        notes=task_notes.of_task(context.connection, found.task_id),
        reports=store.patient_reports(context.connection, found),
        problem=problem,
    )


@router.post("/language")
def choose_language(
    request: Request, chosen: Annotated[str, Form(alias="language")] = ""
) -> Response:
    """Stores the choice in a cookie and shows the same page again."""
    response = RedirectResponse(_previous_page(request), 303)
    if chosen in i18n.languages():
        response.set_cookie(
            language.COOKIE,
            chosen,
            max_age=language.KEPT_SECONDS,
            path="/",
            httponly=True,
            samesite="lax",
            secure=is_behind_tls(request),
        )
    return response


def _previous_page(request: Request) -> str:
    """The page that holds the form: on this service, whatever the header says."""
    try:
        referer = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    path = (
        referer.path if referer.path.startswith("/") and not referer.path.startswith("//") else "/"
    )
    return f"{path}?{referer.query}" if referer.query else path
