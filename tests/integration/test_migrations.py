"""What the migrations build is what tables.py declares."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from pipeline import tables
from pipeline.database import Address, engine, now
from pipeline.errors import SettingsWrong
from pipeline.migrate import check_current, migrate, name_instance
from pipeline.settings import Settings

OF_DBT = {"worklist", "worklist_live", "worklist_pii", "worklist_build"}


def _differences(address: Address, declared: MetaData) -> list[Any]:
    options = {
        "include_schemas": True,
        "compare_type": True,
        "compare_server_default": True,
        "version_table_schema": "app",
        "include_name": lambda name, kind, _: kind != "schema" or name not in OF_DBT,
    }
    opened = engine(address)
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[Any] = compare_metadata(context, declared)
    opened.dispose()
    return found


@pytest.mark.filterwarnings("ignore:Did not recognize type 'jsonpath'")
def test_the_migrated_schema_is_the_declared_one(database: Address) -> None:
    assert _differences(database, tables.metadata) == []


@pytest.mark.filterwarnings("ignore:Did not recognize type 'jsonpath'")
def test_the_landing_carries_the_operators_names(empty_database: Address) -> None:
    settings = Settings.read({"POSTGRES_SCHEMA": "cht", "POSTGRES_TABLE": "document"})
    opened = engine(empty_database)
    with opened.begin() as connection:
        migrate(connection, settings.postgres)
    opened.dispose()
    declared = MetaData()
    tables.landing(declared, "cht", "document")
    for table in tables.metadata.tables.values():
        if table.schema == "app":
            table.to_metadata(declared)
    assert _differences(empty_database, declared) == []


def test_migrating_again_changes_nothing(database: Address) -> None:
    opened = engine(database)
    with opened.begin() as connection:
        migrate(connection, Settings.read({}).postgres)
        check_current(connection, Settings.read({}).postgres)
    opened.dispose()


def test_a_database_that_was_never_migrated_is_refused_by_name_of_the_command(
    empty_database: Address,
) -> None:
    opened = engine(empty_database)
    with opened.connect() as connection, pytest.raises(SettingsWrong, match="worklist migrate"):
        check_current(connection, Settings.read({}).postgres)
    opened.dispose()


def test_the_instance_keeps_its_first_name_when_the_host_changes(
    database: Address, connection: psycopg.Connection
) -> None:
    opened = engine(database)
    for name, source in (("neno", "old/medic"), ("other", "new/medic")):
        with opened.begin() as naming:
            name_instance(naming, name, source, now(naming))
    opened.dispose()
    found = connection.execute("select name, source from app.instance").fetchall()
    assert found == [("neno", "new/medic")]


def test_what_grows_with_every_answer_is_analyzed_from_few_rows(
    connection: psycopg.Connection,
) -> None:
    """One column with the usual target would bring the large sample back for all of its table."""
    large = connection.execute("""
        select attrelid::regclass, attname
        from pg_attribute
        where
            attrelid in (
                'app.verification'::regclass,
                'app.outbox'::regclass,
                'app.idempotency_key'::regclass
            )
            and attnum > 0
            and not attisdropped
            and coalesce(nullif(attstattarget, -1), 100) > 10
    """)
    assert large.fetchall() == []


def test_revisions_are_named_for_what_they_do() -> None:
    versions = Path(__file__).parents[2] / "migrations" / "versions"
    numbers = [path.name[:4] for path in sorted(versions.glob("*.py"))]
    assert numbers == [f"{place:04}" for place in range(1, len(numbers) + 1)]
