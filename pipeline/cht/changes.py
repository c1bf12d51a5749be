"""A page of the changes feed. Documents pass through as the bytes that came, never taken apart."""

import re

import msgspec


class Leaf(msgspec.Struct):
    rev: str


class Row(msgspec.Struct):
    """One change. `id` and `doc` are JSON text; a missing document is `null`."""

    id: msgspec.Raw
    changes: tuple[Leaf, ...]
    deleted: bool = False
    doc: msgspec.Raw = msgspec.Raw(b"null")


class Page(msgspec.Struct):
    """`last_seq` is opaque and the only sequence safe to store; `pending` is what is left after."""

    results: list[Row]
    last_seq: str | int
    pending: int | None = None

    @property
    def sequence(self) -> str:
        return str(self.last_seq)


_PAGE = msgspec.json.Decoder(Page)
_ROW = re.compile(
    rb'\{.*?"id":(?P<id>"(?:[^"\\]|\\.)*"),"changes":\[\{"rev":"(?P<rev>[^"]+)"\}.*?\]'
    rb'(?P<deleted>,"deleted":true)?(?:,"doc":(?P<doc>.*))?\},?'
)


def read_page(body: bytes) -> Page:
    """Raises msgspec.DecodeError when the body is no page.

    A document with half a surrogate pair, or nested too deeply, must not hold back its neighbours:
    then the page is read line by line, since CouchDB gives each row one.
    """
    try:
        return _PAGE.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _read_by_line(body)


def _read_by_line(body: bytes) -> Page:
    first, *rows = [line for line in body.splitlines() if line.strip()] or [b""]
    end = next((index for index, line in enumerate(rows) if line.strip() == b"],"), None)
    if first.strip() != b'{"results":[' or end is None:
        raise msgspec.DecodeError("the body is no page of changes")
    page = _PAGE.decode(b'{"results":[],' + b"".join(rows[end + 1 :]))
    page.results = [_row(line) for line in rows[:end]]
    return page


def _row(line: bytes) -> Row:
    found = _ROW.fullmatch(line.strip())
    if not found:
        raise msgspec.DecodeError("a line of the page is no change")
    return Row(
        id=msgspec.Raw(found["id"]),
        changes=(Leaf(found["rev"].decode()),),
        deleted=found["deleted"] is not None,
        doc=msgspec.Raw(found["doc"] or b"null"),
    )
