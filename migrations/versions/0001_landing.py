"""The landing: the tables of cht-sync, with columns of our own added

Schema and table carry the operator's names (POSTGRES_SCHEMA, POSTGRES_TABLE).
"""

from alembic import context, op
from sqlalchemy import text

from pipeline.errors import SettingsWrong

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = context.config.attributes["landing_schema"]
    table = context.config.attributes["landing_table"]
    found = op.get_bind().execute(text("select to_regclass(:name)"), {"name": f"{schema}.{table}"})
    if found.scalar_one() is not None:
        raise SettingsWrong(
            f"The table {schema}.{table} exists and was not made by CHT Worklist. Set "
            "POSTGRES_SCHEMA to another name, or use a database of its own."
        )
    for statement in _STATEMENTS:
        op.execute(statement.format(schema=schema, table=table))


_STATEMENTS = (
    "create schema if not exists {schema}",
    "create sequence {schema}.{table}_landed_number",
    """
    create table {schema}.{table} (
        saved_timestamp timestamp,
        _id varchar not null,
        _deleted boolean,
        source varchar not null,
        doc jsonb,
        landed_number bigint not null default nextval('{schema}.{table}_landed_number'),
        last_content jsonb,
        constraint {table}_pkey primary key (source, _id)
    )
    """,
    """
    create unique index {table}_source_landed_number
    on {schema}.{table} (source, landed_number)
    """,
    "create index {table}__deleted on {schema}.{table} (_deleted)",
    "create index {table}_saved_timestamp on {schema}.{table} (saved_timestamp)",
    """
    create table {schema}.{table}_progress (
        seq varchar,
        pending integer,
        updated_at timestamptz,
        source varchar primary key
    )
    """,
    """
    create table {schema}.{table}_altered (
        source varchar not null,
        _id varchar not null,
        reason text not null,
        altered_at timestamptz not null,
        primary key (source, _id)
    )
    """,
    """
    create table {schema}.{table}_set_aside (
        source varchar not null,
        id_bytes bytea not null,
        content bytea not null,
        reason text not null,
        set_aside_at timestamptz not null,
        primary key (source, id_bytes)
    )
    """,
)
