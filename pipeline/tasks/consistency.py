"""What the parts of a tasks.yml may contradict, each fine by itself. Pure.

Checks the content as it was read, so that contradictions are reported with all other problems;
values of the wrong shape are left to the schema.
"""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.tasks.yaml_lines import Location

Contradiction = tuple[Location, str]


def contradictions(content: Any) -> Iterator[Contradiction]:
    """Where, and a sentence that says what to write instead."""
    programme = _mapping(content)
    yield from _timezone(programme.get("timezone"))
    tasks = _sequence(programme.get("tasks"))
    names = [_mapping(task).get("name") for task in tasks]
    for position, task in enumerate(map(_mapping, tasks)):
        name = names[position]
        if isinstance(name, str) and name in names[:position]:
            yield ("tasks", position, "name"), "is used by two tasks; choose another"
        yield from _events(_sequence(task.get("events")), ("tasks", position, "events"))
        if (sentence := _resolution(task)) is not None:
            yield ("tasks", position, "resolvedIf"), sentence


def _timezone(name: Any) -> Iterator[Contradiction]:
    try:
        if isinstance(name, str):
            ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        yield ("timezone",), f"{name} is unknown; write an IANA name such as Africa/Blantyre"


def _events(events: list[Any], location: Location) -> Iterator[Contradiction]:
    ids = [_mapping(event).get("id") for event in events]
    for position, event in enumerate(map(_mapping, events)):
        if event and ("days" in event) == ("dueDate" in event):
            yield (*location, position), "needs either days or dueDate"
        if len(events) > 1 and ids[position] in (None, *ids[:position]):
            yield (*location, position), "needs an id of its own, since there are several events"


def _resolution(task: dict[Any, Any]) -> str | None:
    how = task.get("resolvedIf", {"default": True})
    if not isinstance(how, dict):
        return None
    actions = [_mapping(action) for action in _sequence(task.get("actions"))]
    forms = [action.get("form") for action in actions if action.get("type", "report") == "report"]
    if how.get("default") and not any(forms[:1]):
        return "asks for the default, which needs a report action; write actions: [{form: my_form}]"
    if how.get("cleared") and task.get("appliesTo") != "scheduled_tasks":
        return "asks for cleared, which only scheduled_tasks can be; write {newerReport: [form]}"
    if not any(how.get(key) for key in ("default", "newerReport", "all", "cleared")):
        return "never resolves the task; write {newerReport: [form]}"
    return None


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
