"""The forms, roles and contact types that a tasks.yml names, beside those the CHT knows. Pure."""

import difflib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.tasks import error_messages
from pipeline.tasks.yaml_lines import File, Location, Problem


class Kind(StrEnum):
    FORM = "form"
    ROLE = "role"
    CONTACT_TYPE = "contact type"


Known = Set[tuple[Kind, str]]


@dataclass(frozen=True)
class Named:
    """A name and its location in the file."""

    kind: Kind
    name: str
    location: Location


def names(content: Any) -> list[Named]:
    """Every name in the content of a valid tasks.yml."""
    area_type = content.get("areaType")
    areas = [Named(Kind.CONTACT_TYPE, area_type, ("areaType",))] if area_type else []
    return [
        *areas,
        *(
            Named(named.kind, named.name, ("tasks", position, *named.location))
            for position, task in enumerate(content["tasks"])
            for named in _of_task(task)
        ),
    ]


def _of_task(task: dict[str, Any]) -> Iterator[Named]:
    kind = Kind.CONTACT_TYPE if task["appliesTo"] == "contacts" else Kind.FORM
    yield from _listed(kind, task.get("appliesToType"), ("appliesToType",))
    yield from _listed(Kind.ROLE, task["assignedTo"]["roles"], ("assignedTo", "roles"))
    yield from _forms(task.get("resolvedIf"), ("resolvedIf",))
    yield from _listed(Kind.FORM, (task.get("tracing") or {}).get("forms"), ("tracing", "forms"))
    for position, action in enumerate(task.get("actions", [])):
        if action.get("type", "report") == "report":
            yield from _forms(action, ("actions", position))


def _listed(kind: Kind, listed: list[str] | None, location: Location) -> Iterator[Named]:
    for position, name in enumerate(listed or []):
        yield Named(kind, name, (*location, position))


def _forms(value: Any, location: Location) -> Iterator[Named]:
    """The forms of a resolver: a text in a list, or the value of the key `form`."""
    parts: Iterator[tuple[int | str, Any]] = iter(())
    if isinstance(value, dict):
        parts = iter(value.items())
    elif isinstance(value, list):
        parts = iter(enumerate(value))
    for step, part in parts:
        if isinstance(part, str) and (isinstance(step, int) or step == "form"):
            yield Named(Kind.FORM, part, (*location, step))
        else:
            yield from _forms(part, (*location, step))


def unknown(file: File, named: list[Named], known: Known) -> list[Problem]:
    """One for every name that is not known."""
    return [
        Problem(
            file.line(one.location),
            f"{error_messages.where(one.location, file.content)} names the {one.kind} {one.name}, "
            f"which is not in the CHT's data{_instead(one, known)}",
        )
        for one in named
        if (one.kind, one.name) not in known
    ]


def _instead(named: Named, known: Known) -> str:
    """What may be meant; case alone is no difference to a reader, however short the name."""
    others = sorted(name for kind, name in known if kind is named.kind)
    same = [name for name in others if name.casefold() == named.name.casefold()]
    near = same or difflib.get_close_matches(named.name, others, n=1)
    return f"; did you mean {near[0]}?" if near else ""
