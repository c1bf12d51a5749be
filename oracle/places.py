"""A database of the oracle's own: nothing that the operator's environment names is touched.

A real PostgreSQL is given by WORKLIST_TEST_POSTGRES_URL; else the embedded one serves.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pipeline import embedded
from pipeline.database import Address, connect, engine
from pipeline.migrate import migrate, name_instance
from pipeline.settings import Settings

SOURCE = "oracle/medic"


@dataclass(frozen=True)
class Place:
    """A migrated database, and a folder for what dbt writes."""

    address: Address
    folder: Path


@contextmanager
def place() -> Iterator[Place]:
    with (
        tempfile.TemporaryDirectory(prefix="worklist-oracle-") as name,
        _server(Path(name)) as server,
        _database(server) as address,
    ):
        migrating = engine(address)
        with migrating.begin() as connection:
            migrate(connection, Settings.read({}).postgres)
            name_instance(connection, "oracle", SOURCE, datetime.now(UTC))
        migrating.dispose()
        yield Place(address, Path(name))


@contextmanager
def _server(folder: Path) -> Iterator[Address]:
    given = os.environ.get("WORKLIST_TEST_POSTGRES_URL")
    if given:
        parts = conninfo_to_dict(given)
        yield Address(
            host=str(parts.get("host", "localhost")),
            port=int(str(parts.get("port", 5432))),
            user=str(parts.get("user", "postgres")),
            password=str(parts.get("password", "")),
            database=str(parts.get("dbname", "postgres")),
        )
        return
    with embedded.running(folder / "postgres") as server:
        yield Address("127.0.0.1", server.port, server.user, server.password, server.database)


@contextmanager
def _database(server: Address) -> Iterator[Address]:
    name = f"worklist-test-oracle-{secrets.token_hex(4)}"
    with connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template template0").format(sql.Identifier(name))
        )
    try:
        yield replace(server, database=name)
    finally:
        with connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )
