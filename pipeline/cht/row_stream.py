"""CouchDB's long answers as streams, cut into parts of whole rows: it gives each row a line.

So an answer with documents of any size needs no more memory than a part and the largest document.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import msgspec

Row = TypeVar("Row")

PART_BYTES = 2304 * 1024
_LONGEST_HEAD = 200
_LONGEST_END = 64 * 1024


@dataclass(frozen=True)
class Cut:
    """`text` is a JSON list of rows, perhaps with a null at its end.

    The last cut alone has an `end`: the object of what stands below the rows.
    """

    text: bytearray
    end: bytes | None = None


def past_head(
    pieces: Iterable[bytes], head: re.Pattern[bytes]
) -> tuple[Iterator[bytes], re.Match[bytes] | None]:
    """What comes after the head; everything, and None, where somebody wrote the answer anew."""
    coming = iter(pieces)
    opening = b""
    while not (found := head.match(opening)) and len(opening) < _LONGEST_HEAD:
        piece = next(coming, None)
        if piece is None:
            break
        opening += piece
    return chain([opening[found.end() :] if found else opening], coming), found


def cuts(pieces: Iterable[bytes], part_bytes: int) -> Iterator[Cut]:
    """Raises msgspec.DecodeError when the answer breaks off. No line but the first after the rows
    begins with a bracket.
    """
    text, has_ended = bytearray(b"["), False
    for piece in chain([b"\n"], pieces):
        cut = len(text) + piece.rfind(b"\n") + 1
        has_line = b"\n" in piece
        text += piece
        if len(text) < part_bytes or not has_line or has_ended:
            continue
        has_ended = text.rfind(b"\n]", max(cut - _LONGEST_END, 0), cut) >= 0
        if has_ended:
            continue
        rest = text[cut:]
        text[cut:] = b"null]"
        part = Cut(text)
        text = bytearray(b"[\n") + rest
        yield part
        del part  # before more is read: it may hold a large document
    yield _last(text)


def _last(text: bytearray) -> Cut:
    at = text.rfind(b"\n]")
    if at < 0:
        raise msgspec.DecodeError("the answer breaks off")
    end = b"{" + text[at + 2 :].lstrip(b", \r\n")
    text[at:] = b"]"
    return Cut(text, end)


def decoded(
    text: bytearray, decode: Callable[[bytearray], list[Row | None]], row: Callable[[bytes], Row]
) -> list[Row]:
    """Row by row where all at once fails: a document with half a surrogate pair or nested too
    deeply must not hold back the others.
    """
    try:
        rows = decode(text)
    except (msgspec.DecodeError, RecursionError):
        lines = (line.strip(b" ,\r") for line in bytes(text[1:-1]).split(b"\n"))
        rows = [row(line) for line in lines if line not in {b"", b"null"}]
    return [row for row in rows if row is not None]


def by_sight(line: bytes, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
    """For a row that cannot be taken apart."""
    found = pattern.fullmatch(line)
    if not found:
        raise msgspec.DecodeError("a line of the answer is no row")
    return found
