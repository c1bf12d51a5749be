"""What of a page lands: properties that hold for any document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cht.changes import Part, Row, read_parts
from pipeline.sync import rules
from pipeline.sync.rules import Batch, set_aside_key

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
pieces = st.sampled_from(["\x00", "\\", "u", "0", "u0000", '"', "é", "😀", "a"])
texts = st.lists(pieces, max_size=8).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(texts, values, max_size=4)


def row(document_id: str, document: Any, *, deleted: bool = False, rev: str = "1-a") -> Row:
    changed: dict[str, Any] = {"seq": None, "id": document_id, "changes": [{"rev": rev}]}
    changed |= {"deleted": True} if deleted else {"doc": document}
    page = {"results": [changed], "last_seq": "1-x", "pending": 0}
    (part,) = read_parts([json.dumps(page, ensure_ascii=False).encode()])
    return part.rows[0]


def prepare(rows: list[Row]) -> Batch:
    """The rows as one part, whose text holds all of them."""
    text = b"".join(bytes(one.id) + bytes(one.doc) for one in rows)
    return rules.prepare(Part(rows, text))


def without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case list():
            return [without_nul(one) for one in value]
        case dict():
            return {without_nul(key): without_nul(one) for key, one in value.items()}
    return value


@given(documents)
def test_nul_is_replaced_in_every_text_and_key_and_nothing_else_changes(document: Any) -> None:
    original = row("a", document)
    (prepared,) = prepare([original]).documents
    assert json.loads(bytes(prepared.content)) == without_nul(document)
    assert prepared.is_altered == ("\x00" in repr_of_texts(document))
    if not prepared.is_altered:
        assert bytes(prepared.content) == bytes(original.doc)


def repr_of_texts(value: Any) -> str:
    """All texts and keys of a document, one after the other."""
    match value:
        case str():
            return value
        case list():
            return "".join(map(repr_of_texts, value))
        case dict():
            return "".join(map(repr_of_texts, [*value.keys(), *value.values()]))
    return ""


@given(st.lists(st.tuples(ids, st.integers(), st.booleans()), max_size=20))
def test_of_an_id_named_twice_the_last_counts_and_the_order_of_the_feed_is_kept(
    changes: list[tuple[str, int, bool]],
) -> None:
    rows = [row(key, {"_id": key, "n": number}, deleted=gone) for key, number, gone in changes]
    expected: dict[str, tuple[int, bool]] = {}
    for key, number, gone in changes:
        landed = key.replace("\x00", "\ufffd")
        expected.pop(landed, None)
        expected[landed] = (number, gone)
    prepared = prepare(rows).documents
    assert [one.id.decode() for one in prepared] == list(expected)
    assert [one.is_deleted for one in prepared] == [gone for _, gone in expected.values()]
    assert [json.loads(bytes(one.content)).get("n") for one in prepared] == [
        None if gone else number for number, gone in expected.values()
    ]


def test_a_deletion_becomes_its_stub_whatever_came_with_it() -> None:
    gone = row("a\x00é", {}, deleted=True, rev="3-c")
    (prepared,) = prepare([gone]).documents
    stub = {"_id": "a\ufffdé", "_rev": "3-c", "_deleted": True}
    assert (prepared.id.decode(), json.loads(bytes(prepared.content))) == ("a\ufffdé", stub)
    assert prepared.is_altered


def test_a_row_without_a_document_waits_for_its_next_change() -> None:
    assert prepare([row("a", None)]).documents == []


def test_password_hashes_and_tokens_are_taken_out_of_a_users_document() -> None:
    kept = {"_id": "org.couchdb.user:a", "name": "a", "type": "user", "roles": ["chw"]}
    hashes = {"password_scheme": "pbkdf2", "pbkdf2_prf": "sha256", "iterations": 10}
    secret = {**hashes, "salt": "5a17", "derived_key": "4a54", "password": "word"}
    login = {"active": True, "token": "70ke"}
    document = {**kept, **secret, "token_login": login}
    (prepared,) = prepare([row(kept["_id"], document)]).documents  # type: ignore[arg-type]
    assert json.loads(bytes(prepared.content)) == {**kept, "token_login": {"active": True}}


def test_password_hashes_are_taken_out_of_a_copy_under_another_id_too() -> None:
    (prepared,) = prepare([row("copy", {"derived_key": "4a54", "salt": "5a17"})]).documents
    assert prepared.content == b"{}"


def test_user_settings_pass_through_untouched() -> None:
    settings = row("org.couchdb.user:a", {"type": "user-settings", "roles": ["chw"], "n": 1.50})
    (prepared,) = prepare([settings]).documents
    assert bytes(prepared.content) == bytes(settings.doc)


def test_a_login_token_whose_id_is_the_secret_does_not_land() -> None:
    batch = prepare([row("token:login:70ke", {}), row("token:login:b", {}, deleted=True)])
    assert (batch.documents, batch.withheld) == ([], 2)


@pytest.mark.parametrize(("text", "is_altered"), [("nul \0", True), ("plain", False)])
def test_a_document_that_was_set_aside_is_still_known_to_be_altered(
    text: str, is_altered: bool
) -> None:
    (prepared,) = prepare([row("a", {"_id": "a", "t": text})]).documents
    again = rules.from_set_aside(bytes(prepared.content))
    assert again is not None
    assert (again.id, again.is_altered) == (b"a", is_altered)


def test_ids_too_long_for_an_index_keep_different_keys() -> None:
    long = b"a" * 5000
    assert set_aside_key(b"short") == b"short"
    assert len(set_aside_key(long)) < 2704
    assert set_aside_key(long) != set_aside_key(long + b"b")


def test_numbers_beyond_a_double_stay_as_they_are_written_next_to_a_secret() -> None:
    page = b'{"results":[{"id":"a","changes":[{"rev":"1-a"}],"doc":{"salt":"5a17","n":1e400,'
    (part,) = read_parts([page + b'"derived_key":"4a54"}}],"last_seq":"1-x","pending":0}'])
    (prepared,) = rules.prepare(part).documents
    assert prepared.content == b'{"n":1e400}'


def test_what_cannot_be_taken_apart_and_may_hold_a_secret_is_withheld_whole() -> None:
    whole = rb'{"_id":"org.couchdb.user:a","name":"\ud800","derived_key":"4a54","salt":"5a17"}'
    user = Row(b'"org.couchdb.user:a"', (), doc=whole)  # type: ignore[arg-type]
    (prepared,) = rules.prepare(Part([user], whole)).documents
    assert b"4a54" not in bytes(prepared.content)
    assert b"5a17" not in bytes(prepared.content)
