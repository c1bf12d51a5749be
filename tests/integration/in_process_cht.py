"""A simulated database within this process, so that a test can purge, restore and cut it off."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import msgspec

from pipeline.cht.client import ChtClient
from testbed.simulated_cht.database import CouchRefusal, Database


class InProcessCht:
    """The feed and the documents of one `Database`, as the client asks for them.

    `roles` are those of the account. `cut_after` cuts the next page of changes off after so many
    bytes, `cut_documents` the next answer with documents in its middle.
    """

    def __init__(self, seed: int = 1, replays: float = 0.0) -> None:
        self.medic = Database("medic", Random(seed), replays=replays)
        self.roles = ["mm-online"]
        self.cut_after: int | None = None
        self.cut_documents = False

    def client(self) -> ChtClient:
        return ChtClient("http://cht.example", "a", "b", transport=httpx.MockTransport(self))

    def put(self, document_id: str, **content: Any) -> None:
        """Writes over whatever stands there."""
        latest = self.medic.find(document_id)
        revision = {"_rev": latest.revision} if latest and not latest.deleted else {}
        self.medic.write({"_id": document_id, **revision, **content})

    def delete(self, document_id: str) -> None:
        found = self.medic.find(document_id)
        if found and not found.deleted:
            self.medic.delete(document_id, found.revision)

    def purge(self, document_id: str) -> None:
        if self.medic.find(document_id):
            self.medic.purge(document_id)

    def backup(self) -> Database:
        """The database's files as they are now."""
        kept = copy.copy(self.medic)
        kept.__dict__ |= copy.deepcopy(
            {name: vars(kept)[name] for name in ("_shards", "_documents")}
        )
        kept.__dict__["_ids"] = None
        return kept

    def restore(self, backup: Database, seed: int | None = None) -> None:
        """From the files, so that sequences go on from then, or with a seed into a new database."""
        kept, self.medic = self.medic, backup
        self.medic = self.backup()
        if seed is not None:
            documents = [backup.find(one) for one in vars(backup)["_documents"]]
            self.medic = Database("medic", Random(seed), replays=kept.replays)
            for document in filter(None, documents):
                self.medic.restore(document)

    def documents(self) -> dict[str, Any]:
        """What lives, by id."""
        return {one: self.medic.content(one) for one in self.medic.ids()}

    def deleted(self) -> set[str]:
        """The ids of which the deletion is known."""
        found = map(self.medic.find, vars(self.medic)["_documents"])
        return {one.id for one in found if one and one.deleted}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        match request.url.path.rsplit("/", 1)[-1]:
            case "_session":
                context = {"name": "a", "roles": self.roles}
                return httpx.Response(200, json={"userCtx": context})
            case "_changes":
                return self._changes(query)
            case _:
                return self._all_docs(query, request.content)

    def _changes(self, query: httpx.QueryParams) -> httpx.Response:
        limit = int(query.get("limit", 1))
        try:
            page = self.medic.changes(query.get("since", "0"), limit=limit, interval=max(limit, 1))
        except CouchRefusal as refusal:
            return httpx.Response(refusal.status, json=refusal.payload)
        body = b"".join(page.chunks(include_docs=query.get("include_docs") == "true"))
        if self.cut_after is None or not limit:
            return httpx.Response(200, content=body)
        kept, self.cut_after = body[: self.cut_after % len(body)], None
        return httpx.Response(200, content=_broken_off(kept))

    def _all_docs(self, query: httpx.QueryParams, body: bytes) -> httpx.Response:
        with_documents = query.get("include_docs") == "true"
        if body:
            ids = json.loads(body)["keys"]
        else:
            start = json.loads(query["startkey"]) if "startkey" in query else None
            ids = self.medic.ids(start)[int(query.get("skip", 0)) :][: int(query["limit"])]
        lines = b",\r\n".join(msgspec.json.encode(self._row(one, with_documents)) for one in ids)
        text = b'{"total_rows":7,"offset":null,"rows":[\r\n%b\r\n]}\n' % lines
        if with_documents and self.cut_documents:
            self.cut_documents = False
            return httpx.Response(200, content=_broken_off(text[: len(text) // 2]))
        return httpx.Response(200, content=text)

    def _row(self, key: str, with_document: bool) -> dict[str, Any]:
        found = self.medic.find(key)
        if found is None:
            return {"key": key, "error": "not_found"}
        row: dict[str, Any] = {"id": key, "key": key, "value": {"rev": found.revision}}
        if found.deleted:
            row["value"]["deleted"] = True
        if with_document:
            row["doc"] = None if found.deleted else msgspec.Raw(found.body)
        return row


def _broken_off(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]
    raise httpx.ReadError("cut off")
