"""A feed file is loaded whole, or its fault is named."""

import gzip
from pathlib import Path
from random import Random

import pytest

from pipeline.errors import SettingsWrong
from testbed.simulated_cht import recorded_feed
from testbed.simulated_cht.database import Database

RECORDED = Path(__file__).parents[2] / "data" / "cht-wire" / "changes.jsonl.gz"
REVISION = "1-" + "a" * 32
ROW = f'{{"id":"one","changes":[{{"rev":"{REVISION}"}}],"doc":{{"_id":"one","n": 1}}}}\n'
END = '{"last_seq":"1-x","pending":0}\n'


def test_the_recorded_feed_keeps_its_revisions_and_its_tombstones() -> None:
    database = Database("medic", Random(0))
    recorded_feed.load(RECORDED, database)
    settings = database.read("settings")
    assert settings.revision == "2-33638861c229ebd7fca89e78c8956286"
    assert (database.document_count, database.deleted_count) == (986, 9)
    tombstone = database.find("16fdb1e7bc66d417f6812e78d70011f1")
    assert tombstone is not None
    assert tombstone.deleted
    assert b'"_deleted":true' in tombstone.body


def test_a_plain_file_is_read_as_a_compressed_one_is(tmp_path: Path) -> None:
    plain, packed = tmp_path / "feed.jsonl", tmp_path / "feed.jsonl.gz"
    plain.write_text(ROW + END)
    packed.write_bytes(gzip.compress((ROW + END).encode()))
    assert list(recorded_feed.read(plain)) == list(recorded_feed.read(packed))


def test_documents_are_kept_without_spaces_between(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_text(ROW + END)
    [document] = recorded_feed.read(path)
    assert document.body == b'{"_id":"one","n":1}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "ends too early"),
        (ROW, "ends too early"),
        ("{}\n" + END, "line 1"),
        (ROW + "not json\n", "line 2"),
        (ROW.replace(REVISION, "x" + REVISION) + END, "line 1"),
        ("[1]\n", "line 1"),
    ],
)
def test_a_faulty_file_is_refused_with_the_place_of_the_fault(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_text(text)
    with pytest.raises(SettingsWrong, match=fault):
        list(recorded_feed.read(path))


@pytest.mark.parametrize(
    "content", [b"no gzip at all", gzip.compress(b"x" * 500)[:20]], ids=["other", "cut off"]
)
def test_a_file_that_cannot_be_unpacked_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "feed.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(SettingsWrong):
        list(recorded_feed.read(path))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsWrong,
        match=r"nothing-here\.jsonl cannot be read \(No such file or directory\): give",
    ):
        list(recorded_feed.read(tmp_path / "nothing-here.jsonl"))
