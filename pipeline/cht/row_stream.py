"""CouchDB's long responses as streams, split into lists of whole rows: each row is a line.

So a response with documents of any size needs no more memory than a part and the largest document.
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
class RowList:
    """`text` is a JSON list of rows, which may end with a null.

    Only the last list has an `end`: a JSON object of what follows the rows in the response.
    """

    text: bytearray
    end: bytes | None = None


def skip_head(
    pieces: Iterable[bytes], head: re.Pattern[bytes]
) -> tuple[Iterator[bytes], re.Match[bytes] | None]:
    """What follows the head; everything, and None, if a proxy has reformatted the response."""
    coming = iter(pieces)
    opening = b""
    while not (found := head.match(opening)) and len(opening) < _LONGEST_HEAD:
        piece = next(coming, None)
        if piece is None:
            break
        opening += piece
    return chain([opening[found.end() :] if found else opening], coming), found


def row_lists(pieces: Iterable[bytes], part_bytes: int) -> Iterator[RowList]:
    """Lists of at least `part_bytes`. Raises msgspec.DecodeError when the response is incomplete.

    The first line after the rows is the only one that begins with a bracket.
    """
    text, has_ended = bytearray(b"["), False
    for piece in chain([b"\n"], pieces):
        line_start = len(text) + piece.rfind(b"\n") + 1
        has_line = b"\n" in piece
        text += piece
        if len(text) < part_bytes or not has_line or has_ended:
            continue
        has_ended = text.rfind(b"\n]", max(line_start - _LONGEST_END, 0), line_start) >= 0
        if has_ended:
            continue
        rest = text[line_start:]
        text[line_start:] = b"null]"
        part = RowList(text)
        text = bytearray(b"[\n") + rest
        yield part
        del part  # before more is read: it may hold a large document
    yield _last(text)


def _last(text: bytearray) -> RowList:
    at = text.rfind(b"\n]")
    if at < 0:
        raise msgspec.DecodeError("the response is incomplete")
    end = b"{" + text[at + 2 :].lstrip(b", \r\n")
    text[at:] = b"]"
    return RowList(text, end)


def decode_rows(
    text: bytearray, decode: Callable[[bytearray], list[Row | None]], row: Callable[[bytes], Row]
) -> list[Row]:
    """Decodes row by row if all at once fails: a document with half a surrogate pair, or nested too
    deeply, must not affect the others.
    """
    try:
        rows = decode(text)
    except (msgspec.DecodeError, RecursionError):
        lines = (line.strip(b" ,\r") for line in bytes(text[1:-1]).split(b"\n"))
        rows = [row(line) for line in lines if line not in {b"", b"null"}]
    return [row for row in rows if row is not None]


def match_row(line: bytes, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
    """For a row that cannot be decoded."""
    found = pattern.fullmatch(line)
    if not found:
        raise msgspec.DecodeError("a line of the response is no row")
    return found
