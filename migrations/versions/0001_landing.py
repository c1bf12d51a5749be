"""The landing: the tables of cht-sync, with columns of our own added

Schema and table carry the operator's names (POSTGRES_SCHEMA, POSTGRES_TABLE).
"""

from alembic import context, op
from sqlalchemy import text

revision = "0001_landing"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An existing table of documents is cht-sync's, altered by `pipeline.adoption` before."""
    schema = context.config.attributes["landing_schema"]
    table = context.config.attributes["landing_table"]
    found = op.get_bind().execute(text("select to_regclass(:name)"), {"name": f"{schema}.{table}"})
    documents = _DOCUMENTS if found.scalar_one() is None else ()
    for statement in (*documents, *_OTHERS):
        op.execute(statement.format(schema=schema, table=table))


_DOCUMENTS = (
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
    "create index {table}_by_number on {schema}.{table} (source, landed_number)",
    "create index {table}__deleted on {schema}.{table} (_deleted)",
    "create index {table}_saved_timestamp on {schema}.{table} (saved_timestamp)",
)

_OTHERS = (
    """
    create table if not exists {schema}.couchdb_progress (
        seq varchar,
        pending integer,
        updated_at timestamptz,
        source varchar primary key
    )
    """,
    """
    create table if not exists {schema}.{table}_altered (
        source varchar not null,
        _id varchar not null,
        reason text not null,
        altered_at timestamptz not null,
        primary key (source, _id)
    )
    """,
    """
    create table if not exists {schema}.{table}_set_aside (
        source varchar not null,
        id_bytes bytea not null,
        content bytea not null,
        reason text not null,
        set_aside_at timestamptz not null,
        primary key (source, id_bytes)
    )
    """,
    """
    create table if not exists {schema}.{table}_sync_failure (
        source varchar primary key,
        failing_since timestamptz not null,
        failed_at timestamptz not null,
        reason text not null
    )
    """,
)
