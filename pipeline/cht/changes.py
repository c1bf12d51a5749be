"""The changes feed as a stream. Documents pass through as the bytes that came, not taken apart."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

PART_BYTES = 1536 * 1024
_LONGEST_END = 64 * 1024
_HEAD = b'{"results":[\n'


class Leaf(msgspec.Struct):
    rev: str


class Row(msgspec.Struct):
    """One change. `id` and `doc` are JSON text; a missing document is `null`."""

    id: msgspec.Raw
    changes: tuple[Leaf, ...]
    deleted: bool = False
    doc: msgspec.Raw = msgspec.Raw(b"null")


class End(msgspec.Struct):
    """`last_seq` is opaque and the only sequence safe to store; `pending` is what is left after."""

    last_seq: str | int
    pending: int | None = None

    @property
    def sequence(self) -> str:
        return str(self.last_seq)


class Part(msgspec.Struct):
    """Some rows of a page, as many as came together; only the last part has the page's end.

    `text` is the bytes in which the rows lie, for looking through all of them at once.
    """

    rows: list[Row]
    text: bytes | bytearray
    end: End | None = None


class _Page(End, kw_only=True):
    results: list[Row]


_PAGE = msgspec.json.Decoder(_Page)
_END = msgspec.json.Decoder(End)
_ROWS = msgspec.json.Decoder(list[Row | None])
_ROW = msgspec.json.Decoder(Row)
_ROW_BY_SIGHT = re.compile(
    rb'\{.*?"id":(?P<id>"(?:[^"\\]|\\.)*"),"changes":\[\{"rev":"(?P<rev>[^"]+)"\}.*?\]'
    rb'(?P<deleted>,"deleted":true)?(?:,"doc":(?P<doc>.*))?\}'
)


def read_parts(pieces: Iterable[bytes], part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """A page in parts of at least `part_bytes`, each of whole rows: CouchDB gives each row a line.

    So a page of documents of any size needs no more memory than a part and the largest document.
    Raises msgspec.DecodeError when the body is no page, or breaks off.
    """
    coming = iter(pieces)
    opening = b""
    while len(opening) < len(_HEAD) and (piece := next(coming, None)) is not None:
        opening = (opening + piece).lstrip()
    if opening.startswith(_HEAD):
        yield from _parts(chain([b"\n" + opening[len(_HEAD) :]], coming), part_bytes)
    else:
        yield _whole_page(b"".join([opening, *coming]))


def _parts(pieces: Iterable[bytes], part_bytes: int) -> Iterator[Part]:
    """No line but the first after the rows begins with a bracket."""
    text, has_ended = bytearray(b"["), False
    for piece in pieces:
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
        part = _part(text)
        text = bytearray(b"[\n") + rest
        yield part
        del part  # before more is read: it may hold a large document
    yield _last_part(text)


def _whole_page(text: bytes) -> Part:
    """A page that somebody on the way has written anew, not in lines."""
    page = _PAGE.decode(text)
    return Part(page.results, text, End(page.last_seq, page.pending))


def _last_part(text: bytearray) -> Part:
    at = text.rfind(b"\n]")
    if at < 0:
        raise msgspec.DecodeError("the page breaks off")
    end = _END.decode(b"{" + text[at + 2 :].lstrip(b", \r\n"))
    text[at:] = b"]"
    part = _part(text)
    part.end = end
    return part


def _part(text: bytearray) -> Part:
    """`text` is a list of rows, perhaps with a null at its end.

    Row by row where that fails: a document with half a surrogate pair or nested too deeply must not
    hold back the others.
    """
    try:
        rows = _ROWS.decode(text)
    except (msgspec.DecodeError, RecursionError):
        lines = (line.strip(b" ,\r") for line in bytes(text[1:-1]).split(b"\n"))
        rows = [_row(line) for line in lines if line not in {b"", b"null"}]
    return Part([row for row in rows if row is not None], text)


def _row(line: bytes) -> Row:
    try:
        return _ROW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        found = _ROW_BY_SIGHT.fullmatch(line)
    if not found:
        raise msgspec.DecodeError("a line of the page is no change")
    return Row(
        id=msgspec.Raw(found["id"]),
        changes=(Leaf(found["rev"].decode()),),
        deleted=found["deleted"] is not None,
        doc=msgspec.Raw(found["doc"] or b"null"),
    )
