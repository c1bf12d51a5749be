"""A database of the oracle's own: nothing that the operator's environment names is touched.

A real PostgreSQL is given by WORKLIST_TEST_POSTGRES_URL; else the embedded one serves.
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
class Place:
    """A migrated database, and a folder for what dbt writes."""

    address: Address
    folder: Path


@contextmanager
def place() -> Iterator[Place]:
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
        yield Place(address, Path(name))
