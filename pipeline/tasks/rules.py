"""What a task definition may say. Pure: text in, definitions or every error at once out.

The keys are those of the CHT's `tasks.js`; where that has a function, ours has a path into the
document (`fields.next_visit`) or a JSON path predicate that PostgreSQL evaluates.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from pipeline.errors import SettingsWrong

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^~\s]+$")]
Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
Days = Annotated[int, Field(ge=0, le=3650)]


class _Entry(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, populate_by_name=True
    )


class DueDate(_Entry):
    path: Path
    offset_days: Annotated[int, Field(ge=-3650, le=3650)] = 0


class Event(_Entry):
    """Due `days` after the report's day, or on the day at `dueDate`; open from start to end."""

    id: Name | None = None
    days: Annotated[int, Field(ge=-3650, le=3650)] | None = None
    due_date: DueDate | None = None
    start: Days
    end: Days

    @model_validator(mode="after")
    def _due_one_way(self) -> Self:
        if (self.days is None) == (self.due_date is None):
            raise ValueError("give exactly one of `days` and `dueDate`")
        return self


class Action(_Entry):
    type: Literal["report", "contact"] = "report"
    form: Text | None = None


class ResolvedIf(_Entry):
    default: bool = False
    newer_report: list[Text] = []


class Priority(_Entry):
    level: Annotated[int, Field(ge=1)]
    label: Text | None = None


class AssignedTo(_Entry):
    roles: Annotated[list[Text], Field(min_length=1)]


class Definition(_Entry):
    name: Name
    title: Text
    icon: Text | None = None
    applies_to: Literal["reports"]
    applies_to_type: Annotated[list[Text], Field(min_length=1)]
    applies_if: Text | None = None
    appointment_date: Path | None = None
    events: Annotated[list[Event], Field(min_length=1)]
    resolved_if: ResolvedIf = ResolvedIf(default=True)
    actions: list[Action] = []
    priority: Priority | None = None
    exclude_muted_or_dead: bool = True
    assigned_to: AssignedTo
    reasons: list[Text] = []

    @property
    def default_form(self) -> str | None:
        """The form whose report resolves the task by the CHT's default."""
        forms = (action.form for action in self.actions if action.type == "report")
        return next(forms, None)

    @model_validator(mode="after")
    def _events_have_names(self) -> Self:
        names = [event.id for event in self.events]
        if len(names) > 1 and (None in names or len(set(names)) < len(names)):
            raise ValueError("of several events each needs an `id` of its own")
        return self

    @model_validator(mode="after")
    def _can_be_resolved(self) -> Self:
        if self.resolved_if.default and not self.default_form:
            raise ValueError("the default `resolvedIf` needs a report action with a `form`")
        if not self.resolved_if.default and not self.resolved_if.newer_report:
            raise ValueError("`resolvedIf` names nothing that could resolve the task")
        return self


class Programme(_Entry):
    timezone: Text
    area_type: Text | None = None
    tasks: Annotated[list[Definition], Field(min_length=1)]

    @model_validator(mode="after")
    def _timezone_exists(self) -> Self:
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"`timezone` {self.timezone} is unknown; write an IANA name such as Africa/Blantyre"
            ) from None
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [definition.name for definition in self.tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`name` {', '.join(twice)} is given to two tasks")
        return self

    def hash(self, definition: Definition) -> str:
        """Changes with everything that rows derived from the definition depend on."""
        shown = {"title", "icon", "priority", "assigned_to", "reasons"}
        essence = definition.model_dump(mode="json", exclude=shown)
        text = json.dumps([self.timezone, essence], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse(text: str, file_name: str = "tasks.yml") -> Programme:
    """The programme that `text` describes.

    Raises SettingsWrong that lists every error with file and line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "no YAML"
        raise SettingsWrong(f"{file_name}:{line}: cannot be read as YAML: {problem}") from error
    try:
        return Programme.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{file_name}:{_line(root, details['loc'])}: {_sentence(details)}"
            for details in error.errors()
        ]
        raise SettingsWrong("\n".join(lines)) from error


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of the deepest node on the way to `location` that stands in the file."""
    for step in location:
        below = _child(node, step)
        if below is None:
            break
        node = below
    return node.start_mark.line + 1 if node else 1


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _sentence(details: ErrorDetails) -> str:
    where = ".".join(str(step) for step in details["loc"]) or "the file"
    if details["type"] == "missing":
        return f"{where} is missing"
    if details["type"] == "extra_forbidden":
        return f"{where} is not a key that is known here"
    if details["type"] == "literal_error" and where.endswith("appliesTo"):
        return f"{where} must be reports; contacts and scheduled_tasks are not supported yet"
    message = details["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}"


def definition_row(programme: Programme, definition: Definition) -> dict[str, Any]:
    """The row of `app.task_definition`."""
    return {
        "name": definition.name,
        "title": definition.title,
        "icon": definition.icon,
        "form_codes": definition.applies_to_type,
        "applies_if": definition.applies_if,
        "appointment_path": _steps(definition.appointment_date),
        "is_resolved_by_default": definition.resolved_if.default,
        "default_form": definition.default_form,
        "newer_report_forms": definition.resolved_if.newer_report,
        "excludes_muted_or_dead": definition.exclude_muted_or_dead,
        "priority_level": definition.priority.level if definition.priority else None,
        "priority_label": definition.priority.label if definition.priority else None,
        "roles": definition.assigned_to.roles,
        "reasons": definition.reasons,
        "hash": programme.hash(definition),
    }


def event_rows(definition: Definition) -> list[dict[str, Any]]:
    """The rows of `app.task_event`; an event without id is called 0, as in the CHT."""
    return [
        {
            "definition": definition.name,
            "event": event.id or str(place),
            "days": event.days,
            "due_path": _steps(event.due_date.path if event.due_date else None),
            "offset_days": event.due_date.offset_days if event.due_date else 0,
            "start_days": event.start,
            "end_days": event.end,
        }
        for place, event in enumerate(definition.events)
    ]


def _steps(path: str | None) -> list[str] | None:
    return path.split(".") if path else None
