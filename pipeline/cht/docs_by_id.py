"""Documents requested by id, as a stream of the same parts as the changes feed."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pipeline.cht.changes import Leaf, Part, Row
from pipeline.cht.row_stream import PART_BYTES, decode_rows, match_row, row_lists, skip_head

_HEAD = re.compile(rb'\s*\{(?:"[a-z_]+":(?:\d+|null),)*"rows":\[\r?\n')


class Value(msgspec.Struct):
    rev: str
    deleted: bool = False


class Found(Part):
    """Some of the documents, and those of the requested ids that the CHT does not know."""

    unknown: frozenset[str] = frozenset()


class _FoundRow(msgspec.Struct):
    """`key` and `doc` are JSON text; an unknown id has no value."""

    key: msgspec.Raw
    value: Value | None = None
    doc: msgspec.Raw = msgspec.Raw(b"null")


class _Response(msgspec.Struct):
    rows: list[_FoundRow]


_RESPONSE = msgspec.json.Decoder(_Response)
_ROWS = msgspec.json.Decoder(list[_FoundRow | None])
_ROW = msgspec.json.Decoder(_FoundRow)
_ROW_PATTERN = re.compile(
    rb'\{.*?"key":(?P<id>"(?:[^"\\]|\\.)*"),"value":\{"rev":"(?P<rev>[^"]+)"'
    rb'(?P<deleted>,"deleted":true)?\}(?:,"doc":(?P<doc>.*))?\}'
)


def read_found(pieces: Iterable[bytes], part_bytes: int = PART_BYTES) -> Iterator[Found]:
    """Raises msgspec.DecodeError when the body is no such response, or incomplete."""
    coming, head = skip_head(pieces, _HEAD)
    if head is None:
        text = b"".join(coming)
        yield _found(_RESPONSE.decode(text).rows, text)
        return
    for rows in row_lists(coming, part_bytes):
        yield _found(decode_rows(rows.text, _ROWS.decode, _row), rows.text)
        del rows  # before more is read: it may hold a large document


def _found(answered: Sequence[_FoundRow], text: bytes | bytearray) -> Found:
    rows = [
        Row(
            id=one.key,
            changes=(Leaf(one.value.rev),),
            deleted=one.value.deleted,
            doc=one.doc,
        )
        for one in answered
        if one.value
    ]
    unknown = (msgspec.json.decode(one.key, type=str) for one in answered if not one.value)
    return Found(rows, text, unknown=frozenset(unknown))


def _row(line: bytes) -> _FoundRow:
    try:
        return _ROW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        found = match_row(line, _ROW_PATTERN)
    return _FoundRow(
        key=msgspec.Raw(found["id"]),
        value=Value(found["rev"].decode(), deleted=found["deleted"] is not None),
        doc=msgspec.Raw(found["doc"] or b"null"),
    )
