"""Signing in with the CHT's account, and out. The password passes through and is stored nowhere.

Where the CHT is on the same host, browsers send its session cookie along: whoever has signed in
there is signed in here by opening a page. Signing out here puts a hash of that session into a
cookie, so that it does not sign the user in again by itself; likewise a session that has ended.
"""

import asyncio
import hashlib
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from pipeline.cht.http import TooManyFailed
from pipeline.cht.users import COOKIE as CHT_COOKIE
from pipeline.cht.users import Identity, PasswordChangeRequired
from pipeline.database import now
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.service import dependencies, rendering
from pipeline.service.rights_refresh import session_of
from pipeline.worklist import sessions, verification_store
from pipeline.worklist.throttle import TooManyFailures

LEFT_COOKIE = "worklist_left"
_LEFT, _ENDED = "left", "dead"
_LONGEST_CHT_SESSION = 31_536_000

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Redirects users who have a session, here or in the CHT, unless they signed out here."""
    if _is_signed_in(request):
        return RedirectResponse(_own_address(next_), 303)
    if CHT_COOKIE in request.cookies and _ignored_because(request) is None:
        return _by_cht_session(request, next_, wrong=None)
    return _page(request, next_)


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    given = dependencies.of(request)
    start = given.monotonic()
    try:
        identity = given.authentication.by_password(name.strip(), password, _address(request))
    except WorklistError as error:
        problem, status = _problem_and_status(error, "sign_in.wrong")
        wait = given.refusal_seconds - (given.monotonic() - start) if status == 401 else 0.0
        return _page(request, next_, name, problem, status, wait)
    return _start_session(request, next_, identity)


@router.post("/sign-in/cht")
def sign_in_with_cht_session(
    request: Request, next_: Annotated[str, Form(alias="next")] = "/"
) -> Response:
    """For users who signed out here and come back; some have no password, only single sign-on."""
    return _by_cht_session(request, next_, wrong="sign_in.cht_session_over")


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    with dependencies.of(request).engine.begin() as connection:
        sessions.end(connection, dependencies.token(request))
    response = RedirectResponse("/sign-in", 303)
    _set_cookie(request, response, dependencies.cookie_name(request), "", 0)
    _ignore_cht_session(request, response, _LEFT)
    return response


def _by_cht_session(request: Request, next_: str, wrong: str | None) -> Response:
    """An ended session is tried once; `wrong` is the text to show then, if any."""
    authentication = dependencies.of(request).authentication
    try:
        identity = authentication.by_cookie(request.cookies.get(CHT_COOKIE, ""), _address(request))
    except WorklistError as error:
        problem, status = _problem_and_status(error, wrong)
        page = _page(request, next_, problem=problem, status=status)
        if isinstance(error, Refused) and status in {200, 401}:
            _ignore_cht_session(request, page, _ENDED)
        return page
    return _start_session(request, next_, identity)


def _problem_and_status(error: WorklistError, wrong: str | None) -> tuple[str | None, int]:
    """The key of the text and the HTTP status."""
    match error:
        case TooManyFailures() | TooManyFailed():
            return "sign_in.throttled", 429
        case PasswordChangeRequired():
            return "sign_in.password_change", 403
        case Unavailable() | SettingsWrong():
            return "sign_in.unavailable", 503
    return wrong, 401 if wrong else 200


def _is_signed_in(request: Request) -> bool:
    if not dependencies.token(request):
        return False
    with dependencies.of(request).engine.begin() as connection:
        return dependencies.session_of(request, connection) is not None


def _start_session(request: Request, next_: str, identity: Identity) -> Response:
    """Always with a new token, so that nobody can have known it before."""
    given = dependencies.of(request)
    token = given.new_token()
    with given.engine.begin() as connection:
        sessions.end(connection, dependencies.token(request))
        sessions.begin(connection, token, session_of(identity), given.session_clock())
        verification_store.forget_old_keys(connection, identity.user_name, now(connection))
    response = RedirectResponse(_own_address(next_), 303)
    lifetime = int(sessions.LIFETIME.total_seconds())
    _set_cookie(request, response, dependencies.cookie_name(request), token, lifetime)
    if LEFT_COOKIE in request.cookies:
        _set_cookie(request, response, LEFT_COOKIE, "", 0)
    return response


def _ignored_because(request: Request) -> str | None:
    """Why the CHT's session does not sign anybody in by itself, if so."""
    reason, _, marked = request.cookies.get(LEFT_COOKIE, "").partition("-")
    return reason if marked == _hash(request.cookies.get(CHT_COOKIE, "")) else None


def _ignore_cht_session(request: Request, response: Response, reason: str) -> None:
    if CHT_COOKIE in request.cookies:
        mark = f"{reason}-{_hash(request.cookies[CHT_COOKIE])}"
        _set_cookie(request, response, LEFT_COOKIE, mark, _LONGEST_CHT_SESSION)


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """Never for scripts, and never sent with forms of other sites."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=dependencies.is_behind_tls(request),
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _own_address(next_: str) -> str:
    """A path of this service, so that no link can redirect to another site."""
    is_own = next_.startswith("/") and not next_.startswith(("//", "/\\")) and next_.isprintable()
    return next_ if is_own else "/"


class _DelayedPage(HTMLResponse):
    """Is sent after `wait_seconds`, in which it occupies no thread."""

    wait_seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.wait_seconds)
        await super().__call__(scope, receive, send)


def _page(
    request: Request,
    next_: str,
    name: str = "",
    problem: str | None = None,
    status: int = 200,
    wait_seconds: float = 0.0,
) -> Response:
    cht_url = dependencies.of(request).cht_url
    page = rendering.page(
        "sign_in.html",
        next=_own_address(next_),
        name=name,
        problem=problem,
        cht_url=cht_url,
        is_beside_cht=cht_url is not None and urlsplit(cht_url).hostname == request.url.hostname,
        may_go_on=_ignored_because(request) == _LEFT,
    )
    response = _DelayedPage(page, status, headers={"Retry-After": "10"} if status == 429 else {})
    response.wait_seconds = max(0.0, wait_seconds)
    return response
