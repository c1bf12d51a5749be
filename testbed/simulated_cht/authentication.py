"""Authentication of requests by Basic or by a session cookie; signing in and out."""

import base64
import binascii
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from testbed.simulated_cht.accounts import SESSION_SECONDS, Account, MalformedCookieError
from testbed.simulated_cht.database import CouchRefusal
from testbed.simulated_cht.responses import ApiRefusal, from_api, from_couchdb, unauthorized
from testbed.simulated_cht.simulation import Simulation

COOKIE = "AuthSession"


def simulation(request: Request) -> Simulation:
    state: Simulation = request.app.state.simulation
    return state


def authenticated(request: Request) -> Account:
    """The account of the request; raises a refusal without valid credentials."""
    account = _by_basic(request) or _by_cookie(request)
    if account is None:
        raise _unauthorized(request, "You are not authorized to access this db.")
    return account


def may(account: Account, request: Request, *permissions: str) -> bool:
    """Whether an online account has one of the permissions."""
    settings = simulation(request).settings
    return account.is_online and any(account.may(name, settings) for name in permissions)


def rate_limit_keys(request: Request) -> list[str]:
    """The keys that a failure of this request counts for."""
    known: list[str] = getattr(request.state, "keys", [])
    return [_address(request), *known]


async def session(request: Request) -> Response:
    match request.method:
        case "POST":
            return await _sign_in(request)
        case "DELETE":
            cookie = _set_cookie("", simulation(request).clock())
            return from_couchdb({"ok": True}, headers={"Set-Cookie": cookie})
    account = authenticated(request)
    proof = "default" if "authorization" in request.headers else "cookie"
    return from_couchdb(
        {
            "ok": True,
            "userCtx": {"name": account.name, "roles": account.roles},
            "info": {"authentication_handlers": ["cookie", "default"], "authenticated": proof},
        }
    )


async def _sign_in(request: Request) -> Response:
    if "authorization" in request.headers:
        authenticated(request)
    body = await _body(request)
    state = simulation(request)
    account = state.accounts.verify(str(body.get("name")), str(body.get("password")))
    if account is None:
        raise _unauthorized(request, "Name or password is incorrect.")
    cookie = _set_cookie(state.accounts.cookie(account), state.clock())
    answer = {"ok": True, "name": account.name, "roles": account.roles}
    return from_couchdb(answer, headers={"Set-Cookie": cookie})


async def login(request: Request) -> Response:
    """`POST /medic/login`: a 302 without Location, whose body is the path to continue at."""
    body = await _body(request)
    name, password = str(body.get("user")), str(body.get("password"))
    _check_rate_limit(request, name, password)
    state = simulation(request)
    account = state.accounts.verify(name, password)
    if account is None:
        raise ApiRefusal(401, "Not logged in")
    if account.must_change_password:
        return from_api(b"/medic/password-reset", 302, {"Content-Type": "text/html; charset=utf-8"})
    answer = Response(str(body.get("redirect") or "/"), 302, media_type="text/html")
    context = msgspec.json.encode({"name": account.name, "roles": account.roles, "home": "/"})
    answer.headers.append("Set-Cookie", _set_cookie(state.accounts.cookie(account), state.clock()))
    for key, value in (("userCtx", quote(context, safe="")), ("locale", "en")):
        cookie = f"{key}={value}; Max-Age={SESSION_SECONDS}; Path=/; SameSite=Lax"
        answer.headers.append("Set-Cookie", cookie)
    return answer


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {key: values[0] for key, values in parse_qs(raw.decode()).items()}
    try:
        body = msgspec.json.decode(raw or b"{}")
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise CouchRefusal(400, "bad_request", "Request body must be a JSON object")
    return body


def _by_basic(request: Request) -> Account | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unauthorized(request, "Name or password is incorrect.") from error
    _check_rate_limit(request, name, password)
    account = simulation(request).accounts.verify(name, password)
    if account is None:
        raise _unauthorized(request, "Name or password is incorrect.")
    return account


def _by_cookie(request: Request) -> Account | None:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    try:
        return simulation(request).accounts.from_cookie(cookie)
    except MalformedCookieError as error:
        reason = "Malformed AuthSession cookie. Please clear your cookies."
        raise CouchRefusal(400, "bad_request", reason) from error


def _check_rate_limit(request: Request, name: str, password: str) -> None:
    if not request.app.state.is_api:
        return
    request.state.keys = [f"user {name}", f"password {password}"]
    if simulation(request).rate_limit.is_reached(rate_limit_keys(request)):
        raise ApiRefusal(429, "Too Many Requests")


def _address(request: Request) -> str:
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    return f"address {forwarded or (request.client.host if request.client else '')}"


def _unauthorized(request: Request, reason: str) -> ApiRefusal | CouchRefusal:
    return unauthorized() if request.app.state.is_api else CouchRefusal(401, "unauthorized", reason)


def _set_cookie(value: str, now: float) -> str:
    expires = formatdate(now + SESSION_SECONDS, usegmt=True)
    return (
        f"{COOKIE}={value}; Version=1; Expires={expires}; Max-Age={SESSION_SECONDS}; "
        "Path=/; HttpOnly"
    )
