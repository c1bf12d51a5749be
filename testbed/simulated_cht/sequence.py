"""Sequences of a changes feed: `<number>-<opaque text>`.

The opaque part encodes the position in every shard and the database it belongs to. Clients must not
decode it, and must not compare the number.
"""

import base64
import binascii
import re
import struct
from collections.abc import Sequence

# CouchDB's begin with these bytes too ("g1AA…"); a sequence without them is malformed.
OPENING = b"\x83\x50\x00\x00"
INSTANCE_BYTES = 8
OPAQUE = re.compile(r"(?:[0-9]+-)?([A-Za-z0-9_-]+)")


class MalformedSequenceError(ValueError):
    """The text is no sequence of any database."""


def encode(instance: bytes, positions: Sequence[int]) -> str:
    packed = OPENING + instance + struct.pack(f">{len(positions)}I", *positions)
    return f"{sum(positions)}-{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def decode(text: str, instance: bytes, shard_count: int) -> list[int]:
    """The positions; all zero for a genuine sequence of another database.

    CouchDB answers a sequence whose shards it does not know by starting from the beginning.
    """
    packed = _unpack(text)
    body = packed[len(OPENING) + INSTANCE_BYTES :]
    is_ours = packed[len(OPENING) :].startswith(instance) and len(body) == 4 * shard_count
    return list(struct.unpack(f">{shard_count}I", body)) if is_ours else [0] * shard_count


def _unpack(text: str) -> bytes:
    found = OPAQUE.fullmatch(text)
    if not found:
        raise MalformedSequenceError(text)
    opaque = found[1]
    try:
        packed = base64.urlsafe_b64decode(opaque + "=" * (-len(opaque) % 4))
    except binascii.Error as error:
        raise MalformedSequenceError(text) from error
    if not packed.startswith(OPENING):
        raise MalformedSequenceError(text)
    return packed
