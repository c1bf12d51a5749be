"""The state of a simulated CHT: its databases, accounts and limits, without HTTP."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from testbed.simulated_cht import recorded_feed
from testbed.simulated_cht.accounts import ADMINISTRATOR_PASSWORD, Accounts
from testbed.simulated_cht.database import CouchRefusal, Database
from testbed.simulated_cht.rate_limit import RateLimit

MEDIC = "medic"
USERS = "_users"


class Simulation:
    """One CHT. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        randomness: Random | None = None,
    ) -> None:
        self.clock = clock
        self.randomness = randomness or Random()  # noqa: S311 - nothing real is protected by it
        self.started = clock()
        self.medic = Database(MEDIC, self.randomness)
        users = Database(USERS, self.randomness)
        self.databases = {MEDIC: self.medic, USERS: users}
        self.accounts = Accounts(users, clock, self.randomness)
        self.rate_limit = RateLimit(clock)

    def load_feed(self, path: Path, password: str = ADMINISTRATOR_PASSWORD) -> None:
        """Loads a feed file, and adds an account for each of its users."""
        recorded_feed.load(path, self.medic)
        self._add_accounts(password)

    def load_documents(
        self, documents: list[dict[str, Any]], password: str = ADMINISTRATOR_PASSWORD
    ) -> None:
        for document in documents:
            self.medic.write(document)
        self._add_accounts(password)

    def _add_accounts(self, password: str) -> None:
        settings = [self.medic.content(id_) for id_ in self.medic.ids("org.couchdb.user:", "org.d")]
        self.accounts.add_from_settings(
            [document for document in settings if document and document.get("name")], password
        )

    @property
    def settings(self) -> dict[str, Any]:
        document = self.medic.content("settings")
        settings: dict[str, Any] = document.get("settings", {}) if document else {}
        return settings

    def database(self, name: str) -> Database:
        if name not in self.databases:
            raise CouchRefusal(404, "not_found", "Database does not exist.")
        return self.databases[name]

    def create_database(self, name: str) -> None:
        if name in self.databases:
            reason = "The database could not be created, the file already exists."
            raise CouchRefusal(412, "file_exists", reason)
        self.databases[name] = Database(name, self.randomness)

    def drop_database(self, name: str) -> None:
        self.database(name)
        del self.databases[name]


def documents_of(database: Database, ids: list[str]) -> list[msgspec.Raw]:
    """Those of the documents that exist and are not deleted."""
    found = [database.find(id_) for id_ in ids]
    return [msgspec.Raw(document.body) for document in found if document and not document.deleted]
