"""Signing in with the CHT's account, and out. The password passes through and is kept nowhere.

Where the CHT lives on the same host, browsers send its session cookie along: whoever has signed in
there is signed in here by opening a page. Signing out here remembers, as a hash in the browser,
which session of the CHT must not do that again by itself; the same for one that was dead.
"""

import asyncio
import hashlib
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from pipeline.cht.http import TooManyFailed
from pipeline.cht.identity import COOKIE as CHT_COOKIE
from pipeline.cht.identity import Identity, PasswordChangeRequired
from pipeline.database import now
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.service import dependencies, rendering
from pipeline.service.rights_refresh import session_of
from pipeline.service.route import Route
from pipeline.worklist import answers, sessions
from pipeline.worklist.throttle import TooManyFailures

LEFT_COOKIE = "worklist_left"
_LEFT, _DEAD = "left", "dead"
_LONGEST_CHT_SESSION = 31_536_000

router = APIRouter(route_class=Route, include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Leads on whom we know, and whom the CHT knows and who did not sign out here."""
    if _is_signed_in(request):
        return RedirectResponse(_own_address(next_), 303)
    if CHT_COOKIE in request.cookies and _why_not(request) is None:
        return _by_cht_session(request, next_, wrong=None)
    return _page(request, next_)


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    ours, start = dependencies.of(request), dependencies.of(request).clock()
    try:
        identity = ours.entrance.by_password(name.strip(), password, _address(request))
    except WorklistError as error:
        problem, status = _told(error, "sign_in.wrong")
        wait = ours.refusal_seconds - (ours.clock() - start) if status == 401 else 0.0
        return _page(request, next_, name, problem, status, wait)
    return _entered(request, next_, identity)


@router.post("/sign-in/cht")
def sign_in_with_cht_session(
    request: Request, next_: Annotated[str, Form(alias="next")] = "/"
) -> Response:
    """For who signed out here and comes back, without a password where there is none."""
    return _by_cht_session(request, next_, wrong="sign_in.cht_session_over")


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    with dependencies.of(request).connections.lent() as connection:
        sessions.end(connection, dependencies.token(request))
    response = RedirectResponse("/sign-in", 303)
    _set_cookie(request, response, dependencies.cookie_name(request), "", 0)
    _not_again(request, response, _LEFT)
    return response


def _by_cht_session(request: Request, next_: str, wrong: str | None) -> Response:
    """A dead session is asked for once; `wrong` is what to say then, if anything."""
    entrance = dependencies.of(request).entrance
    try:
        identity = entrance.by_cookie(request.cookies.get(CHT_COOKIE, ""), _address(request))
    except WorklistError as error:
        problem, status = _told(error, wrong)
        page = _page(request, next_, problem=problem, status=status)
        if isinstance(error, Refused) and status in {200, 401}:
            _not_again(request, page, _DEAD)
        return page
    return _entered(request, next_, identity)


def _told(error: WorklistError, wrong: str | None) -> tuple[str | None, int]:
    """The key of the sentence, and the status."""
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
    with dependencies.of(request).connections.lent() as connection:
        return dependencies.session_of(request, connection) is not None


def _entered(request: Request, next_: str, identity: Identity) -> Response:
    """With a new token always, so that nobody can have known it before."""
    ours = dependencies.of(request)
    token = ours.new_token()
    with ours.connections.begun() as connection:
        sessions.end(connection, dependencies.token(request))
        sessions.begin(connection, token, session_of(identity), ours.moment())
        answers.forget_old_keys(connection, identity.user_name, now(connection))
    response = RedirectResponse(_own_address(next_), 303)
    lasts = int(sessions.LASTS.total_seconds())
    _set_cookie(request, response, dependencies.cookie_name(request), token, lasts)
    if LEFT_COOKIE in request.cookies:
        _set_cookie(request, response, LEFT_COOKIE, "", 0)
    return response


def _why_not(request: Request) -> str | None:
    """Why this session of the CHT opens nothing by itself, if so."""
    why, _, marked = request.cookies.get(LEFT_COOKIE, "").partition("-")
    return why if marked == _hash(request.cookies.get(CHT_COOKIE, "")) else None


def _not_again(request: Request, response: Response, why: str) -> None:
    if CHT_COOKIE in request.cookies:
        mark = f"{why}-{_hash(request.cookies[CHT_COOKIE])}"
        _set_cookie(request, response, LEFT_COOKIE, mark, _LONGEST_CHT_SESSION)


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """None of our cookies is for scripts, or for forms of other sites."""
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
    """Only a path of this service: whoever sends a link must not be able to lead elsewhere."""
    is_own = next_.startswith("/") and not next_.startswith(("//", "/\\")) and next_.isprintable()
    return next_ if is_own else "/"


class _Late(HTMLResponse):
    """Goes out after a while, and holds up nobody meanwhile."""

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
        may_go_on=_why_not(request) == _LEFT,
    )
    response = _Late(page, status, headers={"Retry-After": "10"} if status == 429 else {})
    response.wait_seconds = max(0.0, wait_seconds)
    return response
