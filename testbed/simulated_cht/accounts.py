"""Who may sign in: the administrator, and the users in the `_users` database.

`_users` is authoritative for roles, places and passwords; the `user-settings` documents of `medic`
only determine which users exist at the start.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from testbed.simulated_cht.database import Database

ADMINISTRATOR = "medic"
ADMINISTRATOR_PASSWORD = "password"  # noqa: S105 - of a simulation
ONLINE_ROLES = {"mm-online", "admin", "_admin"}
PREFIX = "org.couchdb.user:"
SESSION_SECONDS = 31_536_000
PASSWORD_ROUNDS = 10


class MalformedCookieError(ValueError):
    """The text is no session cookie at all."""


@dataclass(frozen=True)
class Account:
    name: str
    roles: tuple[str, ...]
    places: tuple[str, ...] = ()
    contact: str | None = None
    revision: str = ""
    must_change_password: bool = False

    @property
    def is_administrator(self) -> bool:
        return "_admin" in self.roles

    @property
    def is_online(self) -> bool:
        return not ONLINE_ROLES.isdisjoint(self.roles)

    def may(self, permission: str, settings: Mapping[str, Any]) -> bool:
        """A role counts only where `settings.roles` lists it."""
        if self.is_administrator or "admin" in self.roles:
            return True
        granted = set(settings.get("permissions", {}).get(permission, ()))
        return bool(granted & set(self.roles) & set(settings.get("roles", {})))


class Accounts:
    """`clock` gives seconds since the epoch."""

    def __init__(self, users: Database, clock: Callable[[], float], randomness: Random) -> None:
        self._users = users
        self._clock = clock
        self._randomness = randomness
        self._secret = randomness.randbytes(16)

    def add_from_settings(self, settings: Iterable[Mapping[str, Any]], password: str) -> None:
        """Adds a user for each `user-settings` document, except those of removed users."""
        for document in settings:
            if not document.get("inactive"):
                self.add(
                    document["name"],
                    password,
                    document.get("roles", []),
                    facility_id=document.get("facility_id"),
                    contact_id=document.get("contact_id"),
                )

    def add(self, name: str, password: str, roles: Iterable[str], **more: Any) -> None:
        """`more`: `facility_id`, `contact_id`, `password_change_required`."""
        document = {
            "_id": PREFIX + name,
            "name": name,
            "type": "user",
            "roles": list(roles),
            **{key: value for key, value in more.items() if value is not None},
            "password": password,
        }
        self._users.write(self.hidden_password(document))

    def change(self, name: str, **changes: Any) -> None:
        """Changes keys of the user's document in `_users`, such as `password`."""
        document = self._users.content(PREFIX + name) or {}
        self._users.write(self.hidden_password({**document, **changes}))

    def hidden_password(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document as CouchDB stores it: a salted hash instead of `password`."""
        kept = {key: value for key, value in document.items() if key != "password"}
        if "password" not in document:
            return kept
        salt = self._randomness.randbytes(16).hex()
        return kept | {
            "password_scheme": "pbkdf2",
            "iterations": PASSWORD_ROUNDS,
            "derived_key": _derived(document["password"], salt),
            "salt": salt,
        }

    def find(self, name: str) -> Account | None:
        if name == ADMINISTRATOR:
            return Account(ADMINISTRATOR, ("_admin",))
        document = self._users.content(PREFIX + name)
        if document is None:
            return None
        places = document.get("facility_id") or []
        return Account(
            name=name,
            roles=tuple(document["roles"]),
            places=(places,) if isinstance(places, str) else tuple(places),
            contact=document.get("contact_id"),
            revision=document["_rev"],
            must_change_password=bool(document.get("password_change_required")),
        )

    def verify(self, name: str, password: str) -> Account | None:
        if name == ADMINISTRATOR:
            is_right = hmac.compare_digest(password.encode(), ADMINISTRATOR_PASSWORD.encode())
            return self.find(name) if is_right else None
        document = self._users.content(PREFIX + name)
        if document is None:
            return None
        derived = _derived(password, document["salt"])
        is_right = hmac.compare_digest(derived, document["derived_key"])
        return self.find(name) if is_right else None

    def cookie(self, account: Account) -> str:
        """A new session, stored nowhere; it ends when it expires or the password changes."""
        return self._signed(account.name, f"{int(self._clock()):X}")

    def from_cookie(self, cookie: str) -> Account | None:
        """The session's account; None if it has ended, MalformedCookieError if it is no session."""
        try:
            decoded = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)).decode()
            name, hexadecimal, _ = decoded.rsplit(":", 2)
            age = self._clock() - int(hexadecimal, 16)
        except (binascii.Error, ValueError) as error:
            raise MalformedCookieError from error
        is_genuine = hmac.compare_digest(self._signed(name, hexadecimal), cookie)
        return self.find(name) if is_genuine and age < SESSION_SECONDS else None

    def _signed(self, name: str, hexadecimal: str) -> str:
        document = self._users.content(PREFIX + name) or {}
        key = self._secret + document.get("salt", "").encode()
        mark = hmac.new(key, f"{name}:{hexadecimal}".encode(), hashlib.sha256).hexdigest()
        return (
            base64.urlsafe_b64encode(f"{name}:{hexadecimal}:{mark}".encode()).decode().rstrip("=")
        )


def _derived(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), PASSWORD_ROUNDS).hex()
