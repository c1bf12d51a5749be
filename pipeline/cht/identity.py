"""Who a user of the CHT is. Passwords pass through to the CHT and are kept nowhere."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from pipeline.cht.client import ChtClient, Session
from pipeline.cht.door import Unauthorized, as_json
from pipeline.errors import Refused

_ONLINE_ROLES = frozenset({"mm-online", "admin", "_admin"})
_COOKIE = "AuthSession"
_COOKIE_TEXT = re.compile(r"[A-Za-z0-9_.~+/=%-]+")


class PasswordChangeRequired(Refused):
    """The account must choose a password of its own in the CHT first."""


@dataclass(frozen=True)
class Identity:
    """A user as the CHT knows them now."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    contact_uuid: str | None
    is_online: bool


def sign_in(client: ChtClient, name: str, password: str, address: str) -> Identity:
    """Asks the CHT whether this is the user's password, and who the user is.

    `client` has no account of its own; `address` is the user's, so that the CHT counts failed
    sign-ins against it and not against us. A wrong password costs one call, which is one point of
    the CHT's limit of ten in ten seconds; a right one costs three calls and no point: the bare
    `/_session` also takes a password that must be changed first, only `/medic/login` tells.
    """
    headers = {"X-Forwarded-For": address}
    answer = client.door.ask(
        "POST", "/_session", body=as_json({"name": name, "password": password}), headers=headers
    )
    session = client.door.read(answer, Session)
    if _must_change_password(client, name, password, headers):
        raise PasswordChangeRequired(
            "This account must choose a new password first: sign in to the CHT once, then here."
        )
    headers["Cookie"] = f"{_COOKIE}={_cookie(client, answer)}"
    return _identity(client, session.name or name, headers)


def recognise(client: ChtClient, cookie: str, address: str) -> Identity:
    """Who the holder of the CHT's own session cookie is."""
    if not _COOKIE_TEXT.fullmatch(cookie):
        raise Unauthorized("This is no session of the CHT: sign in again.")
    headers = {"X-Forwarded-For": address, "Cookie": f"{_COOKIE}={cookie}"}
    session = client.session(headers)
    if session.name is None:
        raise Unauthorized("The CHT does not know this session: sign in again.")
    return _identity(client, session.name, headers)


def is_online(roles: tuple[str, ...]) -> bool:
    return not _ONLINE_ROLES.isdisjoint(roles)


def check_account(client: ChtClient, database: str) -> None:
    """Refuses an account or a database that a sync would take for an empty CHT."""
    session = client.session()
    if session.name is None:
        raise Refused(f"{client.door.place} does not know who we are: give it an account.")
    if not is_online(session.roles):
        raise Refused(
            f"{session.name} is an offline account of the CHT (its roles: "
            f"{', '.join(session.roles) or 'none'}). The CHT shows such an account a handful of "
            "documents only, and the sync would believe that there are no more. Use an account "
            "that has the role mm-online."
        )
    client.pending(database, "now")


def _must_change_password(
    client: ChtClient, name: str, password: str, headers: dict[str, str]
) -> bool:
    answer = client.door.exchange(
        "POST",
        "/medic/login",
        body=as_json({"user": name, "password": password}),
        headers=headers,
    )
    target = f"{answer.headers.get('location', '')} {answer.text}"
    return answer.status_code == 302 and "/medic/password-reset" in target


def _cookie(client: ChtClient, answer: httpx.Response) -> str:
    cookie = answer.cookies.get(_COOKIE)
    if not cookie:
        raise Refused(f"{client.door.place} opened no session.")
    return cookie


def _identity(client: ChtClient, name: str, headers: dict[str, str]) -> Identity:
    """By `/api/v2/users`, which reads `_users`; before CHT 4.7 by the user's own settings."""
    answer = client.door.exchange("GET", f"/api/v2/users/{quote(name, safe='')}", headers=headers)
    if answer.status_code == 404:
        answer = client.door.exchange(
            "GET", f"/medic/org.couchdb.user:{quote(name, safe='')}", headers=headers
        )
    user = client.door.read(client.door.agreed(answer), dict[str, Any])
    roles = tuple(user.get("roles") or ())
    return Identity(
        user_name=name,
        roles=roles,
        facility_uuids=_uuids(user.get("place", user.get("facility_id"))),
        contact_uuid=next(iter(_uuids(user.get("contact", user.get("contact_id")))), None),
        is_online=is_online(roles),
    )


def _uuids(value: object) -> tuple[str, ...]:
    """The CHT writes an id, a document with an `_id`, or a list of either."""
    several = value if isinstance(value, list) else [value]
    found = (one.get("_id") if isinstance(one, dict) else one for one in several)
    return tuple(one for one in found if isinstance(one, str) and one)
