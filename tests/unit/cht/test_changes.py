"""However a page of changes comes, its rows and its end are the same."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cht.changes import Part, read_parts

DOCUMENTS = [
    b'{"_id":"a","n":1}',
    b'{"t":"half a pair \\ud800"}',
    b'{"t":"line\\nend\\n],\\n","u":"]}"}',
    b'{"n":1e400,"m":' + b"9" * 400 + b"}",
    b'{"d":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"d":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b"null",
]
END = b'\n],\n"last_seq":"7-abc","pending":3}\n\n'


def page(documents: list[bytes], opening: bytes) -> bytes:
    lines = [
        b'{"seq":null,"id":"id-%d","changes":[{"rev":"1-a"}],"doc":%b}' % (number, document)
        for number, document in enumerate(documents)
    ]
    return opening + b",\r\n".join(lines) + END


def read(pieces: list[bytes], part_bytes: int) -> list[Part]:
    return list(read_parts(pieces, part_bytes))


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(body) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@given(
    documents=st.lists(st.sampled_from(DOCUMENTS), max_size=6),
    opening=st.sampled_from([b'{"results":[\n', b'{"results":[\n\n\n', b'\n{"results":[\n']),
    places=st.lists(st.integers(0, 10**6), max_size=12),
    part_bytes=st.integers(1, 400),
)
def test_rows_and_end_do_not_depend_on_how_the_bytes_come(
    documents: list[bytes], opening: bytes, places: list[int], part_bytes: int
) -> None:
    parts = read(cut(page(documents, opening), places), part_bytes)
    rows = [row for part in parts for row in part.rows]
    assert [bytes(row.doc) for row in rows] == documents
    assert [bytes(row.id) for row in rows] == [b'"id-%d"' % n for n in range(len(documents))]
    assert [part.end is not None for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].end is not None
    assert (parts[-1].end.sequence, parts[-1].end.pending) == ("7-abc", 3)
    assert all(bytes(row.doc) in part.text for part in parts for row in part.rows)


@given(place=st.integers(0, 10**6), part_bytes=st.integers(1, 400))
def test_a_page_that_breaks_off_is_never_taken_for_a_whole_one(place: int, part_bytes: int) -> None:
    body = page(DOCUMENTS, b'{"results":[\n').rstrip()
    with pytest.raises(msgspec.DecodeError):
        read([body[: place % len(body)]], part_bytes)


@given(places=st.lists(st.integers(0, 10**6), max_size=6))
def test_a_page_that_somebody_rewrote_on_one_line_is_read_too(places: list[int]) -> None:
    body = page(DOCUMENTS[:2][:1], b'{"results":[\n').replace(b"\n", b"").replace(b"\r", b"")
    (part,) = read(cut(body, places), 1)
    assert [bytes(row.doc) for row in part.rows] == DOCUMENTS[:1]
    assert part.end is not None


def test_a_page_comes_in_parts_of_whole_rows() -> None:
    body = page([b'{"n":%d}' % number for number in range(100)], b'{"results":[\n')
    parts = read([body[start : start + 100] for start in range(0, len(body), 100)], 1000)
    assert len(parts) > 5
    assert sum(len(part.rows) for part in parts) == 100
