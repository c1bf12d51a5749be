"""What the migrations build is what tables.py declares."""

from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from pipeline import steps, tables
from pipeline.database import Address, connect, engine, now
from pipeline.errors import SettingsWrong
from pipeline.migrate import check_current, migrate, name_instance
from pipeline.packaged_files import MIGRATIONS
from pipeline.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Did not recognize type 'jsonpath'")
POSTGRES = Settings.read({}).postgres
OF_DBT = {"worklist", "worklist_live", "worklist_pii", "worklist_build"}


def _differences(address: Address, landing: MetaData) -> list[Any]:
    options = {
        "include_schemas": True,
        "compare_type": True,
        "compare_server_default": True,
        "version_table_schema": "app",
        "include_name": lambda name, kind, _: kind != "schema" or name not in OF_DBT,
    }
    declared = MetaData()
    for table in (*tables.metadata.sorted_tables, *landing.sorted_tables):
        table.to_metadata(declared)
    opened = engine(address)
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[Any] = compare_metadata(context, declared)
    opened.dispose()
    return found


def test_the_migrated_schema_is_the_declared_one(database: Address) -> None:
    assert _differences(database, tables.landing()) == []


def test_the_landing_carries_the_operators_names(empty_database: Address) -> None:
    settings = Settings.read({"POSTGRES_SCHEMA": "cht", "POSTGRES_TABLE": "document"})
    opened = engine(empty_database)
    with opened.begin() as connection:
        migrate(connection, settings.postgres)
    opened.dispose()
    assert _differences(empty_database, tables.landing("cht", "document")) == []


def test_migrating_again_changes_nothing(database: Address, connection: psycopg.Connection) -> None:
    opened = engine(database)
    with opened.begin() as migrating:
        assert migrate(migrating, POSTGRES) == []
    opened.dispose()
    check_current(connection, POSTGRES)
    assert _differences(database, tables.landing()) == []


def test_a_database_that_was_never_migrated_is_refused_by_name_of_the_command(
    empty_database: Address,
) -> None:
    with (
        connect(empty_database) as connection,
        pytest.raises(SettingsWrong, match=r"revision none, .* run `worklist migrate`"),
    ):
        check_current(connection, POSTGRES)


def test_a_database_that_another_version_migrated_is_left_alone(
    database: Address, connection: psycopg.Connection
) -> None:
    connection.execute("update app.alembic_version set version_num = '0015'")
    unknown = "revision 0015, which this version of CHT Worklist does not know: install"
    with pytest.raises(SettingsWrong, match=unknown):
        steps.migrate(Settings.read({}), database)
    with pytest.raises(SettingsWrong, match=unknown):
        check_current(connection, POSTGRES)


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


def test_revisions_are_numbered_and_named_as_their_files() -> None:
    files = sorted(path.stem for path in (MIGRATIONS / "versions").glob("*.py"))
    assert [name[:5] for name in files] == [f"{number:04}_" for number in range(1, len(files) + 1)]
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    assert [script.revision for script in revisions] == files[::-1]
