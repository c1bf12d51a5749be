"""What integration tests share: a client of the simulated CHT, and a programme."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.database import engine as engine_of
from pipeline.refresh import dbt
from tests.conftest import PostgresServer, recorded_copy
from tests.faulty_door import FaultyDoor
from tests.integration.outbox import Outbox
from tests.integration.programme import Programme


@pytest.fixture
def cht(simulated_cht: Any) -> Iterator[ChtClient]:
    """The simulated CHT, entered with the service's account."""
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        yield client


@pytest.fixture
def engine(recorded_database: Address) -> Iterator[Engine]:
    """The recorded programme as the service reads it."""
    made = engine_of(recorded_database)
    yield made
    made.dispose()


@pytest.fixture
def outbox(
    database: Address, connection: psycopg.Connection, faulty_door: FaultyDoor
) -> Iterator[Outbox]:
    with ChtClient(faulty_door.url, "worklist", "password") as client:
        yield Outbox(database, connection, client)


@pytest.fixture(scope="module")
def programme(
    postgres_server: PostgresServer,
    recorded_template: str,
    home: Path,
) -> Iterator[Programme]:
    """One a module, since dbt takes its time: each test changes patients of its own."""
    with (
        recorded_copy(postgres_server, recorded_template) as address,
        connect(address, autocommit=True) as connection,
        dbt.running(address, "v1", "couchdb", home) as running_dbt,
    ):
        yield Programme(address, connection, running_dbt)
