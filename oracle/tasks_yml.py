"""The definitions of cases as an implementer would write them: a tasks.yml."""

import json
import re
from collections.abc import Iterable
from typing import Any

from oracle.recorded_cases import ROLE, Case


def tasks_yml(timezone: str, cases: Iterable[Case]) -> str:
    """One entry a line; JSON is YAML."""
    entries = "".join(f"  - {json.dumps(_entry(case))}\n" for case in cases)
    return f"timezone: {timezone}\ntasks:\n{entries}"


def _entry(case: Case) -> dict[str, Any]:
    definition = case["definition"]
    rule = definition["resolvedBy"]
    entry = {
        "name": definition["name"],
        "title": definition["name"],
        "appliesTo": definition["appliesTo"],
        "appliesToType": definition["appliesToType"],
        "appliesIf": _own_predicate(case),
        "appointmentDate": definition.get("appointmentDatePath"),
        "excludeMutedOrDead": definition["excludeMutedOrDead"],
        "events": [_event(event) for event in definition["events"]],
        "actions": [_without_nothing(action) for action in definition["actions"]],
        "resolvedIf": {
            "default": bool(rule.get("default")),
            "newerReport": rule.get("forms") or rule.get("orForms") or [],
        },
        "assignedTo": {"roles": [ROLE]},
    }
    return _without_nothing(entry)


def _without_nothing(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _event(event: dict[str, Any]) -> dict[str, Any]:
    due = (
        {"dueDate": {"path": event["dueDatePath"], "offsetDays": event["offsetDays"]}}
        if "dueDatePath" in event
        else {"days": event["days"]}
    )
    return _without_nothing(
        {"id": event["id"], **due, "start": event["start"], "end": event["end"]}
    )


def _own_predicate(case: Case) -> str | None:
    """Forms are the case's own; what asks contacts, or every form, must leave others' alone."""
    definition = case["definition"]
    wanted = predicate(definition["appliesIf"])
    if definition["appliesTo"] == "reports" and definition["appliesToType"] is not None:
        return wanted
    is_own = f"$._id starts with {json.dumps(case['number'])}"
    return is_own if wanted is None else f"{is_own} && ({wanted})"


def predicate(condition: dict[str, Any] | None) -> str | None:
    """A condition of the cases' format as a JSON path.

    An absent field differs from everything, a comparison of two types is unknown, and unknown
    does not apply; JavaScript says no where JSON paths say unknown, hence `is unknown`.
    """
    if condition is None:
        return None
    field = "$." + ".".join(json.dumps(step) for step in condition["field"].split("."))
    value = condition["value"]
    match condition["op"]:
        case "exists":
            return _exists(field)
        case "missing":
            return f"!{_exists(field)}"
        case "eq":
            return f"{field} == {json.dumps(value)}"
        case "ne":
            same = f"({field} == {json.dumps(value)})"
            return f"!{same} || {same} is unknown"
        case "in":
            return " || ".join(f"{field} == {json.dumps(one)}" for one in value)
        case "contains":
            return f"{field} like_regex {json.dumps(f'(^| ){re.escape(value)}( |$)')}"
    sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[condition["op"]]
    return f"{field}.double() {sign} {json.dumps(value)}"


def _exists(field: str) -> str:
    return f'exists({field} ? (@ != null && ((@ == "") is unknown || @ != "")))'
