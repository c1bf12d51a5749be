"""Dumpers for PostgreSQL's binary arrays from bytes that are already UTF-8 text.

psycopg adapts a list of bytes element by element, and to `bytea[]`, which PostgreSQL then has to
convert: a `text[]` built at once lands documents half again as fast (docs/decisions/sync-speed.md).
"""

import struct
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii").pack  # dimensions, flags, element type, length, lower bound
_LENGTH = struct.Struct("!i").pack
_TRUE, _FALSE = _LENGTH(1) + b"\1", _LENGTH(1) + b"\0"


class Texts(tuple[Any, ...]):
    """`text[]` of bytes-like items; PostgreSQL refuses what is not UTF-8."""

    __slots__ = ()


class Blobs(tuple[bytes, ...]):
    """`bytea[]`."""

    __slots__ = ()


class Flags(tuple[bool, ...]):
    """`boolean[]`."""

    __slots__ = ()


def _packed(element_oid: int, items: Sequence[Any]) -> bytes:
    pieces = [_HEAD(1, 0, element_oid, len(items), 1)]
    for item in items:
        pieces += (_LENGTH(len(item)), item)
    return b"".join(pieces)


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = psycopg.adapters.types["text"].array_oid

    def dump(self, obj: Texts) -> bytes:
        return _packed(psycopg.adapters.types["text"].oid, obj)


class _BlobsDumper(Dumper):
    format = Format.BINARY
    oid = psycopg.adapters.types["bytea"].array_oid

    def dump(self, obj: Blobs) -> bytes:
        return _packed(psycopg.adapters.types["bytea"].oid, obj)


class _FlagsDumper(Dumper):
    format = Format.BINARY
    oid = psycopg.adapters.types["bool"].array_oid

    def dump(self, obj: Flags) -> bytes:
        head = _HEAD(1, 0, psycopg.adapters.types["bool"].oid, len(obj), 1)
        return head + b"".join(_TRUE if item else _FALSE for item in obj)


psycopg.adapters.register_dumper(Texts, _TextsDumper)
psycopg.adapters.register_dumper(Blobs, _BlobsDumper)
psycopg.adapters.register_dumper(Flags, _FlagsDumper)
