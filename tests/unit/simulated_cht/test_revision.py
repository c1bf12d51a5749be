"""Revisions are those that CouchDB gave to the same documents."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from testbed.simulated_cht.revision import next_revision, parse

FEED = Path(__file__).parents[2] / "data" / "cht-wire" / "changes.jsonl.gz"


def recorded_first_revisions() -> list[dict[str, Any]]:
    with gzip.open(FEED, "rt") as lines:
        documents = [json.loads(line).get("doc", {}) for line in lines]
    return [
        document
        for document in documents
        if document.get("_rev", "").startswith("1-") and "cut" not in document
    ]


def test_every_recorded_first_revision_is_computed_alike() -> None:
    documents = recorded_first_revisions()
    assert len(documents) > 800
    for document in documents:
        body = {key: value for key, value in document.items() if key not in ("_id", "_rev")}
        assert next_revision(None, body, deleted=False) == document["_rev"]


def test_the_recorded_tombstone_is_computed_alike() -> None:
    parent = "1-930bd81c15dd36edda2b0f0b7d377bdc"
    expected = "2-9d96e27596fbdaeae53efcbdacefc5a1"
    assert next_revision(parent, {}, deleted=True) == expected


@pytest.mark.parametrize(
    "body",
    [{"list": [1, 2]}, {"list": [1, 300]}, {"n": -1}, {"n": 2**70}, {"n": 1.5}, {"n": None}, {}],
)
def test_all_of_json_has_a_revision(body: dict[str, Any]) -> None:
    revision = next_revision(None, body, deleted=False)
    assert parse(revision)[0] == 1
    assert revision != next_revision(None, body, deleted=True)


@pytest.mark.parametrize("text", ["1", "1-xyz", "x-" + "a" * 32])
def test_what_is_no_revision_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(text)
