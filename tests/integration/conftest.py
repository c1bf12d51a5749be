"""What integration tests share: a client of the simulated CHT, and a programme."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.database import engine as engine_of
from pipeline.refresh import dbt_process
from pipeline.tables import SERVICE
from tests.commands import NOW, home_of
from tests.conftest import AsRole, PostgresServer, temporary_database
from tests.faulty_cht import FaultyCht
from tests.integration.outbox import Outbox
from tests.integration.recorded_programme import Programme
from tests.integration.two_sites import TwoSites


@pytest.fixture
def cht(simulated_cht: Any) -> Iterator[ChtClient]:
    """The simulated CHT, entered with the service's account."""
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        yield client


@pytest.fixture
def engine(recorded_database: Address, as_role: AsRole) -> Iterator[Engine]:
    """The recorded programme as the service reads it."""
    made = engine_of(as_role(recorded_database, SERVICE))
    yield made
    made.dispose()


@pytest.fixture
def outbox(
    database: Address, connection: psycopg.Connection, faulty_cht: FaultyCht
) -> Iterator[Outbox]:
    with ChtClient(faulty_cht.url, "worklist", "password") as client:
        yield Outbox(database, connection, client)


Starting = Callable[[Address], dbt_process.Dbt]


@pytest.fixture(scope="session")
def _started_dbt(home: Path) -> Iterator[Starting]:
    """A dbt for each address that keeps running: it takes seconds to start."""
    with ExitStack() as kept:

        @cache
        def started(address: Address) -> dbt_process.Dbt:
            return kept.enter_context(
                dbt_process.running(address, "v1", "couchdb", home_of(address, home))
            )

        yield started


@pytest.fixture(scope="module")
def programme(
    postgres_server: PostgresServer, recorded_template: str, _started_dbt: Starting
) -> Iterator[Programme]:
    """One a module: each test changes patients of its own."""
    with temporary_database(postgres_server, "programme", recorded_template) as copy:
        address = replace(copy, now=NOW)
        with connect(address, autocommit=True) as connection:
            yield Programme(address, connection, _started_dbt(address))


@pytest.fixture(scope="module")
def field(programme: Programme) -> Iterator[TwoSites]:
    """A small programme of two sites; each test begins it anew."""
    made = TwoSites(programme.address, programme.connection, programme.dbt)
    yield made
    made.engine.dispose()
