"""Loading a recorded changes feed: one row a line, `{last_seq, pending}` in the last."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.errors import SettingsWrong
from testbed.simulated_cht.database import Database
from testbed.simulated_cht.revision import parse
from testbed.simulated_cht.shard import StoredDocument, stored


class _Change(msgspec.Struct):
    rev: str


class _Line(msgspec.Struct):
    """A row, or the last line."""

    id: str | None = None
    changes: list[_Change] = []
    deleted: bool = False
    doc: msgspec.Raw = msgspec.Raw()
    last_seq: str | None = None


def load(path: Path, database: Database) -> None:
    """Fills `database` with the feed's documents and their revisions."""
    for document in read(path):
        database.restore(document)


def read(path: Path) -> Iterator[StoredDocument]:
    """The feed's documents in its order; SettingsWrong says what is wrong with the file."""
    decoder = msgspec.json.Decoder(_Line)
    line, number = None, 0
    try:
        for text in _lines(path):
            number += 1
            line = decoder.decode(text)
            if line.last_seq is None:
                yield _document(line)
    except ValueError as error:
        raise SettingsWrong(f"{path}, line {number}: not a row of a changes feed.") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsWrong(f"{path} cannot be read ({reason}): give another file.") from error
    if line is None or line.last_seq is None:
        raise SettingsWrong(f"{path} ends too early: the line with last_seq is missing.")


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def _document(line: _Line) -> StoredDocument:
    if line.id is None or not line.changes:
        raise ValueError("no id or no revision")
    revision = line.changes[0].rev
    parse(revision)
    if line.deleted:
        stub = {"_id": line.id, "_rev": revision, "_deleted": True}
        return stored(line.id, revision, msgspec.json.encode(stub), deleted=True)
    body = msgspec.json.format(bytes(line.doc), indent=-1)
    return stored(line.id, revision, body, deleted=False)
