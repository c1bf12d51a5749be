"""Revisions as CouchDB writes them: `<generation>-<32 hexadecimal digits>`."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

REVISION = re.compile(r"([0-9]+)-([0-9a-f]{32})")


def next_revision(parent: str | None, body: Mapping[str, Any], *, deleted: bool) -> str:
    """The revision of `body` as the child of `parent`; the same for the same three."""
    generation = parse(parent)[0] + 1 if parent else 1
    text = msgspec.json.encode([parent, deleted, body])
    return f"{generation}-{hashlib.md5(text, usedforsecurity=False).hexdigest()}"


def parse(revision: str) -> tuple[int, str]:
    """Generation and digest, which sort as CouchDB picks the winner; ValueError if it is none."""
    found = REVISION.fullmatch(revision)
    if not found:
        raise ValueError(revision)
    return int(found[1]), found[2]
