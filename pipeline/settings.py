"""The settings, read from the environment by `cli` and passed to everything else.

Those of CouchDB and PostgreSQL have the names that cht-sync uses, so that its `.env` works
unchanged; our own begin with `WORKLIST_`.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline import hosts
from pipeline.errors import SettingsWrong
from pipeline.packaged_files import TASKS

_LONGEST_HOLD = 16 * 3600  # seconds, as long as a session lasts at most (worklist/sessions.py)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,50}")
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2}))?"
)
_LARGEST_UTC_OFFSET = timedelta(hours=16)  # that PostgreSQL accepts
# Filled by the migrations and dbt, with grants of their own.
_OWN_SCHEMAS = frozenset({"app", "worklist", "worklist_live", "worklist_pii", "worklist_build"})
_PROGRESS = "couchdb_progress"
_PREFIX = "WORKLIST_"


@dataclass(frozen=True)
class CouchSettings:
    """The CHT and our account there; `authorities` is a file of certificates to trust in addition
    to those of the system.
    """

    host: str
    port: int
    secure: bool
    user: str
    password: str
    databases: tuple[str, ...]
    authorities: Path | None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def medic(self) -> str:
        """The database that holds the reports and receives the verifications."""
        return "medic" if "medic" in self.databases else self.databases[0]

    def source(self, database: str) -> str:
        """As in cht-sync's column `source`: host without port, slash, name of the database."""
        return f"{self.host}/{database}"


@dataclass(frozen=True)
class PostgresSettings:
    """A PostgreSQL server; without a host, the embedded one."""

    host: str | None
    port: int
    user: str
    password: str
    database: str
    schema: str
    table: str


