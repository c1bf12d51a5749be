"""Accounts, sessions, permissions and the limit on failures."""

from random import Random
from typing import Any

import pytest

from testbed.simulated_cht.accounts import SESSION_SECONDS, Account, Accounts, MalformedCookieError
from testbed.simulated_cht.database import Database
from testbed.simulated_cht.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def no_accounts(clock: Clock, seed: int = 0) -> Accounts:
    draw = Random(seed)
    return Accounts(Database("_users", draw), clock, draw)


@pytest.fixture
def accounts(clock: Clock) -> Accounts:
    made = no_accounts(clock)
    made.add("grace", "secret", ["site_supervisor", "mm-online"], facility_id="site-1")
    return made


def test_a_password_is_right_or_wrong(accounts: Accounts) -> None:
    account = accounts.verify("grace", "secret")
    assert account is not None
    assert account.places == ("site-1",)
    assert accounts.verify("grace", "other") is None
    assert accounts.verify("nobody", "secret") is None
    assert accounts.verify("medic", "password") is not None
    assert accounts.verify("medic", "secret") is None


def test_no_password_is_kept(accounts: Accounts) -> None:
    document = accounts._users.read("org.couchdb.user:grace").body
    assert b"secret" not in document
    assert b"derived_key" in document


def test_a_session_ends_when_the_password_changes_and_not_when_roles_do(accounts: Accounts) -> None:
    account = accounts.find("grace")
    assert account is not None
    cookie = accounts.cookie(account)
    accounts.change("grace", roles=["program_officer", "mm-online"])
    renewed = accounts.from_cookie(cookie)
    assert renewed is not None
    assert renewed.roles == ("program_officer", "mm-online")
    accounts.change("grace", password="new")
    assert accounts.from_cookie(cookie) is None


def test_a_session_ends_after_a_year(accounts: Accounts, clock: Clock) -> None:
    cookie = accounts.cookie(Account("grace", ()))
    clock.now += SESSION_SECONDS - 1
    assert accounts.from_cookie(cookie)
    clock.now += 1
    assert accounts.from_cookie(cookie) is None


def test_a_forged_cookie_has_no_account(accounts: Accounts, clock: Clock) -> None:
    other = no_accounts(clock, seed=2)
    assert accounts.from_cookie(other.cookie(Account("medic", ("_admin",)))) is None


@pytest.mark.parametrize("cookie", ["garbage", "YQ", "é", "Z3JhY2U6bm90aGV4OnNpZ25hdHVyZQ"])
def test_garbage_is_a_malformed_cookie(accounts: Accounts, cookie: str) -> None:
    with pytest.raises(MalformedCookieError):
        accounts.from_cookie(cookie)


def test_users_come_from_settings_documents_but_not_removed_ones() -> None:
    made = no_accounts(Clock())
    documents: list[dict[str, Any]] = [
        {"name": "one", "roles": ["chw"], "facility_id": ["area-1", "area-2"], "contact_id": "c"},
        {"name": "gone", "roles": ["chw"], "inactive": True},
    ]
    made.add_from_settings(documents, "word")
    one = made.verify("one", "word")
    assert one is not None
    assert (one.places, one.contact, one.is_online) == (("area-1", "area-2"), "c", False)
    assert made.find("gone") is None


SETTINGS = {
    "roles": {"officer": {}},
    "permissions": {"can_edit": ["officer", "unlisted"]},
}


@pytest.mark.parametrize(
    ("role", "may"), [("officer", True), ("unlisted", False), ("chw", False), ("_admin", True)]
)
def test_a_role_counts_only_where_the_settings_list_it(role: str, may: bool) -> None:
    assert Account("somebody", (role,)).may("can_edit", SETTINGS) is may


def test_ten_failures_in_ten_seconds_are_the_limit(clock: Clock) -> None:
    limit = RateLimit(clock)
    for _ in range(10):
        assert not limit.is_reached(["address"])
        limit.charge(["address", "user"])
    assert limit.is_reached(["address"])
    assert limit.is_reached(["user", "unseen"])
    assert not limit.is_reached(["unseen"])
    clock.now += 10
    assert not limit.is_reached(["address"])


def test_a_refusal_during_the_limit_does_not_prolong_it(clock: Clock) -> None:
    limit = RateLimit(clock)
    for _ in range(15):
        limit.charge(["address"])
    clock.now += 9
    limit.charge(["address"])
    clock.now += 1
    assert not limit.is_reached(["address"])
