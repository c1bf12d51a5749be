"""Signing in, against the answers that a real CHT gave."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.cht.client import ChtClient
from pipeline.cht.http import Unauthorized
from pipeline.cht.users import (
    Identity,
    PasswordChangeRequired,
    check_account,
    recognise,
    rights,
    sign_in,
)
from pipeline.errors import Refused, SettingsWrong

RECORDINGS = Path(__file__).parents[2] / "data" / "cht-wire" / "exchanges.jsonl"
EXCHANGES = {
    exchange["name"]: exchange["response"]
    for exchange in map(json.loads, RECORDINGS.read_text(encoding="utf-8").splitlines())
}
COOKIE = "AuthSession=c3VwZXI; Version=1; Path=/; HttpOnly"
MATOPE = Identity(
    user_name="supervisor_matope",
    roles=("site_supervisor", "mm-online"),
    facility_uuids=("9f11d489-6182-5d77-9f70-85b208b801b2",),
    contact_uuid="7166e9b0-7d60-5e79-9ef6-6f250ebaa747",
)


def recorded(name: str) -> httpx.Response:
    response = EXCHANGES[name]
    headers = dict(response["headers"])
    kept = {key: headers[key] for key in headers if key.lower() in {"content-type", "location"}}
    return httpx.Response(response["status"], headers=kept, content=response["body"])


class Cht:
    """Answers each path as told and remembers what was asked."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = {
            "POST /_session": recorded("log in: session"),
            "POST /medic/login": httpx.Response(302, text="/"),
            "GET /api/v2/users/supervisor_matope": recorded("who am I: v2 users"),
            **answers,
        }
        self.answers["POST /_session"].headers["set-cookie"] = COOKIE
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers[f"{request.method} {request.url.path}"]

    def client(self) -> ChtClient:
        return ChtClient("http://cht.example", transport=httpx.MockTransport(self))


def sign_in_to(cht: Cht) -> Identity:
    return sign_in(cht.client(), "supervisor_matope", "right-word", "203.0.113.7")


def test_a_right_password_gives_roles_places_and_contact() -> None:
    assert sign_in_to(Cht()) == MATOPE


def test_the_password_is_sent_without_a_basic_header_and_for_the_users_own_address() -> None:
    cht = Cht()
    sign_in_to(cht)
    assert len(cht.asked) == 3
    assert not any("authorization" in request.headers for request in cht.asked)
    assert {request.headers["x-forwarded-for"] for request in cht.asked} == {"203.0.113.7"}
    assert cht.asked[-1].headers["cookie"] == "AuthSession=c3VwZXI"
    assert b"right-word" not in cht.asked[-1].read()


def test_a_wrong_password_costs_one_call_and_says_nothing_of_it() -> None:
    cht = Cht(**{"POST /_session": recorded("log in: wrong password")})
    with pytest.raises(Unauthorized) as refused:
        sign_in_to(cht)
    assert len(cht.asked) == 1
    assert "right-word" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, text="/medic/password-reset", headers={"content-type": "text/html"}),
        httpx.Response(302, headers={"location": "/medic/password-reset"}),
    ],
)
def test_a_password_that_must_be_changed_first_does_not_sign_in(answer: httpx.Response) -> None:
    with pytest.raises(PasswordChangeRequired, match="new password"):
        sign_in_to(Cht(**{"POST /medic/login": answer}))


def test_a_cht_that_opens_no_session_signs_nobody_in() -> None:
    cht = Cht()
    del cht.answers["POST /_session"].headers["set-cookie"]
    with pytest.raises(Refused, match="opened no session"):
        sign_in_to(cht)


def test_a_name_is_one_part_of_an_address_whatever_it_contains() -> None:
    session = {"ok": True, "name": "a/b?c", "roles": ["_admin"]}
    cht = Cht(
        **{
            "POST /_session": httpx.Response(200, json=session),
            "GET /api/v2/users/a/b?c": httpx.Response(404, json={"error": "not_found"}),
            "GET /medic/org.couchdb.user:a/b?c": httpx.Response(200, json={}),
        }
    )
    assert sign_in_to(cht).user_name == "a/b?c"
    assert [one.url.raw_path for one in cht.asked[-2:]] == [
        b"/api/v2/users/a%2Fb%3Fc",
        b"/medic/org.couchdb.user:a%2Fb%3Fc",
    ]


def test_several_places_are_all_kept() -> None:
    users = "GET /api/v2/users/supervisor_matope"
    identity = sign_in_to(Cht(**{users: recorded("who am I: two facilities")}))
    assert len(identity.facility_uuids) == 2


