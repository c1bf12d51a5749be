"""CouchDB's endpoints: databases and documents.

The CHT's API passes them on, with four differences for `medic`: writing needs the permission
`can_edit`, offline users see next to nothing, a request body that is not JSON is a server error,
and `/medic` redirects to `/medic/`.
"""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from testbed.simulated_cht.access import is_api_for, readable, writable
from testbed.simulated_cht.authentication import authenticated, simulation
from testbed.simulated_cht.changes import NO_LIMIT
from testbed.simulated_cht.database import CouchRefusal, Database
from testbed.simulated_cht.request_parameters import json_body, key, number
from testbed.simulated_cht.responses import from_couchdb, relayed
from testbed.simulated_cht.shard import stored
from testbed.simulated_cht.simulation import MEDIC, USERS

WELCOME = {
    "couchdb": "Welcome",
    "version": "3.5.0",
    "git_sha": "11f0d36",
    "uuid": "6c61620000000000000000000000c0de",
    "features": ["nouveau", "access-ready", "partitioned", "reshard", "scheduler"],
    "vendor": {"name": "The Apache Software Foundation"},
}


async def root(request: Request) -> Response:
    authenticated(request)
    return from_couchdb(WELCOME)


async def database(request: Request) -> Response:
    """Describes, creates or removes a database."""
    if is_api_for(MEDIC, request) and not request.url.path.endswith("/"):
        authenticated(request)
        return RedirectResponse(f"/{MEDIC}/", 302)
    account = authenticated(request)
    state, name = simulation(request), request.path_params["database"]
    if request.method == "GET":
        return from_couchdb(_information(readable(request, account)))
    if not account.is_administrator:
        raise CouchRefusal(401, "unauthorized", "You are not a server admin.")
    if request.method == "PUT":
        state.create_database(name)
        return from_couchdb({"ok": True}, 201)
    state.drop_database(name)
    return from_couchdb({"ok": True})


async def all_docs(request: Request) -> Response:
    source = readable(request, authenticated(request))
    include_docs = request.query_params.get("include_docs") == "true"
    if request.method == "POST":
        body = await json_body(request)
        if "keys" in body:
            rows = [_row_for_key(source, key, include_docs) for key in body["keys"]]
            return _rows(source, None, rows)
    start, end = key(request, "start"), key(request, "end")
    skip = number(request, "skip", 0)
    ids = source.ids(start, end)[skip : skip + number(request, "limit", NO_LIMIT)]
    offset = len(source.ids(None, ids[0])) - 1 if ids else source.document_count
    return _rows(source, offset, [_row_for_key(source, id_, include_docs) for id_ in ids])


async def bulk_docs(request: Request) -> Response:
    account = authenticated(request)
    target = writable(request, account)
    body = await json_body(request)
    documents = body.get("docs")
    if not isinstance(documents, list):
        raise CouchRefusal(400, "bad_request", "POST body must include `docs` parameter.")
    if body.get("new_edits") is False:
        for document in documents:
            _restore(target, document)
        return relayed(request, [], 201)
    prepared = [_prepared(request, document) for document in documents]
    return relayed(request, target.write_all(prepared), 201)


async def document(request: Request) -> Response:
    account, document_id = authenticated(request), request.path_params["document"]
    if request.method == "GET":
        source = readable(request, account, offline=document_id.endswith(f":{account.name}"))
        found = source.read(document_id)
        return from_couchdb(found.body, headers={"ETag": f'"{found.revision}"'})
    target = writable(request, account)
    given = request.query_params.get("rev") or request.headers.get("if-match", "").strip('"')
    if request.method == "DELETE":
        revision = target.delete(document_id, given or None)
        status = 200
    else:
        body = await json_body(request)
        content = {**body, "_id": document_id, **({"_rev": given} if given else {})}
        _, revision = target.write(_prepared(request, content))
        status = 201
    headers = {"ETag": f'"{revision}"'}
    if status == 201:
        headers["Location"] = f"{request.base_url}{target.name}/{document_id}"
    return relayed(request, {"ok": True, "id": document_id, "rev": revision}, status, headers)


def _prepared(request: Request, content: dict[str, Any]) -> dict[str, Any]:
    if request.path_params["database"] == USERS and isinstance(content, dict):
        return simulation(request).accounts.hidden_password(content)
    return content


def _restore(target: Database, content: dict[str, Any]) -> None:
    deleted = content.get("_deleted") is True
    body = msgspec.json.encode(content)
    target.restore(stored(content["_id"], content["_rev"], body, deleted=deleted))


def _row_for_key(source: Database, key: str, include_docs: bool) -> dict[str, Any]:
    found = source.find(key)
    if found is None:
        return {"key": key, "error": "not_found"}
    value = {"rev": found.revision, **({"deleted": True} if found.deleted else {})}
    row: dict[str, Any] = {"id": key, "key": key, "value": value}
    if include_docs:
        row["doc"] = None if found.deleted else msgspec.Raw(found.body)
    return row


def _rows(source: Database, offset: int | None, rows: list[dict[str, Any]]) -> Response:
    head = msgspec.json.encode({"total_rows": source.document_count, "offset": offset})
    lines = b",\r\n".join(msgspec.json.encode(row) for row in rows)
    return from_couchdb(b'%b,"rows":[\r\n%b\r\n]}' % (head[:-1], lines))


def _information(source: Database) -> dict[str, Any]:
    return {
        "instance_start_time": "0",
        "db_name": source.name,
        "purge_seq": "0",
        "update_seq": source.last_sequence(),
        "sizes": {"file": 0, "external": 0, "active": 0},
        "props": {},
        "doc_del_count": source.deleted_count,
        "doc_count": source.document_count,
        "disk_format_version": 8,
        "compact_running": False,
        "cluster": {"q": 12, "n": 1, "w": 1, "r": 1},
    }
