"""Moves the schema with alembic: landing, service tables, roles. Never dbt's tables."""

from datetime import datetime

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import MetaData
from sqlalchemy.schema import SetColumnComment, SetTableComment

from pipeline import tables
from pipeline.database import driver
from pipeline.errors import SettingsWrong
from pipeline.settings import PROJECT, PostgresSettings


def migrate(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> None:
    """Brings the database up to the newest revision; does nothing when it is there already."""
    _wait_for_vacuums(connection, postgres)
    connection.execute(sqlalchemy.text("create schema if not exists app"))
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["landing_schema"] = postgres.schema
    config.attributes["landing_table"] = postgres.table
    command.upgrade(config, "head")
    _describe(connection, postgres)


def _wait_for_vacuums(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> None:
    """Of a landing that is there already, and keeps them out until we are done: one that came by
    meanwhile would wait for us with the lock that we need next. Others read and write on.
    """
    landing = sql.Identifier(postgres.schema, postgres.table)
    asked = driver(connection)
    found = asked.execute("select to_regclass(%s)", [landing.as_string(asked)]).fetchone()
    if found != (None,):
        asked.execute(sql.SQL("lock table {} in share update exclusive mode").format(landing))


def check_current(connection: sqlalchemy.Connection) -> None:
    """Raises SettingsWrong when the database is not at the revision that this code expects."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": "app"})
    found = context.get_current_revision()
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    if found != expected:
        raise SettingsWrong(
            f"The database is at revision {found or 'none'}, this version of CHT Worklist needs "
            f"{expected}: run `worklist migrate`."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    return config


def _describe(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> None:
    """Writes what `tables.py` says of tables and columns where readers of the database see it."""
    landing = MetaData()
    tables.landing(landing, postgres.schema, postgres.table)
    own = [table for table in tables.metadata.tables.values() if table.schema == "app"]
    for table in (*landing.sorted_tables, *own):
        if table.comment:
            connection.execute(SetTableComment(table))
        for column in table.columns:
            if column.comment:
                connection.execute(SetColumnComment(column))


def name_instance(
    connection: sqlalchemy.Connection, name: str, source: str, created_at: datetime
) -> None:
    """Writes down which CHT this database serves.

    The name is kept for ever once given, since report ids are made from it; the source follows
    the host.
    """
    connection.execute(
        sqlalchemy.text("""
            insert into app.instance (name, source, created_at)
            values (:name, :source, :created_at)
            on conflict (only_row) do update set source = excluded.source
        """),
        {"name": name, "source": source, "created_at": created_at},
    )
