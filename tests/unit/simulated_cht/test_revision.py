"""Revisions look like CouchDB's and follow from the content."""

from typing import Any

import pytest

from testbed.simulated_cht.revision import next_revision, parse


@pytest.mark.parametrize(
    "body",
    [{"list": [1, 2]}, {"list": [1, 300]}, {"n": -1}, {"n": 2**63}, {"n": 1.5}, {"n": None}, {}],
)
def test_every_json_object_has_a_revision(body: dict[str, Any]) -> None:
    revision = next_revision(None, body, deleted=False)
    assert parse(revision)[0] == 1
    assert revision != next_revision(None, body, deleted=True)


def test_the_same_content_after_the_same_revision_has_the_same_revision() -> None:
    parent = next_revision(None, {"n": 1}, deleted=False)
    revision = next_revision(parent, {"n": 2}, deleted=False)
    assert parse(revision)[0] == 2
    assert revision == next_revision(parent, {"n": 2}, deleted=False)
    assert revision != next_revision(parent, {"n": 3}, deleted=False)
    assert revision != next_revision(f"1-{'a' * 32}", {"n": 2}, deleted=False)


@pytest.mark.parametrize("text", ["1", "1-xyz", "x-" + "a" * 32])
def test_an_invalid_revision_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(text)
