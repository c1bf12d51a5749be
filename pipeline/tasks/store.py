"""Writes what tasks.yml says into app.programme and app.task_…; nobody else does."""

import re
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

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
    connection.execute(
        "analyze app.programme, app.task_definition, app.task_event, app.task_resolver"
    )


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
