"""Temporary databases for tests, the oracle and benchmarks.

They are created on the PostgreSQL that WORKLIST_TEST_POSTGRES_URL names, or on an embedded one, and
named `worklist-test-…`, so that nobody's own data is in reach.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pipeline import embedded
from pipeline.database import Address, connect, engine, now
from pipeline.migrate import migrate, name_instance
from pipeline.settings import Settings


@contextmanager
def server(url: str | None, folder: Path) -> Iterator[Address]:
    """The server at `url`; without one an embedded server in `folder`, stopped afterwards."""
    if url:
        yield _address(url)
        return
    with embedded.running(folder) as running:
        yield Address("127.0.0.1", running.port, running.user, running.password, running.database)


def _address(url: str) -> Address:
    parts = conninfo_to_dict(url)
    return Address(
        host=str(parts.get("host", "localhost")),
        port=int(str(parts.get("port", 5432))),
        user=str(parts.get("user", "postgres")),
        password=str(parts.get("password", "")),
        database=str(parts.get("dbname", "postgres")),
    )


@contextmanager
def created(at: Address, template: str = "template0", name: str = "") -> Iterator[Address]:
    """A new database on the server; dropped afterwards, with all connections to it."""
    address = create(at, template, name)
    try:
        yield address
    finally:
        drop(at, address.database)


def create(at: Address, template: str = "template0", name: str = "") -> Address:
    """A new database on the server, with this name or a random one."""
    name = name or f"worklist-test-{secrets.token_hex(6)}"
    statement = sql.SQL("create database {} template {}")
    with connect(at, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    return replace(at, database=name)


def drop(at: Address, name: str) -> None:
    statement = sql.SQL("drop database {} with (force)")
    with connect(at, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(name)))


@contextmanager
def migrated(at: Address, source: str | None = None) -> Iterator[Address]:
    """A new database with the worklist's tables; named for an instance if a source is given."""
    with created(at) as address:
        connecting = engine(address)
        with connecting.begin() as connection:
            migrate(connection, Settings.read({}).postgres)
            if source:
                name_instance(connection, source.partition("/")[0], source, now(connection))
        connecting.dispose()
        yield address
