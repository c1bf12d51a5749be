"""Servers and databases for every test.

Tests never touch what the operator's environment names: it is cleared of it here, before anything
is collected. A real PostgreSQL is given to them only by WORKLIST_TEST_POSTGRES_URL; on it they
write only into databases that they create, named `worklist-test-…`.
"""

import multiprocessing
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

import httpx
import psycopg
import pytest
from psycopg import sql

from pipeline.database import Address, connect, engine
from pipeline.migrate import migrate
from pipeline.settings import Settings
from pipeline.tables import SYNC
from testbed import databases
from testbed.simulated_cht.server import serve
from tests.faulty_cht import FaultyDoor

GIVEN_POSTGRES = os.environ.get("WORKLIST_TEST_POSTGRES_URL")
RECORDED_FEED = Path(__file__).parent / "data" / "cht-wire" / "changes.jsonl.gz"
_OPERATORS = ("COUCHDB_", "POSTGRES_", "WORKLIST_")

for name in list(os.environ):
    if name.startswith(_OPERATORS) and not name.startswith("WORKLIST_TEST_"):
        del os.environ[name]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests to which any PostgreSQL is as good as another run on the embedded one alone."""
    twice = [item for item in items if item.get_closest_marker("one_server") and _is_given(item)]
    config.hook.pytest_deselected(items=twice)
    items[:] = [item for item in items if item not in twice]


def _is_given(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("postgres_server") == "given"
    )


@dataclass(frozen=True)
class PostgresServer:
    """A server to create databases on, and the name of a migrated one to copy."""

    maintenance: Address
    template: str


@pytest.fixture(scope="session")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], PostgresServer]]:
    """Each server is started when first asked for and stays to the end.

    pytest alone would end one whenever it turns to another parameter, which several processes
    that share the tests do with every file.
    """
    with ExitStack() as running:

        @cache
        def server(which: str) -> PostgresServer:
            maintenance = running.enter_context(_maintenance(which, tmp_path_factory))
            address = running.enter_context(databases.created(maintenance))
            migrating = engine(address)
            with migrating.begin() as connection:
                migrate(connection, Settings.read({}).postgres)
            migrating.dispose()
            return PostgresServer(maintenance, address.database)

        yield server


@pytest.fixture(scope="session", params=["embedded", "given"] if GIVEN_POSTGRES else ["embedded"])
def postgres_server(
    request: pytest.FixtureRequest, _servers: Callable[[str], PostgresServer]
) -> PostgresServer:
    """The embedded PostgreSQL and, where there is one, the given: each test runs on both."""
    return _servers(request.param)


Account = tuple[str, str]  # name and password
Entering = Callable[[Address, str], Address]


@pytest.fixture(scope="session")
def _accounts(_servers: object) -> Iterator[Callable[[Address, str], Account]]:
    """On a server, for a role of ours: an account that holds it, made when first asked for."""
    with ExitStack() as kept:

        @cache
        def kept_account(at: Address, role: str) -> Account:
            return kept.enter_context(account(at, role))

        yield kept_account


@pytest.fixture(scope="session")
def as_role(
    postgres_server: PostgresServer, _accounts: Callable[[Address, str], Account]
) -> Entering:
    """The address of a database as an account enters it that holds this role only."""

    def entered(address: Address, role: str) -> Address:
        user, password = _accounts(postgres_server.maintenance, role)
        return replace(address, user=user, password=password)

    return entered


@contextmanager
def account(at: Address, role: str) -> Iterator[Account]:
    """One that holds this role and nothing else.

    Roles are shared by all databases of a server, and perhaps by other tests: so each account has
    a name of its own, and is dropped in the end.
    """
    name, password = f"worklist-test-{secrets.token_hex(6)}", secrets.token_hex(16)
    create = sql.SQL("create role {} login password {} in role {}")
    with connect(at, autocommit=True) as connection:
        connection.execute(
            create.format(sql.Identifier(name), sql.Literal(password), sql.Identifier(role))
        )
    try:
        yield name, password
    finally:
        with connect(at, autocommit=True) as connection:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Address]:
    """A fresh, migrated database with the landing `v1.couchdb`; dropped afterwards."""
    with databases.created(postgres_server.maintenance, postgres_server.template) as address:
        yield address


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[Address]:
    """A fresh database with nothing in it; dropped afterwards."""
    with databases.created(postgres_server.maintenance) as address:
        yield address


@pytest.fixture
def connection(database: Address) -> Iterator[psycopg.Connection]:
    """A connection to `database` that commits each statement, for looking and preparing."""
    with connect(database, autocommit=True) as opened:
        yield opened


@dataclass(frozen=True)
class SimulatedCht:
    """A simulated CHT with the recorded feed; every user's password is `password`."""

    url: str
    process: BaseProcess


@pytest.fixture
def simulated_cht() -> Iterator[SimulatedCht]:
    """In a process of its own; administrator `medic`, service account `worklist`."""
    with _simulated_cht() as cht:
        yield cht