@dataclass(frozen=True)
class Settings:
    """`is_home_absolute`: `home` does not depend on the folder that a command runs in."""

    couch: CouchSettings
    postgres: PostgresSettings
    home: Path
    is_home_absolute: bool
    instance: str | None
    now: str | None
    tasks_file: Path
    service_host: str
    service_port: int
    trusted_proxies: tuple[str, ...]
    cht_url: str
    rights_hold: timedelta
    programme_roles: tuple[str, ...]
    patience_seconds: int
    keeps_deleted_content: bool
    is_synced_by_couch2pg: bool
    writes_with_api: bool

    @classmethod
    def read(
        cls, environment: Mapping[str, str], warn: Callable[[str], None] = lambda _: None
    ) -> "Settings":
        """Raises SettingsWrong with the name of the variable and what to write; warns of variables
        that look like ours and are unknown.
        """
        read = _Reader(environment)
        couch = CouchSettings(
            host=read.host("COUCHDB_HOST", "localhost"),
            port=read.port("COUCHDB_PORT", 5984),
            secure=read.flag("COUCHDB_SECURE"),
            user=read.text("COUCHDB_USER", "medic"),
            password=environment.get("COUCHDB_PASSWORD") or "password",
            databases=read.names("COUCHDB_DBS", "medic"),
            authorities=read.certificates("SSL_CERT_FILE"),
        )
        postgres = PostgresSettings(
            host=read.server("POSTGRES_HOST"),
            port=read.port("POSTGRES_PORT", 5432),
            user=read.text("POSTGRES_USER", "postgres"),
            password=environment.get("POSTGRES_PASSWORD", ""),
            database=read.text("POSTGRES_DB", "data"),
            schema=read.schema("POSTGRES_SCHEMA", "v1"),
            table=read.table("POSTGRES_TABLE", "couchdb"),
        )
        home = read.text("WORKLIST_HOME", ".worklist")
        settings = cls(
            couch=couch,
            postgres=postgres,
            home=Path(home).resolve(),
            is_home_absolute=Path(home).is_absolute(),
            instance=read.text("WORKLIST_INSTANCE", "") or None,
            now=read.moment("WORKLIST_NOW"),
            tasks_file=Path(read.text("WORKLIST_TASKS", str(TASKS))).resolve(),
            service_host=read.text("WORKLIST_HOST", "127.0.0.1"),
            service_port=read.port("WORKLIST_PORT", 8300),
            trusted_proxies=read.networks("WORKLIST_PROXIES", "127.0.0.1, ::1"),
            cht_url=read.url("WORKLIST_CHT_URL", couch.url),
            rights_hold=read.hold("WORKLIST_RIGHTS_HOLD", 43_200),
            programme_roles=tuple(
                read.text("WORKLIST_PROGRAMME_ROLES", "program_officer").replace(",", " ").split()
            ),
            patience_seconds=read.seconds("WORKLIST_PATIENCE", 300),
            keeps_deleted_content=read.flag("WORKLIST_KEEP_DELETED", default="true"),
            is_synced_by_couch2pg=read.choice("WORKLIST_SYNC", "own", "external") == "external",
            writes_with_api=read.choice("WORKLIST_WRITE_WITH", "bulk_docs", "api") == "api",
        )
        settings._check()
        read.warn_of_unknown_names(warn)
        return settings

    def _check(self) -> None:
        if self.is_synced_by_couch2pg and len(self.couch.databases) > 1:
            raise SettingsWrong(
                "COUCHDB_DBS must name one database, since WORKLIST_SYNC is external: couch2pg "
                "stores all databases by _id alone, where they would overwrite each other."
            )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._known: set[str] = set()

    def warn_of_unknown_names(self, warn: Callable[[str], None]) -> None:
        known = [name.removeprefix(_PREFIX) for name in self._known if name.startswith(_PREFIX)]
        for name in sorted(self._environment.keys() - self._known):
            if name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}TEST_"):
                near = difflib.get_close_matches(name.removeprefix(_PREFIX), known, n=1)
                hint = f": did you mean {_PREFIX}{near[0]}?" if near else "."
                warn(f"{name} is not a setting of CHT Worklist and is ignored{hint}")

    def text(self, name: str, default: str) -> str:
        self._known.add(name)
        return self._environment.get(name, "").strip() or default

    def host(self, name: str, default: str) -> str:
        value = self.text(name, default)
        host = hosts.read(value)
        if host is None:
            raise SettingsWrong(hosts.advice(name, value))
        return host

    def server(self, name: str) -> str | None:
        """A host, or the folder of a Unix socket; None where it is not set."""
        value = self.text(name, "")
        return value if value.startswith("/") else self.host(name, value) if value else None

    def certificates(self, name: str) -> Path | None:
        value = self.text(name, "")
        return Path(value).resolve() if value else None

    def seconds(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal():
            raise SettingsWrong(f"{name} is {value!r}: write a number of seconds, such as 300.")
        return int(value)

    def hold(self, name: str, default: int) -> timedelta:
        seconds = self.seconds(name, default)
        if not 300 <= seconds <= _LONGEST_HOLD:
            raise SettingsWrong(
                f"{name} is {seconds}: write a number of seconds from 300 to {_LONGEST_HOLD}. "
                "Rights are checked every five minutes, and no session lasts longer than that."
            )
        return timedelta(seconds=seconds)

    def names(self, name: str, default: str) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(self.text(name, default).replace(",", " ").split()))
        if not values:
            raise SettingsWrong(
                f"{name} contains no name: write one, such as {default}, or remove it."
            )
        return values

    def networks(self, name: str, default: str) -> tuple[str, ...]:
        values = tuple(self.text(name, default).replace(",", " ").split())
        for value in values:
            try:
                ipaddress.ip_network(value)
            except ValueError:
                raise SettingsWrong(
                    f"{name} contains {value!r}: write addresses or networks, such as 10.0.0.0/8."
                ) from None
        return values

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise SettingsWrong(f"{name} is not a URL: write one such as https://cht.example.org.")
        return value

    def flag(self, name: str, default: str = "false") -> bool:
        value = self.text(name, default).lower()
        if value not in {"true", "false", "1", "0", "yes", "no"}:
            raise SettingsWrong(f"{name} is {value!r}: write true or false.")
        return value in {"true", "1", "yes"}

    def choice(self, name: str, *choices: str) -> str:
        """The first choice is the default."""
        value = self.text(name, choices[0]).lower()
        if value not in choices:
            raise SettingsWrong(f"{name} is {value!r}: write {' or '.join(choices)}.")
        return value

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not 0 < int(value) < 65536:
            raise SettingsWrong(f"{name} is {value!r}: write a port number, 1 to 65535.")
        return int(value)

    def identifier(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _IDENTIFIER.fullmatch(value):
            raise SettingsWrong(f"{name} is {value!r}: write lower-case letters, digits and _.")
        return value

    def schema(self, name: str, default: str) -> str:
        """Not one that we grant to readers: the landing holds whole documents."""
        value = self.identifier(name, default)
        if value in _OWN_SCHEMAS:
            raise SettingsWrong(
                f"{name} is {value!r}, which CHT Worklist uses itself: choose another, such as v1."
            )
        if value.startswith("pg_") or value == "information_schema":
            raise SettingsWrong(
                f"{name} is {value!r}, which belongs to PostgreSQL: choose another, such as v1."
            )
        return value

    def table(self, name: str, default: str) -> str:
        value = self.identifier(name, default)
        if value == _PROGRESS:
            raise SettingsWrong(
                f"{name} is {value!r}, which holds the progress of the sync: choose another, "
                "such as couchdb."
            )
        return value

    def moment(self, name: str) -> str | None:
        value = self.text(name, "")
        if not value:
            return None
        if not _is_moment(value):
            raise SettingsWrong(
                f"{name} is {value!r}: write a day such as 2026-11-20, or a time with its zone "
                "such as 2026-11-20T08:30:00+02:00."
            )
        return value


def _is_moment(value: str) -> bool:
    """Whether both Python and PostgreSQL can read it."""
    if not _MOMENT.fullmatch(value):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    return abs(moment.utcoffset() or timedelta()) < _LARGEST_UTC_OFFSET
