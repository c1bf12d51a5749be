"""YAML with the lines it came from. Pure."""

from dataclasses import dataclass
from typing import Any, cast

import yaml

Location = tuple[int | str, ...]
# libyaml's loader is ten times as fast; a build of PyYAML may lack it
_Loader = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@dataclass(frozen=True)
class Problem:
    """What is wrong in a line."""

    line: int
    sentence: str


@dataclass(frozen=True)
class File:
    """What a YAML file says, and where. With problems of YAML itself there is no content."""

    content: Any
    problems: list[Problem]
    lines: dict[Location, int]

    def line(self, location: Location) -> int:
        """The line of `location`, or of its nearest parent in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read(text: str) -> File:
    loader = _Loader(text)
    lines: dict[Location, int] = {}
    problems: list[Problem] = []
    try:
        root = loader.get_single_node()
        if root is not None:
            _walk(root, (), lines, problems)
        content = loader.construct_document(root) if root is not None and not problems else None
    except yaml.YAMLError as error:
        return File(None, [*problems, _unreadable(error)], lines)
    finally:
        loader.dispose()
    return File(content, problems, lines)


def _unreadable(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or "not YAML"
    return Problem(mark.line + 1 if mark else 1, f"cannot be read as YAML: {reason}")


def _walk(
    node: yaml.Node, location: Location, lines: dict[Location, int], problems: list[Problem]
) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _walk(item, (*location, position), lines, problems)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below, line = (*location, str(key.value)), key.start_mark.line + 1
            if below in lines:
                problems.append(
                    Problem(
                        line,
                        f"{key.value} is given twice, first in line {lines[below]}; "
                        "keep one of them",
                    )
                )
            lines[below] = line
            _walk(value, below, lines, problems)
