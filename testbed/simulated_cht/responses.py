"""Responses in the two formats of a CHT: its own API's, and that of CouchDB behind it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

API_JSON = "application/json; charset=utf-8"
COUCH_JSON = "application/json"


class ApiRefusal(Exception):
    """The API's `{code, error}`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.payload = {"code": status, "error": error}


def unauthorized() -> ApiRefusal:
    return ApiRefusal(401, "unauthorized")


def insufficient_privileges() -> ApiRefusal:
    return ApiRefusal(403, "Insufficient privileges")


def from_api(payload: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_json(payload), status, {"Content-Type": API_JSON, **(headers or {})})


def from_couchdb(
    payload: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = _json(payload) + b"\n"
    return Response(body, status, {"Content-Type": COUCH_JSON, **(headers or {})})


def relayed(
    request: Request, payload: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response of CouchDB as the client sees it: the API rewrites the responses to writes."""
    is_written = request.method in ("PUT", "DELETE") or request.url.path.endswith("/_bulk_docs")
    write = from_api if request.app.state.is_api and is_written else from_couchdb
    return write(payload, status, headers)


def wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def to_the_login_page(request: Request) -> Response:
    """The API's response to anonymous callers that look like browsers."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/medic/login?redirect={quote(asked, safe='')}"
    headers = {"Location": target, "Set-Cookie": "login=force; Path=/; SameSite=Lax"}
    return PlainTextResponse(f"Found. Redirecting to {target}", 302, headers)


def _json(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
