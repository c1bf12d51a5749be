"""Moves the schema with alembic: landing, service tables; then grants. Never dbt's tables."""

from datetime import datetime

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import MetaData
from sqlalchemy.schema import SetColumnComment, SetTableComment

from pipeline import grants, tables
from pipeline.database import driver
from pipeline.errors import SettingsWrong
from pipeline.settings import PROJECT, PostgresSettings


def migrate(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> list[str]:
    """Brings the database up to the newest revision, and grants each role what it may do.

    Returns the statements that an administrator has to run, where the account may not.
    """
    _wait_for_vacuums(connection, postgres)
    if not _has_tables(driver(connection)):
        connection.execute(sqlalchemy.text("create schema app"))
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["landing_schema"] = postgres.schema
    config.attributes["landing_table"] = postgres.table
    command.upgrade(config, "head")
    landing = MetaData()
    tables.landing(landing, postgres.schema, postgres.table)
    _describe(connection, landing)
    return grants.renew(driver(connection), landing)


def _wait_for_vacuums(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> None:
    """Of a landing that is there already, and keeps them out until we are done: one that came by
    meanwhile would wait for us with the lock that we need next. Others read and write on.
    """
    landing = sql.Identifier(postgres.schema, postgres.table)
    asked = driver(connection)
    found = asked.execute("select to_regclass(%s)", [landing.as_string(asked)]).fetchone()
    if found != (None,):
        asked.execute(sql.SQL("lock table {} in share update exclusive mode").format(landing))


def check_account(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong, with the statement that helps, where the account cannot migrate."""
    account, database, may_create, creating, owning = connection.execute(
        """
        select
            current_user::text,
            current_database()::text,
            has_database_privilege(current_database(), 'create'),
            format('grant create on database %%I to %%I;', current_database(), current_user),
            (
                select format('grant %%I to %%I;', pg_get_userbyid(relowner), current_user)
                from pg_class
                where
                    relnamespace = (select oid from pg_namespace where nspname = %s)
                    and relname = %s
                    and not pg_has_role(relowner, 'usage')
            )
        """,
        [postgres.schema, postgres.table],
    ).fetchone() or ("", "", True, "", None)
    if not may_create and not _has_tables(connection):
        raise SettingsWrong(
            f"The account {account} may not create schemas in the database {database}: have an "
            f"administrator run: {creating}"
        )
    if owning:
        raise SettingsWrong(
            f"{postgres.schema}.{postgres.table} does not belong to the account {account}: run "
            f"`worklist migrate` with its owner, or have an administrator run: {owning}"
        )


def other_owner(connection: psycopg.Connection) -> str | None:
    """Whose the tables are, where this account may not change them; None where it may, or where
    there are none yet.
    """
    found = connection.execute("""
        select pg_get_userbyid(nspowner)::text
        from pg_namespace
        where nspname = 'app' and not pg_has_role(nspowner, 'usage')
    """).fetchone()
    return found[0] if found else None


def _has_tables(connection: psycopg.Connection) -> bool:
    return connection.execute("select to_regnamespace('app')").fetchone() != (None,)


def check_landing(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong when the database was set up with another landing than the settings
    name, or when a new one cannot have such a name.
    """
    if connection.execute("select to_regclass('app.alembic_version')").fetchone() == (None,):
        _check_names(connection, postgres)
        return
    found = _landings(connection)
    if (postgres.schema, postgres.table) in found:
        return
    named = f"POSTGRES_SCHEMA and POSTGRES_TABLE name {postgres.schema}.{postgres.table}"
    if not found:
        raise SettingsWrong(
            f"{named}, which is gone from this database: restore it from a backup, or use a "
            "database of its own."
        )
    schema, table = found[0]
    raise SettingsWrong(
        f"{named}, but this database was set up with {schema}.{table}: set POSTGRES_SCHEMA="
        f"{schema} and POSTGRES_TABLE={table} again, or use a database of its own."
    )


def _check_names(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    names = {"POSTGRES_SCHEMA": postgres.schema, "POSTGRES_TABLE": postgres.table}
    for setting, name in names.items():
        if connection.execute("select quote_ident(%s)", [name]).fetchone() != (name,):
            raise SettingsWrong(f"{setting} is {name!r}, which is a word of SQL: write another.")


def _landings(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and table of each, known by the list of what was set aside that stands beside it."""
    return connection.execute("""
        select namespace.nspname, left(list.relname, -length('_set_aside'))
        from pg_class as list
        inner join pg_namespace as namespace on list.relnamespace = namespace.oid
        inner join pg_attribute as key on list.oid = key.attrelid and key.attname = 'id_bytes'
        where right(list.relname, length('_set_aside')) = '_set_aside' and list.relkind = 'r'
        order by 1, 2
    """).fetchall()


def check_current(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong when the database is not at the revision that this code expects, or was
    set up with another landing.
    """
    context = MigrationContext.configure(connection, opts={"version_table_schema": "app"})
    found = context.get_current_revision()
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    if found != expected:
        owner = other_owner(driver(connection))
        raise SettingsWrong(
            f"The database is at revision {found or 'none'}, this version of CHT Worklist needs "
            f"{expected}: run `worklist migrate`{f' with the account {owner}' if owner else ''}."
        )
    check_landing(driver(connection), postgres)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    return config


def _describe(connection: sqlalchemy.Connection, landing: MetaData) -> None:
    """Writes what `tables.py` says of tables and columns where readers of the database see it."""
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
