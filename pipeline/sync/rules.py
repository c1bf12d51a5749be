"""Which changes land, and in which form. Pure: bytes in, bytes out."""

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
    """What lands under an id: `content` is JSON text, for a deleted document its stub."""

    id: bytes
    content: bytes | msgspec.Raw
    is_deleted: bool
    is_altered: bool


@dataclass(frozen=True)
class Batch:
    """The documents of a part, each id once, and how many were withheld as secrets."""

    documents: list[Document]
    withheld: int


def prepare(part: Part) -> Batch:
    """The last row of an id counts; U+0000 is replaced and secrets are removed.

    A row with neither a document nor a deletion is left out: the document was changed again while
    the page was read, and comes later in the feed. Most pages have no backslash, and searching for
    one byte is much faster than for six.
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
    """Whether the whole document is a secret: whoever has its id can sign in."""
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
    """Other values keep their exact bytes, so that no number changes its form."""
    try:
        document = _FIELDS.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return _withheld_if_secret(content)
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


def _withheld_if_secret(content: bytes) -> bytes:
    """For a document that cannot be parsed and will be set aside."""
    if any(mark in content for mark in (*_SECRET_MARKS, b'"salt"', b'"password"', b'"token"')):
        return b"withheld: it cannot be parsed and may hold secrets"
    return content


def set_aside_key(document_id: bytes) -> bytes:
    """The id, shortened where it is too long for an index."""
    if len(document_id) <= _LONGEST_KEY:
        return document_id
    return document_id[:_LONGEST_KEY] + sha256(document_id).digest()


def has_gone_back(landed_revision: str, stored: Stored) -> bool:
    """Whether the CHT no longer knows a landed revision, as after a restore from a backup.

    Its own is then missing, of an earlier generation, or another one of the same generation.
    """
    if stored.revision is None:
        return True
    is_later = generation(stored.revision) > generation(landed_revision)
    return stored.revision != landed_revision and not is_later


def generation(revision: str) -> int:
    """The number before the hyphen: how often the document was changed."""
    number = revision.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def landed_id(cht_id: bytes) -> str:
    """The id under which a document lands."""
    return cht_id.decode().replace("\0", "\ufffd")


class _IdAndDeletion(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    is_deleted: bool = msgspec.field(name="_deleted", default=False)


def from_set_aside(content: bytes) -> Document | None:
    """The document as it should have landed; None where it cannot be parsed."""
    try:
        own = msgspec.json.decode(content, type=_IdAndDeletion)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Document(own.id.encode(), content, own.is_deleted, rb"\ufffd" in content)
