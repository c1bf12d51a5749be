"""Documents asked for by their ids, as a stream that looks like the changes feed."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pipeline.cht.changes import Leaf, Part, Row
from pipeline.cht.row_stream import PART_BYTES, by_sight, cuts, decoded, past_head

_HEAD = re.compile(rb'\s*\{(?:"[a-z_]+":(?:\d+|null),)*"rows":\[\r?\n')


class Value(msgspec.Struct):
    rev: str
    deleted: bool = False


class Found(Part):
    """Some of the documents, and of the ids asked for those that the CHT does not know."""

    unknown: frozenset[str] = frozenset()


class _Answered(msgspec.Struct):
    """`key` and `doc` are JSON text; what is unknown has no value."""

    key: msgspec.Raw
    value: Value | None = None
    doc: msgspec.Raw = msgspec.Raw(b"null")


class _Whole(msgspec.Struct):
    rows: list[_Answered]


_WHOLE = msgspec.json.Decoder(_Whole)
_ROWS = msgspec.json.Decoder(list[_Answered | None])
_ROW = msgspec.json.Decoder(_Answered)
_ROW_BY_SIGHT = re.compile(
    rb'\{.*?"key":(?P<id>"(?:[^"\\]|\\.)*"),"value":\{"rev":"(?P<rev>[^"]+)"'
    rb'(?P<deleted>,"deleted":true)?\}(?:,"doc":(?P<doc>.*))?\}'
)


def read_found(pieces: Iterable[bytes], part_bytes: int = PART_BYTES) -> Iterator[Found]:
    """Raises msgspec.DecodeError when the body is no such answer, or breaks off."""
    coming, head = past_head(pieces, _HEAD)
    if head is None:
        text = b"".join(coming)
        yield _found(_WHOLE.decode(text).rows, text)
        return
    for cut in cuts(coming, part_bytes):
        yield _found(decoded(cut.text, _ROWS.decode, _row), cut.text)
        del cut  # before more is read: it may hold a large document


def _found(answered: Sequence[_Answered], text: bytes | bytearray) -> Found:
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


def _row(line: bytes) -> _Answered:
    try:
        return _ROW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        found = by_sight(line, _ROW_BY_SIGHT)
    return _Answered(
        key=msgspec.Raw(found["id"]),
        value=Value(found["rev"].decode(), deleted=found["deleted"] is not None),
        doc=msgspec.Raw(found["doc"] or b"null"),
    )
