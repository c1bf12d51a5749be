"""What a task definition may say. Pure: text in, definitions or every problem at once out.

The keys are those of the CHT's `tasks.js`; where that has a function, ours has a path into the
document (`fields.next_visit`) or a JSON path predicate that PostgreSQL evaluates.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from pipeline.errors import SettingsWrong
from pipeline.tasks import error_messages
from pipeline.tasks.consistency import contradictions
from pipeline.tasks.yaml_lines import File, Location, Problem, read

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^~\s]+$")]
Path = Annotated[str, Field(pattern=r'^[^.\s$\[\]"]+(\.[^.\s$\[\]"]+)*$')]
Days = Annotated[int, Field(ge=0, le=3650)]
ShiftedDays = Annotated[int, Field(ge=-3650, le=3650)]


class _Entry(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, populate_by_name=True
    )


class DueDate(_Entry):
    path: Path
    offset_days: ShiftedDays = 0


class Event(_Entry):
    """Due `days` after the source's day, or on the day at `dueDate`; open from start to end."""

    id: Name | None = None
    days: ShiftedDays | None = None
    due_date: DueDate | None = None
    start: Days
    end: Days


class Action(_Entry):
    type: Literal["report", "contact"] = "report"
    form: Text | None = None


class Resolver(_Entry):
    """A report later than the source that shows that the task is done.

    `source` is a path in it that must hold the source's id, `visit` a path to a day that must not
    lie before the appointment.
    """

    form: Text
    if_: Annotated[Text | None, Field(alias="if")] = None
    source: Path | None = None
    visit: Path | None = None


def _resolver(entry: Any) -> Any:
    """A form's code alone means any report of that form."""
    return {"form": entry} if isinstance(entry, str) else entry


Resolvers = list[Annotated[Resolver, BeforeValidator(_resolver)]]


class ResolvedIf(_Entry):
    """Any of these suffices; of `all` each must be there."""

    default: bool = False
    newer_report: Resolvers = []
    all: Resolvers = []
    cleared: bool = False


class Priority(_Entry):
    level: Annotated[int, Field(ge=1)]
    label: Text | None = None


class AssignedTo(_Entry):
    roles: Annotated[list[Text], Field(min_length=1)]


class Tracing(_Entry):
    """What counts as looking for a patient, and for which reasons nobody goes.

    `outcome` is a path in the report of a trace: what the CHW found.
    """

    forms: list[Text] = ["trace_follow_up"]
    outcome: Path | None = None
    not_for: list[Text] = ["transferred_out", "died", "record_error"]


class Definition(_Entry):
    name: Name
    title: Text
    icon: Text | None = None
    applies_to: Literal["reports", "contacts", "scheduled_tasks"]
    applies_to_type: Annotated[list[Text], Field(min_length=1)] | None = None
    applies_if: Text | None = None
    appointment_date: Path | None = None
    contact_label: Path | None = None
    events: Annotated[list[Event], Field(min_length=1)]
    resolved_if: ResolvedIf = ResolvedIf(default=True)
    actions: list[Action] = []
    priority: Priority | None = None
    exclude_muted_or_dead: bool = True
    assigned_to: AssignedTo
    reasons: list[Text] = []
    tracing: Tracing = Tracing()
    verified_in_cht: bool = True

    @property
    def default_form(self) -> str | None:
        """The form whose report resolves the task by the CHT's default."""
        forms = (action.form for action in self.actions if action.type == "report")
        return next(forms, None)


class Timely(_Entry):
    """Which tasks a phone would still, or already, know; the CHT's own numbers unless given."""

    past_days: Days = 60
    future_days: Days = 180


