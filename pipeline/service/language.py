"""The language of a request: as chosen on a page, else as the browser asks."""

from contextvars import ContextVar

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.service import i18n
from pipeline.service.i18n import Texts

COOKIE = "worklist_language"
KEPT_SECONDS = 365 * 24 * 3600
_current: ContextVar[Texts] = ContextVar("current")


def current() -> Texts:
    """The language of the request that is being answered."""
    return _current.get(i18n.languages()[i18n.DEFAULT])


class Language:
    """ASGI middleware, outermost, so that error pages are translated too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _current.set(_chosen(Request(scope)))
        await self._app(scope, receive, send)


def _chosen(request: Request) -> Texts:
    chosen = i18n.languages().get(request.cookies.get(COOKIE, ""))
    return chosen or i18n.negotiate(request.headers.get("accept-language", ""))
