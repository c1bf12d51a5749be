"""Checks of every request, and security headers of every response.

Against forged requests: the cookie is SameSite=Lax, JSON must come as exactly `application/json`
(which no form can send, and no script of another site without a preflight), and a form must name
this host in `Origin` or `Referer`, as every browser does, and behind TLS its `https` address.
"""

import logging
import traceback
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service import problem_details
from pipeline.translatable import gettext_noop

_LOG = logging.getLogger(__name__)
LONGEST_BODY = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
SAFE = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_CACHED = "public, max-age=31536000, immutable"
_NOT_CACHED = "no-store"
_ELSEWHERE = gettext_noop("This request was not sent from a page of this service.")


class RequestChecks:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        responding: ASGIApp = _refusal(scope) or self._app
        try:
            await responding(scope, receive, send_with_headers)
        except Exception as error:
            await _internal_error(scope["path"], error)(scope, receive, send_with_headers)


def _internal_error(path: str, error: Exception) -> ASGIApp:
    """Logs the traceback without the message, which may hold a patient's name."""
    where = "".join(traceback.format_tb(error.__traceback__))
    kind = type(getattr(error, "orig", error)).__name__
    _LOG.error("A request failed with %s\n%s", kind, where)
    return problem_details.refusal(path, 500, "Internal error.")


def _add_headers(headers: MutableHeaders, path: str) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    headers["Cache-Control"] = _CACHED if path.startswith("/static/") else _NOT_CACHED


def _refusal(scope: Scope) -> ASGIApp | None:
    """The response to a request that fails a check."""
    if scope["method"] in SAFE:
        return None
    headers, path = Headers(scope=scope), scope["path"]
    length = headers.get("content-length", "")
    if not length.isascii() or not length.isdecimal():
        return problem_details.refusal(path, 411, "Content-Length is required.")
    if len(length) > len(str(LONGEST_BODY)) or int(length) > LONGEST_BODY:
        return problem_details.refusal(path, 413, f"At most {LONGEST_BODY} bytes are allowed.")
    wanted = "application/json" if problem_details.is_api(path) else _FORM
    if headers.get("content-type", "").lower() != wanted:
        return problem_details.refusal(path, 415, f"Content-Type must be exactly {wanted}.")
    if not _is_from_here(headers, scope["scheme"], is_form=wanted == _FORM):
        return problem_details.refusal(path, 403, _ELSEWHERE)
    return None


def _is_from_here(headers: Headers, scheme: str, *, is_form: bool) -> bool:
    """JSON without an Origin comes from no browser; a proxy forwards the host."""
    source = headers.get("origin") or (headers.get("referer") if is_form else None)
    if source is None:
        return not is_form
    hosts = {headers.get("host"), headers.get("x-forwarded-host")} - {None, ""}
    try:
        page = urlsplit(source)
    except ValueError:
        return False
    return page.netloc in hosts and (page.scheme == "https" or scheme == "http")
