"""Migrates the schema with alembic, landing and service tables, then renews the grants.

Tables that dbt builds are none of its business.
"""

from datetime import datetime

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import MetaData
from sqlalchemy.schema import SetColumnComment, SetTableComment

from pipeline import grants, tables
from pipeline.database import driver
from pipeline.errors import SettingsWrong
from pipeline.packaged_files import MIGRATIONS
from pipeline.settings import PostgresSettings


def migrate(connection: sqlalchemy.Connection, postgres: PostgresSettings) -> list[str]:
    """Brings the database up to the newest revision and renews the privileges of each role.

    Returns the statements that an administrator has to run because the account may not.
    """
    _lock_landing(driver(connection), postgres)
    if not _has_tables(driver(connection)):
        connection.execute(sqlalchemy.text("create schema app"))
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["landing_schema"] = postgres.schema
    config.attributes["landing_table"] = postgres.table
    command.upgrade(config, "head")
    landing = tables.landing(postgres.schema, postgres.table)
    for declared in (landing, tables.metadata):
        _write_comments(connection, declared)
    return grants.renew(driver(connection), landing)


def _lock_landing(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Keeps vacuums of an existing landing out until the migration commits.

    One that started meanwhile would hold a lock that the comments need, and wait for ours. Readers
    and writers go on.
    """
    landing = sql.Identifier(postgres.schema, postgres.table)
    if _exists(connection, landing.as_string(connection)):
        connection.execute(sql.SQL("lock table {} in share update exclusive mode").format(landing))


def _write_comments(connection: sqlalchemy.Connection, declared: MetaData) -> None:
    for table in declared.sorted_tables:
        if table.comment:
            connection.execute(SetTableComment(table))
        for column in table.columns:
            if column.comment:
                connection.execute(SetColumnComment(column))


def check_account(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong, with the statement that helps, if the account cannot migrate."""
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
            f"`worklist migrate` as its owner, or have an administrator run: {owning}"
        )


def other_owner(connection: psycopg.Connection) -> str | None:
    """The owner of the tables, if this account may not change them."""
    found = connection.execute("""
        select pg_get_userbyid(nspowner)::text
        from pg_namespace
        where nspname = 'app' and not pg_has_role(nspowner, 'usage')
    """).fetchone()
    return found[0] if found else None


def _has_tables(connection: psycopg.Connection) -> bool:
    return connection.execute("select to_regnamespace('app')").fetchone() != (None,)


def _exists(connection: psycopg.Connection, relation: str) -> bool:
    return connection.execute("select to_regclass(%s)", [relation]).fetchone() != (None,)


def check_database(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong if `worklist migrate` cannot bring the database up to date: another
    version migrated it, or another landing than the settings name was migrated.
    """
    found = _revision(connection)
    if found is None:
        _check_names(connection, postgres)
    elif found not in {script.revision for script in _scripts().walk_revisions()}:
        raise SettingsWrong(
            f"The database is at revision {found}, which this version of CHT Worklist does not "
            "know: install the version that migrated it, or use a new database."
        )
    else:
        _check_landing(connection, postgres)


def _check_names(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    names = {"POSTGRES_SCHEMA": postgres.schema, "POSTGRES_TABLE": postgres.table}
    for setting, name in names.items():
        if connection.execute("select quote_ident(%s)", [name]).fetchone() != (name,):
            raise SettingsWrong(f"{setting} is {name!r}, a reserved word of SQL: choose another.")


def _check_landing(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    found = _landings(connection)
    if (postgres.schema, postgres.table) in found:
        return
    named = f"POSTGRES_SCHEMA and POSTGRES_TABLE name {postgres.schema}.{postgres.table}"
    if not found:
        raise SettingsWrong(
            f"{named}, which is gone from this database: restore it from a backup, or use a new "
            "database."
        )
    schema, table = found[0]
    raise SettingsWrong(
        f"{named}, but this database was set up with {schema}.{table}: set POSTGRES_SCHEMA="
        f"{schema} and POSTGRES_TABLE={table} again, or use a new database."
    )


def _landings(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Schema and table of each landing, recognized by its table of documents set aside."""
    return connection.execute("""
        select namespace.nspname, left(list.relname, -length('_set_aside'))
        from pg_class as list
        inner join pg_namespace as namespace on list.relnamespace = namespace.oid
        inner join pg_attribute as key on list.oid = key.attrelid and key.attname = 'id_bytes'
        where right(list.relname, length('_set_aside')) = '_set_aside' and list.relkind = 'r'
        order by 1, 2
    """).fetchall()


def check_current(connection: psycopg.Connection, postgres: PostgresSettings) -> None:
    """Raises SettingsWrong if the database is not at the revision that this version needs, or was
    set up with another landing.
    """
    check_database(connection, postgres)
    found, needed = _revision(connection), _scripts().get_current_head()
    if found != needed:
        owner = other_owner(connection)
        raise SettingsWrong(
            f"The database is at revision {found or 'none'}, this version of CHT Worklist needs "
            f"{needed}: run `worklist migrate`{f' with the account {owner}' if owner else ''}."
        )


def _revision(connection: psycopg.Connection) -> str | None:
    if not _exists(connection, "app.alembic_version"):
        return None
    found = connection.execute("select version_num from app.alembic_version").fetchone()
    return found[0] if found else None


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def name_instance(
    connection: sqlalchemy.Connection, name: str, source: str, created_at: datetime
) -> str:
    """Records which CHT this database serves, and returns its name.

    A name that was recorded before stays, since report ids are derived from it; the source follows
    the host.
    """
    recorded: str = connection.execute(
        sqlalchemy.text("""
            insert into app.instance (name, source, created_at)
            values (:name, :source, :created_at)
            on conflict (only_row) do update set source = excluded.source
            returning name
        """),
        {"name": name, "source": source, "created_at": created_at},
    ).scalar_one()
    return recorded