@pytest.fixture
def faulty_door(simulated_cht: SimulatedCht) -> Iterator[FaultyDoor]:
    """A door before the simulated CHT."""
    door = FaultyDoor(simulated_cht.url)
    Thread(target=door.server.serve_forever, args=(0.02,), daemon=True).start()
    yield door
    door.server.shutdown()
    door.server.server_close()


@contextmanager
def _simulated_cht() -> Iterator[SimulatedCht]:
    announcing, said = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_simulate, args=(said,), daemon=True)
    process.start()
    try:
        assert announcing.poll(30), "the simulated CHT did not start"
        yield SimulatedCht(announcing.recv().split()[-1], process)
    finally:
        process.terminate()
        process.join()


# Forked from a process that has imported everything already: many tests want a CHT of their own.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["testbed.simulated_cht.server", "tests.conftest"])


def _simulate(said: Connection) -> None:
    serve(RECORDED_FEED, "127.0.0.1", 0, "password", datetime.now(UTC), said.send)


@contextmanager
def _maintenance(which: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    url = GIVEN_POSTGRES if which == "given" else None
    with databases.server(url, tmp_path_factory.mktemp("embedded")) as address:
        if url is None:
            with connect(address, autocommit=True) as connection:
                # what a test wrote need not outlive a power cut
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
        yield address


NOW = "2026-11-20"


@dataclass(frozen=True)
class Worklist:
    """The command as an operator calls it: a process of its own that knows these settings only."""

    environment: Mapping[str, str]
    folder: Path

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The service as a process of its own; where it answers. It must end cleanly."""
        environment = {**self.environment, "WORKLIST_PORT": str(free_port())}
        process = replace(self, environment=environment).started("serve")
        try:
            assert process.stderr is not None
            announced = re.search(r"http://\S+", process.stderr.readline())
            assert announced, "worklist serve did not start"
            yield announced.group()
        finally:
            process.terminate()
            _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*_COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def must(self, *arguments: str) -> str:
        """What the command prints; the test fails when the command does."""
        done = self(*arguments)
        assert done.returncode == 0, f"worklist {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def started(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*_COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )


_COMMAND = (sys.executable, "-m", "pipeline.cli")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def worklist_for(address: Address, cht_url: str, folder: Path) -> Worklist:
    """The command on this database and this CHT, at the moment of the recording."""
    cht = httpx.URL(cht_url)
    settings = {
        "COUCHDB_HOST": cht.host,
        "COUCHDB_PORT": str(cht.port),
        "COUCHDB_USER": "worklist",
        "COUCHDB_PASSWORD": "password",
        "POSTGRES_HOST": address.host,
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": address.user,
        "POSTGRES_PASSWORD": address.password,
        "POSTGRES_DB": address.database,
        "WORKLIST_HOME": str(folder),
        "WORKLIST_INSTANCE": "recorded",
        "WORKLIST_NOW": NOW,
        "WORKLIST_PATIENCE": "1",
    }
    return Worklist({"PATH": os.environ["PATH"], "HOME": str(folder), **settings}, folder)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WORKLIST_HOME of every command; one for all, so that dbt parses its project once."""
    return tmp_path_factory.mktemp("worklist")


@pytest.fixture(scope="session")
def _recorded_templates(
    home: Path, _accounts: Callable[[Address, str], Account]
) -> Iterator[Callable[[PostgresServer], str]]:
    with ExitStack() as kept:

        @cache
        def template(server: PostgresServer) -> str:
            address = kept.enter_context(databases.created(server.maintenance))
            with _simulated_cht() as cht:
                worklist_for(address, cht.url, home).must("migrate")
                user, password = _accounts(server.maintenance, SYNC)
                own = replace(address, user=user, password=password)
                worklist_for(own, cht.url, home).must("nightly")
            return address.database

        yield template


@pytest.fixture(scope="session")
def recorded_template(
    postgres_server: PostgresServer, _recorded_templates: Callable[[PostgresServer], str]
) -> str:
    """The name of a database into which the recorded feed was synced, refreshed and published."""
    return _recorded_templates(postgres_server)


@pytest.fixture
def recorded_database(postgres_server: PostgresServer, recorded_template: str) -> Iterator[Address]:
    """A fresh copy of the recorded programme as of 2026-11-20, noon in Blantyre."""
    with recorded_copy(postgres_server, recorded_template) as address:
        yield address


@contextmanager
def recorded_copy(server: PostgresServer, template: str) -> Iterator[Address]:
    with databases.created(server.maintenance, template) as address:
        yield replace(address, now=NOW)


def replaced(server: PostgresServer, database: str, template: str) -> None:
    """Puts a copy of the template in the place of a database that `databases.created` made."""
    drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(database))
    create = sql.SQL("create database {} template {}")
    with connect(server.maintenance, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(create.format(sql.Identifier(database), sql.Identifier(template)))
