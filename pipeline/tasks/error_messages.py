"""The sentence for an error in tasks.yml: where, what, and what to write instead. Pure."""

import difflib
from typing import Any

from pydantic_core import ErrorDetails

from pipeline.tasks.yaml_lines import Location

# What to write, by key; a key means the same wherever it occurs.
_EXAMPLES = {
    "timezone": "an IANA name such as Africa/Blantyre",
    "areaType": "the contact type of a CHW's area, such as chw_area",
    "timely": "{pastDays: 60, futureDays: 180}",
    "pastDays": "a number of days, 0 or more",
    "futureDays": "a number of days, 0 or more",
    "tasks": "a list of task definitions, each with a name",
    "name": "a name without spaces and without ~, such as verify-missed-appointment",
    "title": "text, or a translation key of the CHT",
    "icon": "the name of an icon",
    "appliesTo": "reports, contacts or scheduled_tasks",
    "appliesToType": "a list of form codes or contact types, or leave it out for all",
    "appliesIf": "a predicate in quotes, such as '$.fields.visit == \"yes\"'",
    "appointmentDate": "a path without $ and brackets, such as fields.missed_appointment_date",
    "contactLabel": "a path without $ and brackets, such as fields.patient_name",
    "events": "a list such as [{days: 3, start: 1, end: 8}]",
    "id": "a name without spaces and without ~, a number in quotes",
    "days": "a number of days after the source's day",
    "dueDate": "{path: fields.next_visit, offsetDays: 1}",
    "path": "a path without $ and brackets, such as fields.next_visit or visits.0.date",
    "offsetDays": "a number of days",
    "start": "how many days before the due day the task opens, 0 or more",
    "end": "how many days after the due day the task stays open, 0 or more",
    "resolvedIf": "{default: true}, {newerReport: [form]}, {cleared: true}, or leave it out",
    "default": "true or false",
    "newerReport": "a list of form codes, or of {form, if, source, visit}",
    "all": "a list of form codes, or of {form, if, source, visit}, all of which are needed",
    "if": "a predicate in quotes, such as '$.fields.attended == \"yes\"'",
    "source": "a path without $ and brackets, such as fields.inputs.source_id",
    "visit": "a path without $ and brackets, such as fields.visit_date",
    "cleared": "true or false",
    "actions": "a list such as [{form: my_form}]",
    "type": "report or contact",
    "form": "a form's code",
    "priority": "{level: 5, label: some.key}",
    "level": "a number, 1 or more",
    "label": "text, or a translation key of the CHT",
    "excludeMutedOrDead": "true or false",
    "assignedTo": "{roles: [site_supervisor]}",
    "roles": "a list of at least one role",
    "reasons": "a list of the reasons offered for not_visited",
    "tracing": "{forms: [trace_follow_up], outcome: fields.trace_outcome, notFor: [died]}",
    "forms": "a list of form codes",
    "outcome": "a path without $ and brackets, such as fields.trace_details.trace_outcomes",
    "notFor": "a list of the reasons for which nobody is sent",
    "verifiedInCht": "true or false",
}
_OUTLINE = "; write at least timezone and tasks, as docs/implementers.md shows"
_ONLY_IN_TASKS_JS = {
    "modifyContent": "the answer's form is always the same; leave it out",
    "contact": "leave it out",
}


def where(location: Location, content: Any) -> str:
    """`task verify: events.0.start`; a task is called by its name where it has one."""
    if location[:1] != ("tasks",) or len(location) == 1:
        return ".".join(map(str, location)) or "the file"
    name = _name(content, location[1])
    rest = ".".join(map(str, location[2:]))
    return f"task {name}: {rest}" if rest else f"task {name}"


def _name(content: Any, position: int | str) -> str:
    try:
        return str(content["tasks"][position]["name"])
    except (LookupError, TypeError):
        return f"number {int(position) + 1}"


def sentence(details: ErrorDetails, content: Any) -> str:
    location = details["loc"]
    key = next((str(step) for step in reversed(location) if isinstance(step, str)), "")
    subject = where(location, content)
    instead = f"; write {_EXAMPLES[key]}" if key in _EXAMPLES else ""
    match details["type"]:
        case "missing":
            return f"{subject} is missing{instead}"
        case "extra_forbidden":
            return f"{subject} {_unknown_key(key)}"
        case "string_type":
            return f"{subject} must be text, in quotes if necessary{instead}"
        case "list_type" | "too_short":
            return f"{subject} must be a list that is not empty{instead}"
        case "model_type":
            return f"{subject} must have keys and values{instead or _OUTLINE}"
        case "string_pattern_mismatch" | "literal_error":
            return f"{subject} cannot be {details['input']!r}{instead}"
    message = details["msg"]
    return f"{subject}: {message[0].lower()}{message[1:]}{instead}"


def _unknown_key(key: str) -> str:
    if key in _ONLY_IN_TASKS_JS:
        return f"is not a known key; {_ONLY_IN_TASKS_JS[key]}"
    if key in _EXAMPLES:
        return "is a key that does not belong here; move it or leave it out"
    near = difflib.get_close_matches(key, _EXAMPLES, n=1)
    return f"is not a known key; did you mean {near[0]}?" if near else "is not a known key"
