"""Who a user of the CHT is. Passwords pass through to the CHT and are kept nowhere."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from pipeline.cht.client import ChtClient, Session
from pipeline.cht.http import Unauthorized, as_json, error_reason
from pipeline.errors import Refused, SettingsWrong
from pipeline.online_users import is_online

COOKIE = "AuthSession"
_COOKIE_TEXT = re.compile(r"[A-Za-z0-9_.~+/=%-]+")

_NO_SUCH_USER = "Failed to find user"
_User = dict[str, Any]


class PasswordChangeRequired(Refused):
    """The account must choose a password of its own in the CHT first."""


@dataclass(frozen=True)
class Identity:
    """A user as the CHT knows them now."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    contact_uuid: str | None


def sign_in(client: ChtClient, name: str, password: str, address: str) -> Identity:
    """Asks the CHT whether this is the user's password, and who the user is.

    `client` has no account of its own; `address` is the user's, so that the CHT counts failed
    sign-ins against it and not against us. A wrong password costs one call, which is one point of
    the CHT's limit of ten in ten seconds; a right one costs three calls and no point: the bare
    `/_session` also takes a password that must be changed first, only `/medic/login` tells.
    """
    headers = {"X-Forwarded-For": address}
    answer = client.http.request(
        "POST", "/_session", body=as_json({"name": name, "password": password}), headers=headers
    )
    session = client.http.read(answer, Session)
    if _must_change_password(client, name, password, headers):
        raise PasswordChangeRequired(
            "This account must choose a new password first: sign in to the CHT once, then here."
        )
    headers["Cookie"] = f"{COOKIE}={_cookie(client, answer)}"
    return _own_identity(client, session.name or name, session.roles, headers)


def recognise(client: ChtClient, cookie: str, address: str) -> Identity:
    """The user whose CHT session cookie this is."""
    if not _COOKIE_TEXT.fullmatch(cookie):
        raise Unauthorized("This is no session of the CHT: sign in again.")
    headers = {"X-Forwarded-For": address, "Cookie": f"{COOKIE}={cookie}"}
    session = client.session(headers)
    if session.name is None:
        raise Unauthorized("The CHT does not know this session: sign in again.")
    return _own_identity(client, session.name, session.roles, headers)


def check_account(client: ChtClient, database: str) -> None:
    """SettingsWrong for an account or a database to which the CHT would look empty."""
    try:
        session = client.session()
    except Unauthorized as error:
        raise SettingsWrong(f"{error} Check COUCHDB_USER and COUCHDB_PASSWORD.") from error
    if session.name is None:
        raise SettingsWrong(
            f"{client.http.label} sees an anonymous user: set COUCHDB_USER and COUCHDB_PASSWORD."
        )
    if not is_online(session.roles):
        raise SettingsWrong(
            f"{session.name} is an offline account of the CHT (its roles: "
            f"{', '.join(session.roles) or 'none'}). The CHT shows such an account only a few "
            "documents, and the sync would take them for all. Use an account with the role "
            "mm-online."
        )
    client.pending(database, "now")


def _must_change_password(
    client: ChtClient, name: str, password: str, headers: dict[str, str]
) -> bool:
    answer = client.http.send(
        "POST",
        "/medic/login",
        body=as_json({"user": name, "password": password}),
        headers=headers,
    )
    target = f"{answer.headers.get('location', '')} {answer.text}"
    return answer.status_code == 302 and "/medic/password-reset" in target


def _cookie(client: ChtClient, answer: httpx.Response) -> str:
    cookie = answer.cookies.get(COOKIE)
    if not cookie:
        raise Refused(f"{client.http.label} opened no session.")
    return cookie


def rights(client: ChtClient, known: Identity) -> Identity | None:
    """A user's current rights, asked with the service's own account; None when the user is gone.

    From `/api/v2/users`, which reads `_users` and needs `can_view_users` (CHT 4.7 or newer).
    Otherwise from the user-settings document, which everybody with `can_edit` may change: so it
    may take rights away and never adds any.
    """
    answer = _ask_for_user(client, known.user_name, {})
    if answer.status_code == 404 and error_reason(answer).startswith(_NO_SUCH_USER):
        return None
    if answer.status_code not in {403, 404}:
        return _identity(known.user_name, client.http.read(client.http.checked(answer), _User))
    answer = _ask_for_settings(client, known.user_name, {})
    if answer.status_code == 404:
        return None
    user = client.http.read(client.http.checked(answer), _User)
    return None if user.get("inactive") else _intersection(known, _identity(known.user_name, user))


def _own_identity(
    client: ChtClient, name: str, roles: tuple[str, ...], headers: dict[str, str]
) -> Identity:
    """From `/api/v2/users`; before CHT 4.7 from the session and the user-settings document."""
    answer = _ask_for_user(client, name, headers)
    if answer.status_code != 404:
        return _identity(name, client.http.read(client.http.checked(answer), _User))
    answer = _ask_for_settings(client, name, headers)
    is_there = answer.status_code != 404
    user = client.http.read(client.http.checked(answer), _User) if is_there else {}
    return _identity(name, {**user, "roles": roles})


def _ask_for_user(client: ChtClient, name: str, headers: dict[str, str]) -> httpx.Response:
    return client.http.send("GET", f"/api/v2/users/{quote(name, safe='')}", headers=headers)


def _ask_for_settings(client: ChtClient, name: str, headers: dict[str, str]) -> httpx.Response:
    path = f"/medic/org.couchdb.user:{quote(name, safe='')}"
    return client.http.send("GET", path, headers=headers)


def _identity(name: str, user: dict[str, Any]) -> Identity:
    return Identity(
        user_name=name,
        roles=tuple(user.get("roles") or ()),
        facility_uuids=_uuids(user.get("place", user.get("facility_id"))),
        contact_uuid=next(iter(_uuids(user.get("contact", user.get("contact_id")))), None),
    )


def _intersection(known: Identity, reported: Identity) -> Identity:
    """The rights that are in both."""
    roles = tuple(role for role in known.roles if role in reported.roles)
    places = tuple(place for place in known.facility_uuids if place in reported.facility_uuids)
    contact = known.contact_uuid if known.contact_uuid == reported.contact_uuid else None
    return Identity(known.user_name, roles, places, contact)


def _uuids(value: object) -> tuple[str, ...]:
    """The CHT writes an id, a document with an `_id`, or a list of either."""
    several = value if isinstance(value, list) else [value]
    found = (one.get("_id") if isinstance(one, dict) else one for one in several)
    return tuple(one for one in found if isinstance(one, str) and one)
