"""The servers of a benchmark: a CouchDB with invented documents, and a PostgreSQL of its own.

Nothing that the operator's environment names is touched. WORKLIST_TEST_COUCHDB_URL names a real
CouchDB, with an administrator's credentials; the documents go into a database that is created for
the run and dropped after it. Without it the simulated CHT is used.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import unquote, urlsplit

import httpx

from benchmarks.documents import report
from pipeline.database import Address
from testbed import databases
from testbed.simulated_cht import process as simulated_cht
from testbed.simulated_cht.accounts import ADMINISTRATOR, ADMINISTRATOR_PASSWORD

_FEED = Path(__file__).parents[1] / "tests" / "data" / "cht-wire" / "changes.jsonl.gz"
SOURCE = "bench/medic"
_WRITTEN_AT_ONCE = 2000


@dataclass(frozen=True)
class Couch:
    """A CouchDB database full of invented reports."""

    url: str
    user: str
    password: str
    database: str
    is_simulated: bool


@contextmanager
def couch(documents: int) -> Iterator[Couch]:
    with _server() as (url, user, password, is_simulated):
        name = f"worklist-test-{secrets.token_hex(4)}"
        with httpx.Client(
            base_url=url, auth=(user, password), timeout=120, trust_env=False
        ) as http:
            http.put(f"/{name}").raise_for_status()
            try:
                _fill(http, name, documents)
                yield Couch(url, user, password, name, is_simulated)
            finally:
                http.delete(f"/{name}")


def _fill(http: httpx.Client, name: str, documents: int) -> None:
    randomness = Random(20261124)
    for start in range(0, documents, _WRITTEN_AT_ONCE):
        numbers = range(start, min(start + _WRITTEN_AT_ONCE, documents))
        body = {"new_edits": False, "docs": [report(number, randomness) for number in numbers]}
        http.post(f"/{name}/_bulk_docs", json=body).raise_for_status()


@contextmanager
def _server() -> Iterator[tuple[str, str, str, bool]]:
    given = os.environ.get("WORKLIST_TEST_COUCHDB_URL")
    if given:
        parts = urlsplit(given)
        url = f"{parts.scheme}://{parts.hostname}:{parts.port or 5984}"
        yield url, unquote(parts.username or ""), unquote(parts.password or ""), False
        return
    with simulated_cht.running(_FEED) as cht:
        yield cht.url, ADMINISTRATOR, ADMINISTRATOR_PASSWORD, True


@contextmanager
def postgres() -> Iterator[Address]:
    """A migrated database on an embedded PostgreSQL, durable as in production."""
    with (
        tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder,
        databases.server(None, Path(folder) / "postgres") as server,
        databases.migrated(server, SOURCE) as address,
    ):
        yield address


def environment(address: Address, folder: Path) -> dict[str, str]:
    """The environment of a `worklist` command that uses this database."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "POSTGRES_HOST": address.host,
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": address.user,
        "POSTGRES_PASSWORD": address.password,
        "POSTGRES_DB": address.database,
        "WORKLIST_HOME": str(folder),
    }
