"""Writes what tasks.yml says into app.programme and app.task_…; nobody else does.

Reads which names the landed documents know, for `worklist tasks check`, which may come before the
first refresh.
"""

import re
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from pipeline.tasks.unknown_names import Kind

Row = dict[str, Any]


def predicate_error(connection: psycopg.Connection, predicate: str) -> str | None:
    """What PostgreSQL has against `predicate`, or None.

    Asked of an empty document a predicate answers false or unknown; a path such as `$.x`, which
    selects and decides nothing, is an error there. A variable might not be reached there and
    would fail a refresh later.
    """
    try:
        with connection.transaction():
            row = connection.execute(
                """
                select path.path::text, jsonb_path_match_tz('{}', path.path)
                from (select %s::text::jsonpath as path) as path
                """,
                [predicate],
            ).fetchone()
    except (psycopg.DataError, psycopg.errors.SyntaxError) as error:
        return error.diag.message_primary
    if row and (names := _variables(row[0])):
        return f"variable {names[0]} has no value here"
    return None


def _variables(path: str) -> list[str]:
    """The variables of a path as PostgreSQL writes it: a $ before a quoted name."""
    quoted = re.finditer(r'(\$?)"(?:[^"\\]|\\.)*"', path)
    return [found.group() for found in quoted if found.group(1)]


def has_landed(connection: psycopg.Connection, documents: sql.Identifier) -> bool:
    """Whether there is any document to compare with, in a landing that this account may read."""
    statement = sql.SQL("select exists ({} select from landed)").format(_landed(documents))
    try:
        with connection.transaction():
            row = connection.execute(statement).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return False
    return bool(row and row[0])


def configured_names(
    connection: psycopg.Connection, documents: sql.Identifier, forms: list[str]
) -> set[tuple[Kind, str]]:
    """What the CHT's settings name, and which of `forms` are uploaded; looks up a few documents."""
    statement = sql.SQL("""
        {landed},
        settings as (
            select landed.doc -> 'settings' as content
            from landed
            where landed._id = 'settings'
        ),

        named as (
            select
                'role' as kind,
                jsonb_path_query(content, '$.roles.keyvalue().key', silent => true) as name
            from settings
            union all
            select 'form', jsonb_path_query(content, '$.forms.keyvalue().key', silent => true)
            from settings
            union all
            select
                'contact type',
                jsonb_path_query(content, '$.contact_types[*].id', silent => true)
            from settings
        )

        select named.kind, named.name #>> '{{}}'
        from named
        union
        select 'form', substr(landed._id, length('form:') + 1)
        from landed
        where landed._id = any(%(ids)s)
    """).format(landed=_landed(documents))
    return _names(connection, statement, {"ids": [f"form:{form}" for form in forms]})


def used_names(connection: psycopg.Connection, documents: sql.Identifier) -> set[tuple[Kind, str]]:
    """The form of every report and form document, the type of every contact, the roles of every
    user; reads the whole landing.
    """
    statement = sql.SQL("""
        {landed},
        used as materialized (
            select distinct
                landed.doc ->> 'type' as type,
                case landed.doc ->> 'type'
                    when 'data_record' then landed.doc ->> 'form'
                    when 'form' then coalesce(
                        landed.doc ->> 'internalId', substr(landed._id, length('form:') + 1)
                    )
                    when 'contact' then landed.doc ->> 'contact_type'
                end as name,
                case landed.doc ->> 'type'
                    when 'user-settings' then landed.doc -> 'roles'
                end as roles
            from landed
        ),

        named as (
            select 'form' as kind, used.name
            from used
            where used.type in ('data_record', 'form')
            union all
            select 'contact type', case used.type when 'contact' then used.name else used.type end
            from used
            where used.type in (
                'contact', 'person', 'clinic', 'health_center', 'district_hospital'
            )
            union all
            select 'role', jsonb_path_query(used.roles, '$[*]', silent => true) #>> '{{}}'
            from used
        )

        select distinct named.kind, named.name
        from named
        where named.name <> ''
    """).format(landed=_landed(documents))
    return _names(connection, statement, {})


def _landed(documents: sql.Identifier) -> sql.Composed:
    """The documents of the database that tasks come from."""
    return sql.SQL("""
        with landed as not materialized (
            select documents._id, documents.doc
            from {documents} as documents
            where
                documents.source = (select instance.source from app.instance)
                and documents._deleted is not true
        )
    """).format(documents=documents)


def _names(
    connection: psycopg.Connection, statement: sql.Composed, values: Row
) -> set[tuple[Kind, str]]:
    return {(Kind(kind), name) for kind, name in connection.execute(statement, values)}


def save_programme(connection: psycopg.Connection, programme: Row, stored_at: datetime) -> None:
    _upsert(
        connection,
        "programme",
        ["only_row"],
        {"only_row": True, **programme, "stored_at": stored_at},
    )


def save_definitions(connection: psycopg.Connection, definitions: list[Row]) -> None:
    """Makes app.task_definition hold exactly these."""
    connection.execute(
        "delete from app.task_definition where not name = any(%s)",
        [[row["name"] for row in definitions]],
    )
    for row in definitions:
        _upsert(connection, "task_definition", ["name"], row)


def save_events(connection: psycopg.Connection, events: list[Row]) -> None:
    """Makes app.task_event hold exactly these."""
    connection.execute("delete from app.task_event")
    for row in events:
        _upsert(connection, "task_event", ["definition", "event"], row)


def save_resolvers(connection: psycopg.Connection, resolvers: list[Row]) -> None:
    """Makes app.task_resolver hold exactly these."""
    connection.execute("delete from app.task_resolver")
    for row in resolvers:
        _upsert(connection, "task_resolver", ["definition", "resolver"], row)


def analyze(connection: psycopg.Connection) -> None:
    """Lets the planner know how few they are; autovacuum never looks at tables this small, and
    every refresh and mart joins them."""
    connection.execute("select app.analyze_definitions()")


def _upsert(connection: psycopg.Connection, table: str, key: list[str], row: Row) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Placeholder, row))
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in row
    )
    statement = sql.SQL(
        "insert into app.{table} ({columns}) values ({values})"
        " on conflict ({key}) do update set {changes}"
    ).format(
        table=sql.Identifier(table),
        columns=columns,
        values=values,
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        changes=changes,
    )
    connection.execute(statement, row)
