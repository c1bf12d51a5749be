"""What of the changes lands, and as what. Pure: bytes in, bytes out."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from pipeline.cht.changes import Part, Row
from pipeline.cht.client import Stored

TEXT_ALTERED = "U+0000 was replaced by U+FFFD"

_BACKSLASH = b"\\"
_NUL = rb"\u0000"
_NUL_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_USER = b"org.couchdb.user:"
_TOKEN_LOGIN = b"token:login:"
_SECRET_MARKS = (b'"derived_key"', b'"password_s')  # of password_scheme and password_sha
SECRETS = frozenset(
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
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Document(msgspec.Struct, frozen=True, gc=False):
    """What lands under an id: `content` is JSON text, of a deleted document its stub."""

    id: bytes
    content: bytes | msgspec.Raw
    is_deleted: bool
    is_altered: bool


@dataclass(frozen=True)
class Batch:
    """The documents of a part, each id once, and how many were kept out as secrets."""

    documents: list[Document]
    withheld: int


def prepare(part: Part) -> Batch:
    """The last one of an id counts; what PostgreSQL cannot hold and what is secret is taken out.

    A row that has neither a document nor a deletion is left out: the document was changed again
    while the page was read, and comes later in the feed. A search for one byte is free beside one
    for six.
    """
    has_nul = _BACKSLASH in part.text and _NUL in part.text
    has_secrets = any(mark in part.text for mark in _SECRET_MARKS)
    latest: dict[bytes, Document] = {}
    withheld = 0
    for row in part.rows:
        document = _document(row, has_nul, has_secrets)
        if document is None:
            continue
        if is_withheld(document.id):
            withheld += 1
            continue
        latest.pop(document.id, None)
        latest[document.id] = document
    return Batch(list(latest.values()), withheld)


def is_withheld(document_id: bytes) -> bool:
    """Documents that are a secret as a whole: whoever has their id can sign in."""
    return document_id.startswith(_TOKEN_LOGIN)


def _document(row: Row, has_nul: bool, has_secrets: bool) -> Document | None:
    json_id = bytes(row.id)
    content: bytes | msgspec.Raw = row.doc
    if row.deleted:
        revision = json.dumps(row.changes[0].rev).encode()
        content = b'{"_id":%b,"_rev":%b,"_deleted":true}' % (json_id, revision)
    elif len(row.doc) == len(b"null"):
        return None
    is_altered = False
    if has_nul and (_NUL in (content := bytes(content)) or _NUL in json_id):
        clean = _without_nul(content)
        is_altered = clean != content
        json_id, content = _without_nul(json_id), clean
    document_id = json_id[1:-1] if _BACKSLASH not in json_id else _decoded(json_id)
    if has_secrets or document_id.startswith(_USER):
        content = _without_secrets(bytes(content))
    return Document(document_id, content, row.deleted, is_altered)


def _without_nul(text: bytes) -> bytes:
    """An escape counts only after an even number of backslashes; `\\\\u0000` is plain text."""
    return _NUL_ESCAPE.sub(rb"\1\\ufffd", text)


def _decoded(json_id: bytes) -> bytes:
    decoded: str = json.loads(json_id.decode(errors="surrogateescape"))
    return decoded.encode(errors="surrogatepass")


def _without_secrets(content: bytes) -> bytes:
    """The values of the other keys stay as they are written, whatever their numbers."""
    try:
        document = _FIELDS.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return _without_secrets_by_sight(content)
    kept = {key: value for key, value in document.items() if key not in SECRETS}
    if b'"token"' in (token_login := bytes(kept.get("token_login", b""))):
        kept["token_login"] = msgspec.Raw(_without_token(token_login))
    return content if kept == document else msgspec.json.encode(kept)


def _without_token(token_login: bytes) -> bytes:
    try:
        fields = _FIELDS.decode(token_login)
    except msgspec.DecodeError:  # no object, so it holds no token
        return token_login
    return msgspec.json.encode({key: value for key, value in fields.items() if key != "token"})


def _without_secrets_by_sight(content: bytes) -> bytes:
    """A document that cannot be taken apart will be set aside: nothing that may be secret."""
    if any(mark in content for mark in (*_SECRET_MARKS, b'"salt"', b'"password"', b'"token"')):
        return b"withheld: it cannot be taken apart and may hold secrets"
    return content


def set_aside_key(document_id: bytes) -> bytes:
    """The id, shortened where it is too long for an index."""
    if len(document_id) <= _LONGEST_KEY:
        return document_id
    return document_id[:_LONGEST_KEY] + sha256(document_id).digest()


def is_contradicted(revision: str, theirs: Stored) -> bool:
    """Whether the CHT does not know a revision that it once gave us: it went back in time.

    Its own is then missing, of an earlier generation, or another of the same.
    """
    if theirs.revision is None:
        return True
    return theirs.revision != revision and generation(theirs.revision) <= generation(revision)


def generation(revision: str) -> int:
    """How often the document was changed: the number before the hyphen."""
    number = revision.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def landed_id(cht_id: bytes) -> str:
    """The id under which a document lands."""
    return cht_id.decode().replace("\0", "\ufffd")


class _Own(msgspec.Struct):
    """What a document says of itself."""

    id: str = msgspec.field(name="_id")
    is_deleted: bool = msgspec.field(name="_deleted", default=False)


def from_set_aside(content: bytes) -> Document | None:
    """The document as it was to land; None where it cannot be taken apart at all."""
    try:
        own = msgspec.json.decode(content, type=_Own)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Document(own.id.encode(), content, own.is_deleted, rb"\ufffd" in content)
