"""The in-memory database behaves as CouchDB."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.simulated_cht.changes import NO_LIMIT, Page
from testbed.simulated_cht.database import CouchRefusal, Database
from testbed.simulated_cht.shard import stored

View = dict[str, str]


def database(seed: int = 0, **options: Any) -> Database:
    return Database("medic", Random(seed), **options)


def filled(count: int, **options: Any) -> Database:
    made = database(**options)
    for number in range(count):
        made.write({"_id": f"document-{number}"})
    return made


def ids_of(page: Page) -> list[str]:
    return [document.id for _, document in page.rows]


def latest(of: Database) -> View:
    return {document.id: document.revision for _, document in of.changes().rows}


def test_two_complete_reads_name_the_same_documents_in_a_different_order() -> None:
    source = filled(100)
    first, second = ids_of(source.changes()), ids_of(source.changes())
    assert sorted(first) == sorted(second)
    assert first != second


def test_an_update_moves_a_document_to_the_end_and_leaves_no_second_row() -> None:
    source = filled(20)
    since = source.changes().last_sequence
    revision = source.read("document-3").revision
    source.write({"_id": "document-3", "_rev": revision, "edited": True})
    assert ids_of(source.changes(since)) == ["document-3"]
    assert ids_of(source.changes()).count("document-3") == 1


def test_pending_counts_documents_and_not_updates() -> None:
    source = filled(10)
    for number in range(5):
        source.delete(f"document-{number}", source.read(f"document-{number}").revision)
    page = source.changes(limit=4)
    assert (len(page.rows), page.pending) == (4, 6)
    assert source.changes(page.last_sequence, limit=0).pending == 6


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 7)),
        st.tuples(st.just("delete"), st.integers(0, 7)),
        st.tuples(st.just("read"), st.integers(1, 4)),
    ),
    max_size=60,
)


class Reader:
    """Reads page after page, and remembers what it knew at every sequence it was given."""

    def __init__(self, source: Database) -> None:
        self.source = source
        self.known: list[tuple[str, View]] = [("0", {})]

    def read(self, limit: int) -> Page:
        since, view = self.known[-1]
        page = self.source.changes(since, limit=limit)
        for sequence, document in page.rows:
            view = {**view, document.id: document.revision}
            self.known.append((json.loads(sequence), view))
        self.known.append((page.last_sequence, view))
        return page


def apply(source: Database, operation: str, number: int) -> None:
    document_id = f"document-{number}"
    current = source.find(document_id)
    if operation == "delete" and current and not current.deleted:
        source.delete(document_id, current.revision)
    elif operation == "write":
        living = current if current and not current.deleted else None
        revision = {"_rev": living.revision} if living else {}
        source.write({"_id": document_id, "count": number, **revision})


@given(OPERATIONS, st.integers(0, 1000), st.sampled_from([0.0, 0.5, 1.0]))
def test_no_document_is_lost_from_any_sequence_ever_given(
    operations: list[tuple[str, int]], seed: int, replays: float
) -> None:
    source = database(seed, shard_count=3, replays=replays)
    reader = Reader(source)
    for operation, number in operations:
        if operation == "read":
            reader.read(number)
        else:
            apply(source, operation, number)
    final = latest(source)
    for sequence, view in reader.known:
        rest = {document.id: document.revision for _, document in source.changes(sequence).rows}
        assert {**view, **rest} == final


@given(st.integers(1, 4), st.integers(0, 1000))
def test_paging_comes_to_an_end_however_often_rows_come_again(limit: int, seed: int) -> None:
    source = database(seed, replays=1.0)
    for number in range(30):
        source.write({"_id": str(number)})
    reader = Reader(source)
    pages = 0
    while reader.read(limit).pending:
        pages += 1
        assert pages <= 30
    assert reader.known[-1][1] == latest(source)


def test_replayed_rows_come_again_and_the_end_stays_right() -> None:
    source = filled(50, replays=1.0)
    end = source.changes().last_sequence
    page = source.changes(end)
    assert page.rows
    assert (page.last_sequence, page.pending) == (end, 0)


def test_the_first_row_of_a_full_interval_carries_the_sequence() -> None:
    rows = filled(10).changes(limit=6, interval=3).rows
    assert [sequence == b"null" for sequence, _ in rows] == [False, True, True] * 2


@pytest.mark.parametrize("since", ["garbage", "5", "12-abc", "", "1-g1AA!", "-1"])
def test_an_invented_sequence_is_malformed(since: str) -> None:
    with pytest.raises(CouchRefusal) as refusal:
        filled(1).changes(since)
    assert refusal.value.status == 400
    assert refusal.value.payload["reason"].startswith("Malformed sequence")


def test_a_sequence_of_another_database_starts_from_the_beginning() -> None:
    foreign = filled(9, shard_count=8).last_sequence()
    assert len(filled(5).changes(foreign).rows) == 5
    assert database(7).changes(foreign).rows == []


def test_now_is_the_end_of_the_feed() -> None:
    source = filled(5)
    page = source.changes("now", limit=NO_LIMIT)
    assert (page.rows, page.pending) == ([], 0)


def test_a_stale_or_missing_revision_is_a_conflict() -> None:
    source = filled(1)
    stale = "1-" + "0" * 32
    attempts: list[dict[str, Any]] = [{}, {"_rev": stale}]
    for attempt in attempts:
        with pytest.raises(CouchRefusal) as refusal:
            source.write({"_id": "document-0", **attempt})
        assert refusal.value.status == 409
    with pytest.raises(CouchRefusal):
        source.write({"_id": "nobody", "_rev": stale})


def test_a_tombstone_is_written_over_without_a_revision() -> None:
    source = filled(1)
    deleted = source.delete("document-0", source.read("document-0").revision)
    assert deleted.startswith("2-")
    _, revision = source.write({"_id": "document-0", "text": "again"})
    assert revision.startswith("3-")
    assert source.content("document-0") == {
        "_id": "document-0",
        "_rev": revision,
        "text": "again",
    }


def test_reading_tells_a_deleted_document_from_one_that_never_was() -> None:
    source = filled(1)
    source.delete("document-0", source.read("document-0").revision)
    for document_id, reason in (("document-0", "deleted"), ("nobody", "missing")):
        with pytest.raises(CouchRefusal) as refusal:
            source.read(document_id)
        assert (refusal.value.status, refusal.value.payload["reason"]) == (404, reason)


def test_documents_without_an_id_get_one_of_32_hexadecimal_digits() -> None:
    first, second = database().write_all([{"a": 1}, {"a": 1}])
    assert first["id"] < second["id"]
    assert len(first["id"]) == len(second["id"]) == 32
    assert first["rev"] == second["rev"]


def test_one_illegal_id_refuses_the_whole_request() -> None:
    source = database()
    with pytest.raises(CouchRefusal) as refusal:
        source.write_all([{"_id": "good"}, {"_id": "_nope"}])
    assert refusal.value.payload["error"] == "illegal_docid"
    assert source.find("good") is None


def test_a_purged_document_leaves_no_trace() -> None:
    source = filled(3)
    since = source.changes().last_sequence
    source.purge("document-1")
    assert source.changes(since).rows == []
    assert sorted(ids_of(source.changes())) == ["document-0", "document-2"]
    assert source.ids() == ["document-0", "document-2"]
    assert (source.document_count, source.changes().pending) == (2, 0)


def test_a_restored_revision_is_kept_unless_a_later_one_is_there() -> None:
    source = database()
    older, newer = f"2-{'a' * 32}", f"3-{'0' * 32}"
    for revision in (newer, older):
        source.restore(stored("one", revision, b"{}", deleted=False))
    assert source.read("one").revision == newer


def test_ids_are_in_order_and_both_ends_are_included() -> None:
    source = database()
    for name in ("b", "a", "d", "c"):
        source.write({"_id": name})
    source.delete("c", source.read("c").revision)
    assert source.ids() == ["a", "b", "d"]
    assert source.ids("b", "d") == ["b", "d"]


def test_a_subscriber_is_called_on_every_update() -> None:
    source, heard = database(), []

    def listener() -> None:
        heard.append(True)

    source.subscribe(listener)
    source.write({"_id": "one"})
    source.unsubscribe(listener)
    source.write({"_id": "two"})
    assert len(heard) == 1
