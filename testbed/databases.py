"""Databases that are made to be thrown away, for tests, the oracle and benchmarks.

They stand on the PostgreSQL that WORKLIST_TEST_POSTGRES_URL names, or on an embedded one, and are
called `worklist-test-…`, so that nobody's own data is in reach.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pipeline import embedded
from pipeline.database import Address, connect


@contextmanager
def server(url: str | None, folder: Path) -> Iterator[Address]:
    """The server of this address, else an embedded one in `folder` for as long as it is needed."""
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
def created(at: Address, template: str = "template0") -> Iterator[Address]:
    """A new database on the server; dropped afterwards, whoever still looks at it."""
    name = f"worklist-test-{secrets.token_hex(6)}"
    create = sql.SQL("create database {} template {}")
    drop = sql.SQL("drop database {} with (force)")
    with connect(at, autocommit=True) as connection:
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield replace(at, database=name)
    finally:
        with connect(at, autocommit=True) as connection:
            connection.execute(drop.format(sql.Identifier(name)))