class Programme(_Entry):
    timezone: Text
    area_type: Text | None = None
    timely: Timely = Timely()
    tasks: Annotated[list[Definition], Field(min_length=1)]

    def hash(self, definition: Definition) -> str:
        """Changes with everything that rows derived from the definition depend on."""
        shown = {"title", "icon", "priority", "reasons"}
        essence = definition.model_dump(mode="json", exclude=shown)
        text = json.dumps([self.timezone, essence], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse(text: str, file_name: str = "tasks.yml") -> Programme:
    """The programme that `text` describes.

    Raises SettingsWrong that lists every problem with file and line.
    """
    file = read(text)
    programme, problems = judge(file)
    if programme is None:
        raise refusal(file_name, problems)
    return programme


def judge(file: File) -> tuple[Programme | None, list[Problem]]:
    """The programme, or every problem that can be seen without asking PostgreSQL."""
    if file.problems:
        return None, file.problems
    problems = [
        Problem(file.line(location), f"{error_messages.where(location, file.content)} {sentence}")
        for location, sentence in contradictions(file.content)
    ]
    try:
        programme = Programme.model_validate(file.content)
    except ValidationError as error:
        misshapen = [
            Problem(file.line(details["loc"]), error_messages.sentence(details, file.content))
            for details in error.errors()
        ]
        return None, misshapen + problems
    return (None if problems else programme), problems


def refusal(file_name: str, problems: list[Problem]) -> SettingsWrong:
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    return SettingsWrong(
        "\n".join(f"{file_name}:{problem.line}: {problem.sentence}" for problem in ordered)
    )


def predicates(file: File) -> list[tuple[int, str, str]]:
    """Every predicate with its line and key, also where the rest of the file is invalid."""
    return [
        (file.line(location), error_messages.where(location, file.content), predicate)
        for location, predicate in _predicates((), file.content)
    ]


def _predicates(location: Location, content: Any) -> Iterator[tuple[Location, str]]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key in ("appliesIf", "if") and isinstance(value, str):
                yield (*location, key), value
            else:
                yield from _predicates((*location, str(key)), value)
    elif isinstance(content, list):
        for position, value in enumerate(content):
            yield from _predicates((*location, position), value)


def programme_row(programme: Programme) -> dict[str, Any]:
    """The row of `app.programme`, but for the moment."""
    return {
        "timezone": programme.timezone,
        "area_type": programme.area_type,
        "timely_past_days": programme.timely.past_days,
        "timely_future_days": programme.timely.future_days,
    }


def definition_row(programme: Programme, definition: Definition) -> dict[str, Any]:
    """The row of `app.task_definition`."""
    return {
        "name": definition.name,
        "title": definition.title,
        "icon": definition.icon,
        "applies_to": definition.applies_to,
        "applies_to_type": definition.applies_to_type,
        "applies_if": definition.applies_if,
        "appointment_path": _steps(definition.appointment_date),
        "contact_label_path": _steps(definition.contact_label),
        "is_resolved_when_cleared": definition.resolved_if.cleared,
        "excludes_muted_or_dead": definition.exclude_muted_or_dead,
        "priority_level": definition.priority.level if definition.priority else None,
        "priority_label": definition.priority.label if definition.priority else None,
        "roles": definition.assigned_to.roles,
        "reasons": definition.reasons,
        "tracing_forms": definition.tracing.forms,
        "trace_outcome_path": _steps(definition.tracing.outcome),
        "reasons_not_to_trace": definition.tracing.not_for,
        "is_verified_in_cht": definition.verified_in_cht,
        "hash": programme.hash(definition),
    }


def event_rows(definition: Definition) -> list[dict[str, Any]]:
    """The rows of `app.task_event`; an event without id is called 0, as in the CHT."""
    return [
        {
            "definition": definition.name,
            "event": event.id or str(position),
            "days": event.days,
            "due_path": _steps(event.due_date.path if event.due_date else None),
            "offset_days": event.due_date.offset_days if event.due_date else 0,
            "start_days": event.start,
            "end_days": event.end,
        }
        for position, event in enumerate(definition.events)
    ]


def resolver_rows(definition: Definition) -> list[dict[str, Any]]:
    """The rows of `app.task_resolver`; the reports of one alternative are all needed."""
    resolved_if = definition.resolved_if
    alternatives = [[resolver] for resolver in resolved_if.newer_report]
    numbered = [
        (alternative, resolver, False)
        for alternative, resolvers in enumerate([*alternatives, resolved_if.all], start=1)
        for resolver in resolvers
    ]
    if resolved_if.default and definition.default_form:
        numbered.insert(0, (0, Resolver(form=definition.default_form), True))
    return [
        {
            "definition": definition.name,
            "resolver": position,
            "alternative": alternative,
            "form": resolver.form,
            "is_default": is_default,
            "condition": resolver.if_,
            "source_path": _steps(resolver.source),
            "visit_path": _steps(resolver.visit),
        }
        for position, (alternative, resolver, is_default) in enumerate(numbered)
    ]


def _steps(path: str | None) -> list[str] | None:
    return path.split(".") if path else None
