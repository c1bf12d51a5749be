"""A temporary database for the oracle; never the one that the operator's environment names.

A real PostgreSQL is given by WORKLIST_TEST_POSTGRES_URL; otherwise the embedded one is used.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.database import Address
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
        databases.migrated(server, SOURCE) as address,
    ):
        yield TemporaryDatabase(address, Path(name))
