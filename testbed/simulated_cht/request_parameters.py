"""The JSON body and the query parameters of a request."""

from typing import Any

import msgspec
from starlette.requests import Request

from testbed.simulated_cht.database import CouchRefusal
from testbed.simulated_cht.responses import ApiRefusal

LONGEST_WAIT = 60.0  # seconds, as CouchDB's changes_timeout


async def json_body(request: Request) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError as error:
        if request.app.state.is_api:
            raise ApiRefusal(500, "Server error") from error
        raise CouchRefusal(400, "bad_request", "invalid UTF-8 JSON") from error
    if not isinstance(body, dict):
        raise CouchRefusal(400, "bad_request", "Request body must be a JSON object")
    return body


def number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        reason = f"Invalid value for {name}"
        raise CouchRefusal(400, "query_parse_error", reason)
    return int(text)


def seconds(request: Request, name: str) -> float:
    """A parameter in milliseconds, as seconds; `true` is the maximum, absent is 0."""
    if request.query_params.get(name) == "true":
        return LONGEST_WAIT
    return min(number(request, name, 0) / 1000, LONGEST_WAIT)


def key(request: Request, end: str) -> str | None:
    """`startkey` or `endkey`, in either spelling; `key` is both."""
    query = request.query_params
    text = query.get("key") or query.get(f"{end}key") or query.get(f"{end}_key")
    if text is None:
        return None
    try:
        return str(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise CouchRefusal(400, "bad_request", "invalid UTF-8 JSON") from error
