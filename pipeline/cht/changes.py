"""The changes feed as a stream. Documents are passed on as bytes, not parsed."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from pipeline.cht.row_stream import PART_BYTES, decode_rows, match_row, row_lists, skip_head

_HEAD = re.compile(rb'\s*\{"results":\[\n')


class Leaf(msgspec.Struct, gc=False):
    rev: str


class Row(msgspec.Struct, gc=False):
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
    """Some consecutive rows of a page; only the last part has the page's end.

    `text` is the bytes of all rows, for searching them at once.
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
_ROW_PATTERN = re.compile(
    rb'\{.*?"id":(?P<id>"(?:[^"\\]|\\.)*"),"changes":\[\{"rev":"(?P<rev>[^"]+)"\}.*?\]'
    rb'(?P<deleted>,"deleted":true)?(?:,"doc":(?P<doc>.*))?\}'
)


def read_parts(pieces: Iterable[bytes], part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """A page in parts of at least `part_bytes`.

    Raises msgspec.DecodeError when the body is no page, or incomplete.
    """
    coming, head = skip_head(pieces, _HEAD)
    if head is None:
        yield _whole_page(b"".join(coming))
        return
    for rows in row_lists(coming, part_bytes):
        end = None if rows.end is None else _END.decode(rows.end)
        yield Part(decode_rows(rows.text, _ROWS.decode, _row), rows.text, end)
        del rows  # before more is read: it may hold a large document


def _whole_page(text: bytes) -> Part:
    """A page that a proxy has reformatted, so that its rows are no lines."""
    page = _PAGE.decode(text)
    return Part(page.results, text, End(page.last_seq, page.pending))


def _row(line: bytes) -> Row:
    try:
        return _ROW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        found = match_row(line, _ROW_PATTERN)
    return Row(
        id=msgspec.Raw(found["id"]),
        changes=(Leaf(found["rev"].decode()),),
        deleted=found["deleted"] is not None,
        doc=msgspec.Raw(found["doc"] or b"null"),
    )
