"""The SQL that compares the CHT's list of documents with the landing. Nothing here commits.

The list is in temporary tables, so that it needs disk and not memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from pipeline.sync.binary_arrays import Blobs, Texts
from pipeline.sync.rules import set_aside_key
from pipeline.sync.store import Landing


@dataclass(frozen=True)
class Difference:
    """A document to fetch again; the two ids differ where one contains U+0000."""

    cht_id: str
    landed_id: str


def begin_listing(connection: psycopg.Connection) -> None:
    connection.execute("""
        drop table if exists pg_temp.listed, pg_temp.difference;
        create temporary table listed (_id text, cht_id bytea, revision text);
        create temporary table difference (_id text, cht_id bytea, is_stale boolean)
    """)


def add_listed(connection: psycopg.Connection, listed: Sequence[tuple[str, bytes, str]]) -> None:
    connection.execute(
        """
        insert into pg_temp.listed (_id, cht_id, revision)
        select page._id, page.cht_id, page.revision
        from unnest(
            %(ids)b::text[], %(cht_ids)b::bytea[], %(revisions)b::text[]
        ) as page (_id, cht_id, revision)
        """,
        {
            "ids": Texts(landed_id.encode() for landed_id, _, _ in listed),
            "cht_ids": Blobs(cht_id for _, cht_id, _ in listed),
            "revisions": Texts(revision.encode() for _, _, revision in listed),
        },
    )


def find_differences(connection: psycopg.Connection, landing: Landing, source: str) -> None:
    """Stale rows contradict the list; the others are deletions whose last content is kept.

    A document that was set aside in the listed revision is no difference.
    """
    connection.execute("analyze pg_temp.listed")
    connection.execute(
        sql.SQL(
            """
            insert into pg_temp.difference (_id, cht_id, is_stale)
            select
                coalesce(landed._id, listed._id),
                coalesce(listed.cht_id, convert_to(landed._id, 'UTF8')),
                listed._id is not null or not landed.is_deleted
            from pg_temp.listed as listed
            full join (
                select
                    document._id,
                    document.doc ->> '_rev' as revision,
                    coalesce(document._deleted, false) as is_deleted,
                    document.last_content is not null as has_last_content
                from {documents} as document
                where document.source = %(source)s
            ) as landed
                on listed._id = landed._id
            where
                case
                    when listed._id is null
                        then not landed.is_deleted or landed.has_last_content
                    else (
                        landed._id is null
                        or landed.is_deleted
                        or landed.revision is distinct from listed.revision
                    )
                    and not exists (
                        select
                        from {set_aside} as kept
                        where
                            kept.source = %(source)s
                            and kept.id_bytes = convert_to(listed._id, 'UTF8')
                            and position(
                                convert_to('"_rev":"' || listed.revision || '"', 'UTF8')
                                in kept.content
                            ) > 0
                    )
                end
            """
        ).format(documents=landing.documents, set_aside=landing.set_aside),
        {"source": source},
    )


def take_differences(
    connection: psycopg.Connection, is_stale: bool, count: int
) -> list[Difference]:
    rows = connection.execute(
        """
        delete from pg_temp.difference
        where ctid = any(array(
            select difference.ctid
            from pg_temp.difference as difference
            where difference.is_stale = %(is_stale)s
            limit %(count)s
        ))
        returning cht_id, _id
        """,
        {"is_stale": is_stale, "count": count},
    ).fetchall()
    return [Difference(cht_id.decode(), landed_id) for cht_id, landed_id in rows]


def purge(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    landed_ids: Sequence[str],
    moment: datetime,
) -> int:
    """Turns rows into deletions without content, with a new landed_number for derived tables."""
    if not landed_ids:
        return 0
    ids = [landed_id.encode() for landed_id in landed_ids]
    for table in (landing.altered, landing.set_aside):
        is_set_aside = table == landing.set_aside
        connection.execute(
            sql.SQL("delete from {} where source = %s and {} = any(%b)").format(
                table, sql.Identifier("id_bytes" if is_set_aside else "_id")
            ),
            (source, Blobs(map(set_aside_key, ids)) if is_set_aside else Texts(ids)),
        )
    return connection.execute(
        sql.SQL(
            """
            update {documents} as landed
            set
                saved_timestamp = %(moment)s::timestamptz at time zone 'UTC',
                _deleted = true,
                doc = jsonb_build_object('_id', landed._id, '_deleted', true),
                last_content = null,
                landed_number = default
            where landed.source = %(source)s and landed._id = any(%(ids)b)
            """
        ).format(documents=landing.documents),
        {"source": source, "ids": Texts(ids), "moment": moment},
    ).rowcount
