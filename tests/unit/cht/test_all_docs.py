"""However documents come that were asked for by their ids, they are the same."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cht.docs_by_id import Found, read_found

ROWS = [
    b'{"id":"a","key":"a","value":{"rev":"1-a"},"doc":{"_id":"a","t":"\\n],\\n"}}',
    b'{"id":"gone","key":"gone","value":{"rev":"2-b","deleted":true},"doc":null}',
    b'{"key":"never there","error":"not_found"}',
    b'{"id":"half","key":"half","value":{"rev":"1-c"},"doc":{"t":"\\ud800"}}',
    b'{"id":"deep","key":"deep","value":{"rev":"1-d"},"doc":' + b"[" * 9000 + b"]" * 9000 + b"}",
]
HEAD = b'{"total_rows":981,"offset":null,"rows":[\r\n'


def read(pieces: list[bytes], part_bytes: int) -> list[Found]:
    return list(read_found(pieces, part_bytes))


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(body) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@given(
    rows=st.lists(st.sampled_from(ROWS), max_size=6, unique=True),
    places=st.lists(st.integers(0, 10**6), max_size=12),
    part_bytes=st.integers(1, 400),
)
def test_rows_do_not_depend_on_how_the_bytes_come(
    rows: list[bytes], places: list[int], part_bytes: int
) -> None:
    parts = read(cut(HEAD + b",\r\n".join(rows) + b"\r\n]}\n", places), part_bytes)
    found = {bytes(row.id): row for part in parts for row in part.rows}
    known = {b'"a"': ROWS[0], b'"gone"': ROWS[1], b'"half"': ROWS[3], b'"deep"': ROWS[4]}
    assert set(found) == {one for one, row in known.items() if row in rows}
    for one, row in found.items():
        assert b'"doc":' + bytes(row.doc) + b"}" in known[one]
        assert b'"rev":"' + row.changes[0].rev.encode() + b'"' in known[one]
        assert row.deleted == (one == b'"gone"')
    unknown = set().union(*(part.unknown for part in parts))
    assert unknown == ({"never there"} if ROWS[2] in rows else set())


@given(place=st.integers(0, 10**6), part_bytes=st.integers(1, 400))
def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(
    place: int, part_bytes: int
) -> None:
    body = HEAD + b",\r\n".join(ROWS) + b"\r\n]}"
    with pytest.raises(msgspec.DecodeError):
        read([body[: place % len(body)]], part_bytes)


def test_an_answer_that_somebody_rewrote_on_one_line_is_read_too() -> None:
    body = HEAD + b",".join(ROWS[:3]) + b"\r\n]}"
    (part,) = read([body.replace(b"\r\n", b"")], 1)
    assert [bytes(row.id) for row in part.rows] == [b'"a"', b'"gone"']
    assert part.unknown == {"never there"}
