"""A temporary database for the oracle; never the one that the operator's environment names.

A real PostgreSQL is given by WORKLIST_TEST_POSTGRES_URL; otherwise the embedded one is used.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.database import Address, engine
from pipeline.migrate import migrate, name_instance
from pipeline.settings import Settings
from testbed import databases

SOURCE = "oracle/medic"


@dataclass(frozen=True)
class TemporaryDatabase:
    """A migrated database, and a folder for what dbt writes."""

    address: Address
    folder: Path


@contextmanager
def temporary_database() -> Iterator[TemporaryDatabase]:
    with (
        tempfile.TemporaryDirectory(prefix="worklist-oracle-") as name,
        databases.server(
            os.environ.get("WORKLIST_TEST_POSTGRES_URL"), Path(name) / "postgres"
        ) as server,
        databases.created(server) as address,
    ):
        migrating = engine(address)
        with migrating.begin() as connection:
            migrate(connection, Settings.read({}).postgres)
            name_instance(connection, "oracle", SOURCE, datetime.now(UTC))
        migrating.dispose()
        yield TemporaryDatabase(address, Path(name))
