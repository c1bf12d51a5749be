"""Revisions, computed as CouchDB computes them.

CouchDB takes the MD5 of Erlang's own binary form of `[deleted, parent number, parent digest, body,
attachments]`, so the same content written as a new document has the same revision everywhere.
"""

import hashlib
import re
import struct
from collections.abc import Mapping
from typing import Any

REVISION = re.compile(r"([0-9]+)-([0-9a-f]{32})")


def next_revision(parent: str | None, body: Mapping[str, Any], *, deleted: bool) -> str:
    """The revision of `body` (without `_id` and `_rev`) as the child of revision `parent`."""
    number, digest = parse(parent) if parent else (0, 0)
    parts: tuple[Any, ...] = (deleted, number, digest, body, [])
    term = _list([_term(part) for part in parts])
    md5 = hashlib.md5(b"\x83" + term, usedforsecurity=False)
    return f"{number + 1}-{md5.hexdigest()}"


def parse(revision: str) -> tuple[int, bytes]:
    """Number and digest; `ValueError` where the text is no revision."""
    found = REVISION.fullmatch(revision)
    if not found:
        raise ValueError(revision)
    return int(found[1]), bytes.fromhex(found[2])


def _term(value: Any) -> bytes:
    match value:
        case bool() | None:
            return _atom({True: b"true", False: b"false", None: b"null"}[value])
        case int():
            return _integer(value)
        case float():
            return b"\x46" + struct.pack(">d", value)
        case str() | bytes():
            raw = value.encode() if isinstance(value, str) else value
            return b"\x6d" + struct.pack(">I", len(raw)) + raw
        case Mapping():
            pairs = [b"\x68\x02" + _term(key) + _term(item) for key, item in value.items()]
            return b"\x68\x01" + _list(pairs)
        case list():
            return _string(value) or _list([_term(item) for item in value])
    raise TypeError(type(value))


def _atom(name: bytes) -> bytes:
    return b"\x64" + struct.pack(">H", len(name)) + name


def _integer(value: int) -> bytes:
    if 0 <= value <= 0xFF:
        return b"\x61" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"\x62" + struct.pack(">i", value)
    magnitude = abs(value).to_bytes((abs(value).bit_length() + 7) // 8, "little")
    return b"\x6e" + bytes([len(magnitude), value < 0]) + magnitude


def _string(values: list[Any]) -> bytes | None:
    """Erlang writes a list of nothing but small integers as a string."""
    if not values or len(values) > 0xFFFF:
        return None
    if any(type(value) is not int or not 0 <= value <= 0xFF for value in values):
        return None
    return b"\x6b" + struct.pack(">H", len(values)) + bytes(values)


def _list(terms: list[bytes]) -> bytes:
    if not terms:
        return b"\x6a"
    return b"\x6c" + struct.pack(">I", len(terms)) + b"".join(terms) + b"\x6a"
