"""What of a page of changes lands, and as what. Pure: bytes in, bytes out."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from pipeline.cht.changes import Row

TEXT_ALTERED = "U+0000 was replaced by U+FFFD"

_NUL = rb"\u0000"
_NUL_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_USER = b"org.couchdb.user:"
_TOKEN_LOGIN = b"token:login:"
_SECRET_MARKS = (b'"derived_key"', b'"password_scheme"', b'"password_sha"')
_SECRETS = frozenset(
    {
        "password",
        "password_scheme",
        "password_sha",
        "derived_key",
        "salt",
        "iterations",
        "pbkdf2_prf",
        "simple",
    }
)
_LONGEST_KEY = 2000


class Document(NamedTuple):
    """What lands under an id: `content` is JSON text, of a deleted document its stub."""

    id: bytes
    content: bytes
    is_deleted: bool
    is_altered: bool


@dataclass(frozen=True)
class Batch:
    """The documents of a page, each id once, and how many were kept out as secrets."""

    documents: list[Document]
    withheld: int


def prepare(rows: Iterable[Row]) -> Batch:
    """The last one of an id counts; what PostgreSQL cannot hold and what is secret is taken out.

    A row that has neither a document nor a deletion is left out: the document was changed again
    while the page was read, and comes later in the feed.
    """
    latest: dict[bytes, Document] = {}
    withheld = 0
    for row in rows:
        document = _document(row)
        if document is None:
            continue
        if document.id.startswith(_TOKEN_LOGIN):
            withheld += 1
            continue
        latest.pop(document.id, None)
        latest[document.id] = document
    return Batch(list(latest.values()), withheld)


def _document(row: Row) -> Document | None:
    json_id, content = bytes(row.id), bytes(row.doc)
    if row.deleted:
        revision = json.dumps(row.changes[0].rev).encode()
        content = b'{"_id":%b,"_rev":%b,"_deleted":true}' % (json_id, revision)
    elif content == b"null":
        return None
    is_altered = False
    if _NUL in content or _NUL in json_id:
        clean = _without_nul(content)
        is_altered = clean != content
        json_id, content = _without_nul(json_id), clean
    document_id = _decoded(json_id)
    if document_id.startswith(_USER) or any(mark in content for mark in _SECRET_MARKS):
        content = _without_secrets(content)
    return Document(document_id, content, row.deleted, is_altered)


def _without_nul(text: bytes) -> bytes:
    """An escape counts only after an even number of backslashes; `\\\\u0000` is plain text."""
    return _NUL_ESCAPE.sub(rb"\1\\ufffd", text)


def _decoded(json_id: bytes) -> bytes:
    if b"\\" not in json_id:
        return json_id[1:-1]
    decoded: str = json.loads(json_id.decode(errors="surrogateescape"))
    return decoded.encode(errors="surrogatepass")


def _without_secrets(content: bytes) -> bytes:
    document = json.loads(content.decode(errors="replace"))
    kept = {key: value for key, value in document.items() if key not in _SECRETS}
    token_login = kept.get("token_login")
    if isinstance(token_login, dict) and "token" in token_login:
        kept["token_login"] = {key: token_login[key] for key in token_login if key != "token"}
    return content if kept == document else json.dumps(kept).encode()


def set_aside_key(document_id: bytes) -> bytes:
    """The id, shortened where it is too long for an index."""
    if len(document_id) <= _LONGEST_KEY:
        return document_id
    return document_id[:_LONGEST_KEY] + sha256(document_id).digest()
