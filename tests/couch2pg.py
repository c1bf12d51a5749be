"""cht-sync's couch2pg as PostgreSQL sees it: its tables, its statements, its kind of rows.

It writes a page in one statement that commits by itself, and the sequence in another.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pipeline.cht.client import ChtClient

Stored = tuple[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Couch2pg:
    """One couch2pg that copies one database; a document of None is a deletion."""

    connection: psycopg.Connection
    source: str = "cht.example/medic"

    def create_tables(self) -> None:
        for statement in (
            "create schema if not exists v1",
            """
            create table if not exists v1.couchdb (
                saved_timestamp timestamp, _id varchar primary key, _deleted boolean,
                source varchar, doc jsonb
            )
            """,
            "create index if not exists couchdb_deleted on v1.couchdb (_deleted)",
            "create index if not exists couchdb_saved on v1.couchdb (saved_timestamp)",
            "create index if not exists couchdb_source on v1.couchdb (source)",
            """
            create table if not exists v1.couchdb_progress (
                seq varchar, pending integer, updated_at timestamptz, source varchar primary key
            )
            """,
        ):
            self.connection.execute(statement)
        self.connection.execute(
            "insert into v1.couchdb_progress (seq, pending, source, updated_at) "
            "values ('0', null, %s, current_timestamp) on conflict do nothing",
            [self.source],
        )

    def store(self, *documents: Stored) -> None:
        values: list[Any] = []
        for document_id, document in documents:
            stub = {"_id": document_id, "_rev": "9-gone", "_deleted": True}
            content = stub if document is None else {"_id": document_id, **document}
            values += [datetime.now(UTC).replace(tzinfo=None), document_id, document is None]
            values += [self.source, Jsonb(content)]
        rows = sql.SQL(",").join([sql.SQL("(%s, %s, %s, %s, %s)")] * len(documents))
        statement = sql.SQL("""
            insert into v1.couchdb (saved_timestamp, _id, _deleted, source, doc) values {}
            on conflict (_id) do update set
                saved_timestamp = excluded.saved_timestamp,
                _deleted = excluded._deleted,
                source = excluded.source,
                doc = excluded.doc
        """)
        self.connection.execute(statement.format(rows), values)

    def store_sequence(self, sequence: str) -> None:
        self.connection.execute(
            "update v1.couchdb_progress set seq = %s, pending = 0, updated_at = current_timestamp "
            "where source = %s",
            [sequence, self.source],
        )

    def copy(self, client: ChtClient) -> None:
        """All that the CHT has, as couch2pg would bring it."""
        with client.changes("medic", None, 5000) as parts:
            for part in parts:
                self.store(*(_copied(bytes(row.id), bytes(row.doc)) for row in part.rows))
                if part.end:
                    self.store_sequence(part.end.sequence)


def _copied(json_id: bytes, document: bytes) -> Stored:
    """couch2pg takes U+0000 out, and the backslashes before it."""
    content = re.sub(rb"\\+u0000", b"", document).decode()
    return json.loads(json_id), None if content == "null" else json.loads(content)


def stored_in_the_landing(connection: psycopg.Connection) -> dict[str, tuple[Any, ...]]:
    """By id: content, whether deleted, kept content, number."""
    rows = connection.execute(
        "select _id, doc, _deleted, last_content, landed_number from v1.couchdb"
    )
    return {row[0]: row[1:] for row in rows}
