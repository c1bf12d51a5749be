"""Servers and databases for every test.

Tests never touch what the operator's environment names: it is cleared of it here, before anything
is collected. A real PostgreSQL is given to them only by WORKLIST_TEST_POSTGRES_URL; on it they
write only into databases that they create, named `worklist-test-…`.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from psycopg import sql

from pipeline.database import Address, connect, engine
from pipeline.migrate import migrate
from pipeline.settings import Settings
from pipeline.tables import SYNC
from testbed import databases
from testbed.simulated_cht.server import serve
from tests.commands import NOW, worklist_for
from tests.faulty_cht import FaultyCht
from tests.forkserver import PROCESSES
from tests.waiting import LONG

GIVEN_POSTGRES = os.environ.get("WORKLIST_TEST_POSTGRES_URL")
RECORDED_FEED = Path(__file__).parent / "data" / "cht-wire" / "changes.jsonl.gz"
_PROCESS = secrets.token_hex(6)
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

    name: str
    maintenance: Address
    template: str


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes that share the tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def _shared_database(
    at: Address, users: Path, fill: Callable[[Address], None]
) -> Iterator[Address]:
    """A database that the first process to need it makes and fills, and the last one drops.

    Whoever uses it holds a shared lock on the file `users`, which says the database's name.
    """
    with users.open("a+") as file:
        with _only_here(users):
            fcntl.flock(file, fcntl.LOCK_SH)
            file.seek(0)
            address = replace(at, database=file.read())
            if not address.database:
                address = _filled(databases.create(at), at, fill)
                file.write(address.database)
                file.flush()
        yield address
        with _only_here(users), suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            databases.drop(at, address.database)
            file.truncate(0)


@contextmanager
def _only_here(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _filled(address: Address, at: Address, fill: Callable[[Address], None]) -> Address:
    try:
        fill(address)
    except BaseException:
        databases.drop(at, address.database)
        raise
    return address


def _migrate(address: Address) -> None:
    migrating = engine(address)
    with migrating.begin() as connection:
        migrate(connection, Settings.read({}).postgres)
    migrating.dispose()


@pytest.fixture(scope="session")
def _servers(shared_folder: Path) -> Iterator[Callable[[str], PostgresServer]]:
    """Each server is started when first asked for and stays to the end.

    pytest alone would end one whenever it turns to another parameter, which several processes
    that share the tests do with every file.
    """
    with ExitStack() as running:

        @cache
        def server(name: str) -> PostgresServer:
            at = running.enter_context(_maintenance(name, shared_folder))
            template = _shared_database(at, shared_folder / f"{name}-migrated", _migrate)
            return PostgresServer(name, at, running.enter_context(template).database)

        yield server


@pytest.fixture(scope="session", params=["embedded", "given"] if GIVEN_POSTGRES else ["embedded"])
def postgres_server(
    request: pytest.FixtureRequest, _servers: Callable[[str], PostgresServer]
) -> PostgresServer:
    """The embedded PostgreSQL and, where there is one, the given: each test runs on both."""
    return _servers(request.param)


Account = tuple[str, str]  # name and password
AsRole = Callable[[Address, str], Address]


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
) -> AsRole:
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


@contextmanager
def temporary_database(
    server: PostgresServer, name: str, template: str = "template0"
) -> Iterator[Address]:
    """A copy of the template. This process calls it the same each time: dbt parses its project
    anew for every name that it has not seen.
    """
    own = f"worklist-test-{_PROCESS}-{name}"
    with databases.created(server.maintenance, template, own) as address:
        yield address


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Address]:
    """A fresh, migrated database with the landing `v1.couchdb`; dropped afterwards."""
    with temporary_database(postgres_server, "migrated", postgres_server.template) as address:
        yield address


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[Address]:
    """A fresh database with nothing in it; dropped afterwards."""
    with temporary_database(postgres_server, "empty") as address:
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
    with simulated_cht_at(0) as cht:
        yield cht


@pytest.fixture
def faulty_cht(simulated_cht: SimulatedCht) -> Iterator[FaultyCht]:
    """A proxy of the simulated CHT that fails when told to."""
    proxy = FaultyCht(simulated_cht.url)
    Thread(target=proxy.server.serve_forever, args=(0.02,), daemon=True).start()
    yield proxy
    proxy.server.shutdown()
    proxy.server.server_close()


@contextmanager
def simulated_cht_at(port: int) -> Iterator[SimulatedCht]:
    """A port of 0 is any free one."""
    announcing, said = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_simulate, args=(said, port), daemon=True)
    process.start()
    try:
        assert announcing.poll(LONG), "the simulated CHT did not start"
        yield SimulatedCht(announcing.recv().split()[-1], process)
    finally:
        process.terminate()
        process.join()


def _simulate(said: Connection, port: int) -> None:
    serve(RECORDED_FEED, "127.0.0.1", port, "password", datetime.now(UTC), said.send)


@contextmanager
def _maintenance(name: str, shared_folder: Path) -> Iterator[Address]:
    url = GIVEN_POSTGRES if name == "given" else None
    with databases.server(url, shared_folder / "embedded") as address:
        if url is None:
            with connect(address, autocommit=True) as connection:
                # what a test wrote need not outlive a power cut
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
        yield address


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands that use dbt: one for all, so that it parses its project once."""
    return tmp_path_factory.mktemp("worklist")


@pytest.fixture(scope="session")
def _recorded_templates(
    home: Path, shared_folder: Path, _servers: object
) -> Iterator[Callable[[PostgresServer], str]]:
    def fill(address: Address) -> None:
        with simulated_cht_at(0) as cht, account(address, SYNC) as (user, password):
            worklist_for(address, cht.url, home).must("migrate")
            own = replace(address, user=user, password=password)
            worklist_for(own, cht.url, home).must("nightly")

    with ExitStack() as kept:

        @cache
        def template(server: PostgresServer) -> str:
            users = shared_folder / f"{server.name}-recorded"
            return kept.enter_context(_shared_database(server.maintenance, users, fill)).database

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
    with temporary_database(postgres_server, "recorded", recorded_template) as address:
        yield replace(address, now=NOW)
