"""The cases of a file, each made its own, so that thousands share a database unseen by each other.

Ids and shortcodes begin with the case's number, which has as many digits in every case: text and
number stay equal where they were, and the order of ids stays the same. Forms are renamed too.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Case = dict[str, Any]
# what this form's reports say has a meaning of its own here, so its name stays
VERIFICATION_FORM = "missed_appointment_verification"
# of whoever may verify
ROLE = "site_supervisor"
_FIRST_NUMBER = 1_000_001
_IDS = {"_id", "patient_id", "patient_uuid", "place_id", "place_uuid", "case_id", "contact_id"}


def read(path: Path) -> Iterator[Case]:
    """Cases in the order of the file, each with a `number` of its own."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for position, line in enumerate(file):
            yield own({**json.loads(line), "number": str(_FIRST_NUMBER + position)})


def own(case: Case) -> Case:
    number = case["number"]
    return {
        **case,
        "definition": _own_definition(case["definition"], number),
        "docs": _own_documents(case["docs"], number),
        "earlier": [
            {**earlier, "docs": _own_documents(earlier["docs"], number)}
            for earlier in case.get("earlier", [])
        ],
        "expected": [
            {**row, "source_id": _own_id(row["source_id"], number)} for row in case["expected"]
        ],
    }


def _own_documents(documents: list[Any], number: str) -> list[Any]:
    return [_own_document(document, number) for document in documents]


def _own_document(document: dict[str, Any], number: str) -> dict[str, Any]:
    owned = {key: _own_value(key, value, number) for key, value in document.items()}
    if "form" in owned:
        owned["form"] = _own_form(owned["form"], number)
    return owned


def _own_value(key: str, value: Any, number: str) -> Any:
    if isinstance(value, dict):
        return {below: _own_value(below, part, number) for below, part in value.items()}
    if key == "task_id" and value:
        *task, name = value.split("~")
        return "~".join((f"{number}{task[0]}", *task[1:], f"{number}.{name}"))
    return _own_id(value, number) if key in _IDS else value


def _own_id(value: Any, number: str) -> Any:
    if not value or isinstance(value, bool):
        return value
    return int(f"{number}{value}") if isinstance(value, int) else f"{number}{value}"


def _own_form(form: str, number: str) -> str:
    return form if form == VERIFICATION_FORM else f"{number}.{form}"


def _own_definition(definition: dict[str, Any], number: str) -> dict[str, Any]:
    kinds = definition["appliesToType"]
    if kinds is not None and definition["appliesTo"] == "reports":
        kinds = [_own_form(form, number) for form in kinds]
    return {
        **definition,
        "name": f"{number}.{definition['name']}",
        "appliesToType": kinds,
        "appliesIf": _own_predicate(definition["appliesIf"], number),
        "actions": [_own_forms(action, number) for action in definition["actions"]],
        "resolvedBy": _own_forms(definition["resolvedBy"], number),
    }


def _own_predicate(predicate: dict[str, Any] | None, number: str) -> dict[str, Any] | None:
    if predicate is None or predicate["field"].split(".")[-1] not in _IDS:
        return predicate
    value = predicate["value"]
    values = [_own_id(one, number) for one in value] if isinstance(value, list) else None
    return {**predicate, "value": _own_id(value, number) if values is None else values}


def _own_forms(rule: dict[str, Any], number: str) -> dict[str, Any]:
    owned = dict(rule)
    if rule.get("form"):
        owned["form"] = _own_form(rule["form"], number)
    for key in ("forms", "orForms"):
        if rule.get(key):
            owned[key] = [_own_form(form, number) for form in rule[key]]
    return owned