@pytest.mark.parametrize(
    ("facility", "expected"),
    [("site-1", ("site-1",)), (["site-1", "site-4"], ("site-1", "site-4")), (None, ())],
)
def test_an_old_cht_is_asked_for_the_users_settings(
    facility: Any, expected: tuple[str, ...]
) -> None:
    settings = {"roles": ["admin"], "facility_id": facility, "contact_id": "sup-1"}
    cht = Cht(
        **{
            "GET /api/v2/users/supervisor_matope": httpx.Response(404, json={"error": "not_found"}),
            "GET /medic/org.couchdb.user:supervisor_matope": httpx.Response(200, json=settings),
        }
    )
    identity = sign_in_to(cht)
    assert (identity.facility_uuids, identity.contact_uuid) == (expected, "sup-1")
    assert identity.roles == MATOPE.roles, "editors of documents must not choose their own roles"


def test_an_administrator_without_a_user_document_is_somebody_without_a_place() -> None:
    nothing = httpx.Response(404, json={"error": "not_found"})
    cht = Cht(
        **{
            "GET /api/v2/users/supervisor_matope": nothing,
            "GET /medic/org.couchdb.user:supervisor_matope": nothing,
        }
    )
    assert sign_in_to(cht).facility_uuids == ()


def test_the_chts_own_session_says_who_the_user_is() -> None:
    cht = Cht(**{"GET /_session": recorded("session with cookie")})
    assert recognise(cht.client(), "c3VwZXI", "203.0.113.7") == MATOPE


@pytest.mark.parametrize("cookie", ["", "a\r\nX-Evil: 1", "ünïcode", "two words"])
def test_a_cookie_that_is_none_is_not_passed_on(cookie: str) -> None:
    cht = Cht()
    with pytest.raises(Unauthorized):
        recognise(cht.client(), cookie, "203.0.113.7")
    assert cht.asked == []


USERS = "GET /api/v2/users/supervisor_matope"
SETTINGS = "GET /medic/org.couchdb.user:supervisor_matope"
FORBIDDEN = recorded("another user, without can_view_users")
NOT_THERE = httpx.Response(404, json={"error": "not_found", "reason": "missing"})


def asked_again(users: httpx.Response, settings: httpx.Response) -> Identity | None:
    cht = Cht(**{USERS: users, SETTINGS: settings})
    return rights(cht.client(), MATOPE)


def documented(**settings: Any) -> httpx.Response:
    document = json.loads(recorded("who am I: user-settings document").content)
    return httpx.Response(200, json={**document, **settings})


def test_the_rights_asked_for_again_are_those_that_users_holds() -> None:
    several = recorded("who am I: two facilities")
    found = asked_again(several, NOT_THERE)
    assert found is not None
    assert len(found.facility_uuids) == 2


def test_without_can_view_users_the_document_may_take_away_and_never_give() -> None:
    assert asked_again(FORBIDDEN, documented()) == MATOPE
    more = documented(roles=[*MATOPE.roles, "admin"], facility_id=[*MATOPE.facility_uuids, "other"])
    assert asked_again(FORBIDDEN, more) == MATOPE
    less = documented(roles=["mm-online"], facility_id=None, contact_id="another")
    found = asked_again(NOT_THERE, less)
    assert found == Identity("supervisor_matope", ("mm-online",), (), None)


def test_an_account_is_gone_by_either_way() -> None:
    told = {"code": 404, "error": "Failed to find user with name [a] in the [users] database."}
    assert asked_again(httpx.Response(404, json=told), documented()) is None
    assert asked_again(FORBIDDEN, NOT_THERE) is None
    assert asked_again(FORBIDDEN, documented(inactive=True)) is None


def test_an_unauthorized_service_account_takes_no_rights_away() -> None:
    with pytest.raises(Unauthorized):
        asked_again(httpx.Response(401, json={"error": "unauthorized"}), NOT_THERE)
    page = httpx.Response(200, html="<title>Sign in to the network</title>")
    with pytest.raises(Refused):
        asked_again(page, NOT_THERE)


def session_of(name: str | None, *roles: str) -> Cht:
    session = {"ok": True, "userCtx": {"name": name, "roles": list(roles)}}
    return Cht(
        **{
            "GET /_session": httpx.Response(200, json=session),
            "GET /medic/_changes": recorded("changes: since now"),
            "GET /nothing/_changes": recorded("changes: no such database"),
        }
    )


def test_an_offline_account_may_not_sync() -> None:
    with pytest.raises(SettingsWrong, match=r"chw_1 is an offline account .* mm-online"):
        check_account(session_of("chw_1", "chw").client(), "medic")


def test_an_anonymous_user_may_not_sync() -> None:
    with pytest.raises(SettingsWrong, match="anonymous user"):
        check_account(session_of(None).client(), "medic")


def test_a_database_that_is_not_there_is_found_out_before_syncing() -> None:
    check_account(session_of("worklist", "mm-online").client(), "medic")
    with pytest.raises(SettingsWrong, match="/nothing/"):
        check_account(session_of("worklist", "mm-online").client(), "nothing")
