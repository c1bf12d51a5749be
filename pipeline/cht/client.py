"""What the pipeline asks of a CHT: the changes feed, documents, and writing reports."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from pipeline.cht.changes import End, Part, read_parts
from pipeline.cht.docs_by_id import Found, Value, read_found
from pipeline.cht.http import HttpClient, as_json, error_reason
from pipeline.errors import Refused, SettingsWrong, Unavailable


class Session(msgspec.Struct):
    """Who the caller is to the CHT; an anonymous session has no name."""

    name: str | None
    roles: tuple[str, ...] = ()


class WriteResult(msgspec.Struct):
    """The result for one document of `_bulk_docs`."""

    id: str = ""
    ok: bool = False
    error: str = ""
    reason: str = ""


class DocumentState(StrEnum):
    PRESENT = "present"
    DELETED = "deleted"
    MISSING = "missing"


@dataclass(frozen=True)
class Stored:
    """What the CHT holds under an id; `content` only where the document itself was asked for."""

    state: DocumentState
    revision: str | None = None
    content: Mapping[str, Any] | None = None


class _Context(msgspec.Struct):
    userCtx: Session  # noqa: N815 - the CHT's spelling


class _Key(msgspec.Struct):
    key: str
    value: Value | None = None


class _Keys(msgspec.Struct):
    rows: list[_Key]


class _KeyWithDocument(_Key):
    doc: msgspec.Raw = msgspec.Raw(b"null")


class _Documents(msgspec.Struct):
    rows: list[_KeyWithDocument]


class _CreatedReport(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Ids(msgspec.Struct):
    data: list[str]


class ChtClient:
    """One CHT, with a service account or, for signing users in, without one."""

    def __init__(
        self,
        url: str,
        user: str | None = None,
        password: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        connect_seconds: float = 10,
        read_seconds: float = 60,
        authorities: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        account = (user, password or "") if user is not None else None
        self.http = HttpClient(
            url, account, headers or {}, connect_seconds, read_seconds, authorities, transport
        )
        self.user = user

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def session(self, headers: Mapping[str, str] | None = None) -> Session:
        answer = self.http.request("GET", "/_session", headers=headers or {})
        return self.http.read(answer, _Context).userCtx

    @contextmanager
    def changes(self, database: str, since: str | None, limit: int) -> Iterator[Iterator[Part]]:
        """The page after `since`, with documents, streamed; None is the beginning."""
        query = {"include_docs": "true", "limit": str(limit), "seq_interval": str(limit)}
        with self._streamed_changes(database, query | _since(since)) as parts:
            yield parts

    def pending(self, database: str, since: str | None) -> int | None:
        """How many changes are left after `since`; after `now` there are none."""
        return self._read_changes(database, {"limit": "0"} | _since(since)).pending

    def last_sequence(self, database: str) -> str:
        """The feed's end as it is now."""
        return self._read_changes(database, {"limit": "0", "since": "now"}).sequence

    def wait_for_change(self, database: str, since: str | None, seconds: float) -> None:
        """Returns as soon as there is a change after `since`, or after `seconds` without one."""
        query = {"feed": "longpoll", "limit": "1", "timeout": str(int(seconds * 1000))}
        self._read_changes(database, query | _since(since), seconds)

    def bulk_docs(
        self, database: str, documents: Sequence[Mapping[str, Any] | msgspec.Raw]
    ) -> list[WriteResult]:
        """The result for each document, in their order."""
        body = msgspec.json.encode({"docs": documents})
        answer = self.http.request("POST", f"/{_quoted(database)}/_bulk_docs", body=body)
        results = self.http.read(answer, list[WriteResult])
        if len(results) != len(documents):
            raise Unavailable(f"{self.http.label} did not answer for every document.")
        return results

    def create_report(self, report: Mapping[str, Any]) -> str:
        """Creates a report by the CHT's API (5.2 or newer); returns the id that the CHT chose."""
        answer = self.http.send("POST", "/api/v1/report", body=msgspec.json.encode(report))
        said = error_reason(answer)
        if answer.status_code == 404:
            raise SettingsWrong(
                f"{self.http.label} has no /api/v1/report, which CHT 5.2 brought: leave "
                "WORKLIST_WRITE_WITH out."
            )
        if answer.status_code == 400 and said.startswith("Invalid form value"):
            raise Refused(
                f"{self.http.label} does not have the form {report.get('form')}: upload it as "
                "deploy/cht/README.md says."
            )
        return self.http.read(self.http.checked(answer), _CreatedReport).id

    def report_ids(self, freetext: str) -> list[str]:
        """The ids of the reports that match `key:value` or a word; needs `can_view_reports`."""
        answer = self.http.request("GET", "/api/v1/report/uuid", query={"freetext": freetext})
        return self.http.read(answer, _Ids).data

    def stored(self, database: str, ids: Sequence[str]) -> dict[str, Stored]:
        """The document under each id, with its content, in one request."""
        answer = self.http.request(
            "POST",
            f"/{_quoted(database)}/_all_docs",
            query={"include_docs": "true"},
            body=as_json({"keys": list(ids)}),
        )
        rows = {row.key: row for row in self.http.read(answer, _Documents).rows}
        return {document_id: _stored_document(rows.get(document_id)) for document_id in ids}

    def document(self, database: str, document_id: str) -> Stored:
        answer = self.http.send("GET", f"/{_quoted(database)}/{_quoted(document_id)}")
        if answer.status_code == 404:
            return Stored(self._absence(database, error_reason(answer)))
        content = self.http.read(self.http.checked(answer), dict[str, Any])
        return Stored(DocumentState.PRESENT, content.get("_rev"), content)

    def _absence(self, database: str, said: str) -> DocumentState:
        if "database" in said.lower():
            raise SettingsWrong(f"{self.http.label} has no database {database}.")
        return DocumentState.DELETED if said.endswith("deleted") else DocumentState.MISSING

    def revisions(self, database: str, ids: Sequence[str]) -> dict[str, Stored]:
        """The state and revision under each id, without the documents."""
        path = f"/{_quoted(database)}/_all_docs"
        answer = self.http.request("POST", path, body=as_json({"keys": list(ids)}))
        rows = {row.key: row.value for row in self.http.read(answer, _Keys).rows}
        return {document_id: _stored(rows.get(document_id)) for document_id in ids}

    def listing(self, database: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """Ids and revisions of the living documents after an id, in the CHT's own order."""
        query = {"limit": str(limit)}
        if after is not None:
            query |= {"startkey": as_json(after).decode(), "skip": "1"}
        answer = self.http.request("GET", f"/{_quoted(database)}/_all_docs", query=query)
        rows = self.http.read(answer, _Keys).rows
        return [(row.key, row.value.rev) for row in rows if row.value]

    @contextmanager
    def documents(self, database: str, ids: Sequence[str]) -> Iterator[Iterator[Found]]:
        """The documents under the ids in the shape of the changes feed, streamed."""
        path, query = f"/{_quoted(database)}/_all_docs", {"include_docs": "true"}
        body = as_json({"keys": list(ids)})
        with self.http.streamed("POST", path, query=query, body=body) as pieces:
            try:
                yield read_found(pieces)
            except msgspec.DecodeError as error:
                raise self.http.unreadable() from error

    def _read_changes(self, database: str, query: dict[str, str], longer_seconds: float = 0) -> End:
        """The page's end."""
        end = End(0)
        with self._streamed_changes(database, query, longer_seconds) as parts:
            for part in parts:
                end = part.end or end
        return end

    @contextmanager
    def _streamed_changes(
        self, database: str, query: dict[str, str], longer_seconds: float = 0
    ) -> Iterator[Iterator[Part]]:
        path = f"/{_quoted(database)}/_changes"
        with self.http.streamed("GET", path, query=query, longer_seconds=longer_seconds) as pieces:
            try:
                yield read_parts(pieces)
            except msgspec.DecodeError as error:
                raise self.http.unreadable() from error


def _since(sequence: str | None) -> dict[str, str]:
    return {} if sequence is None else {"since": sequence}


def _stored(value: Value | None) -> Stored:
    if value is None:
        return Stored(DocumentState.MISSING)
    return Stored(DocumentState.DELETED if value.deleted else DocumentState.PRESENT, value.rev)


def _stored_document(row: _KeyWithDocument | None) -> Stored:
    stored = _stored(row.value if row else None)
    if row is None or stored.state != DocumentState.PRESENT:
        return stored
    content = msgspec.json.decode(row.doc)
    return replace(stored, content=content if isinstance(content, dict) else None)


def _quoted(name: str) -> str:
    return quote(name, safe="")
