"""Signing in with the CHT's account, and out. The password passes through and is kept nowhere."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.cht.identity import Identity, PasswordChangeRequired
from pipeline.database import now
from pipeline.errors import Refused, SettingsWrong, Unavailable
from pipeline.service import collaborators, rendering
from pipeline.service.collaborators import COOKIE
from pipeline.service.throttle import TooManyFailures
from pipeline.worklist import sessions

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    return _page(next_, "", None, 200)


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    try:
        identity = _identity(request, name.strip(), password)
    except TooManyFailures:
        return _page(next_, name, "sign_in.throttled", 429)
    except PasswordChangeRequired:
        return _page(next_, name, "sign_in.password_change", 403)
    except (Unavailable, SettingsWrong):
        return _page(next_, name, "sign_in.unavailable", 503)
    except Refused:
        return _page(next_, name, "sign_in.wrong", 401)
    response = RedirectResponse(_own_address(next_), 303)
    _remember(request, response, identity)
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    with collaborators.of(request).engine.begin() as connection:
        sessions.end(connection, request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response


def _identity(request: Request, name: str, password: str) -> Identity:
    """Counts a wrong password against the name and the address; nothing else."""
    ours = collaborators.of(request)
    address = request.client.host if request.client else ""
    keys = (f"name {name.lower()}", f"address {address}")
    ours.throttle.attempt(*keys)
    try:
        identity = ours.sign_in(name, password, address)
    except (PasswordChangeRequired, Unavailable, SettingsWrong):
        ours.throttle.succeeded(*keys)
        raise
    ours.throttle.succeeded(*keys)
    return identity


def _remember(request: Request, response: Response, identity: Identity) -> None:
    ours = collaborators.of(request)
    token = ours.new_token()
    user = sessions.Session(
        identity.user_name, identity.roles, identity.facility_uuids, identity.contact_uuid
    )
    with ours.engine.begin() as connection:
        sessions.end(connection, request.cookies.get(COOKIE, ""))
        sessions.begin(connection, token, user, now(connection))
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _own_address(next_: str) -> str:
    """Only a path of this service: whoever sends a link must not be able to lead elsewhere."""
    is_own = next_.startswith("/") and not next_.startswith(("//", "/\\")) and next_.isprintable()
    return next_ if is_own else "/"


def _page(next_: str, name: str, problem: str | None, status: int) -> Response:
    page = rendering.page("sign_in.html", next=_own_address(next_), name=name, problem=problem)
    headers = {"Retry-After": "10"} if status == 429 else {}
    return HTMLResponse(page, status, headers=headers)
