"""The landing: documents, progress, what was altered and what was set aside.

Nothing here commits: `run` commits documents and the sequence they reach in one transaction.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pipeline.errors import Conflict, SettingsWrong
from pipeline.sync.binary_arrays import Blobs, Flags, Texts
from pipeline.sync.rules import TEXT_ALTERED, Document, set_aside_key

UNSTORABLE = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,  # a string or an id too long
    psycopg.errors.StatementTooComplex,  # nested too deeply
)


@dataclass(frozen=True)
class Landing:
    """The landing's tables, whose names the operator may choose; whether the last content of a
    deleted document is kept; whether cht-sync's couch2pg writes them.
    """

    schema: str = "v1"
    table: str = "couchdb"
    keeps_deleted_content: bool = True
    is_written_by_couch2pg: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """couch2pg needs a key on exactly `_id`, which allows one database only."""
        return ("_id",) if self.is_written_by_couch2pg else ("source", "_id")

    @property
    def documents(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    @property
    def progress(self) -> sql.Identifier:
        """cht-sync's name for it, whatever the table of the documents is called."""
        return sql.Identifier(self.schema, "couchdb_progress")

    @property
    def altered(self) -> sql.Identifier:
        return sql.Identifier(self.schema, f"{self.table}_altered")

    @property
    def set_aside(self) -> sql.Identifier:
        return sql.Identifier(self.schema, f"{self.table}_set_aside")

    @property
    def failures(self) -> sql.Identifier:
        return sql.Identifier(self.schema, f"{self.table}_sync_failure")

    def lock_name(self, source: str) -> str:
        return f"{self.schema}.{self.table} {source}"


def key_columns(connection: psycopg.Connection, landing: Landing) -> tuple[str, ...]:
    """The columns of the landing's primary key, in order; empty where there is none."""
    return tuple(
        name
        for (name,) in connection.execute(
            """
            select attribute.attname
            from pg_constraint as key
            cross join unnest(key.conkey) with ordinality as part (number, position)
            inner join pg_attribute as attribute
                on key.conrelid = attribute.attrelid
                and part.number = attribute.attnum
            where
                key.conrelid = to_regclass(%s)
                and key.contype = 'p'
            order by part.position
            """,
            [landing.documents.as_string(connection)],
        )
    )


@contextmanager
def locked(connection: psycopg.Connection, landing: Landing, source: str) -> Iterator[None]:
    """One writer for each source, by an advisory lock of the session. Raises Conflict, naming the
    holder, when it is taken, and SettingsWrong where the landing's key does not fit the settings.
    """
    name = {"name": landing.lock_name(source)}
    with connection.transaction():
        if key_columns(connection, landing) != landing.key:
            raise SettingsWrong(
                f"The key of {landing.schema}.{landing.table} does not match WORKLIST_SYNC: run "
                "`worklist migrate`."
            )
        taken = connection.execute(
            "select pg_try_advisory_lock(hashtextextended(%(name)s, 0))", name
        ).fetchone()
        if taken != (True,):
            raise Conflict(f"Another sync of {source} is running: {_holder(connection, name)}.")
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError), connection.transaction():
            connection.execute("select pg_advisory_unlock(hashtextextended(%(name)s, 0))", name)


def _holder(connection: psycopg.Connection, name: dict[str, str]) -> str:
    found = connection.execute(
        """
        select
            activity.pid,
            coalesce(nullif(activity.application_name, ''), 'no name'),
            activity.client_addr,
            to_char(activity.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
        from pg_locks as held
        inner join pg_stat_activity as activity on held.pid = activity.pid
        where
            held.locktype = 'advisory'
            and held.granted
            and held.objsubid = 1
            and held.database = (
                select pg_database.oid
                from pg_database
                where pg_database.datname = current_database()
            )
            and (held.classid::bigint << 32) | held.objid::bigint
            = hashtextextended(%(name)s, 0)
        """,
        name,
    ).fetchone()
    if found is None:
        return "it has just ended; try again"
    pid, application, address, since = found
    return f"process {pid} ({application}) from {address or 'this host'}, since {since} UTC"


def read_sequence(connection: psycopg.Connection, landing: Landing, source: str) -> str | None:
    """The sequence reached, an opaque text; None before the first page."""
    found = connection.execute(
        sql.SQL(
            "select progress.seq from {progress} as progress where progress.source = %s"
        ).format(progress=landing.progress),
        (source,),
    ).fetchone()
    return str(found[0]) if found and found[0] is not None else None


def forget_sequence(connection: psycopg.Connection, landing: Landing, source: str) -> None:
    connection.execute(
        sql.SQL("update {progress} set seq = null where source = %s").format(
            progress=landing.progress
        ),
        (source,),
    )


def has_lost_sequence(connection: psycopg.Connection, landing: Landing, source: str) -> bool:
    """Whether the source was followed before and its sequence was forgotten."""
    found = connection.execute(
        sql.SQL("select from {progress} where source = %s and seq is null").format(
            progress=landing.progress
        ),
        (source,),
    ).fetchone()
    return found is not None


def latest_revisions(
    connection: psycopg.Connection, landing: Landing, source: str, count: int
) -> dict[str, str]:
    """The revisions, by id, of the documents that landed last; adopted rows have no order."""
    rows = connection.execute(
        sql.SQL(
            """
            select latest._id, latest.revision
            from (
                select landed._id, landed.doc ->> '_rev' as revision
                from {documents} as landed
                where landed.source = %(source)s and landed.landed_number > 0
                order by landed.landed_number desc
                limit %(count)s
            ) as latest
            where
                latest.revision is not null
                and not exists (
                    select from {altered} as altered
                    where altered.source = %(source)s and altered._id = latest._id
                )
            """
        ).format(documents=landing.documents, altered=landing.altered),
        {"source": source, "count": count},
    ).fetchall()
    return dict(rows)


def highest_number(connection: psycopg.Connection, landing: Landing, source: str) -> int:
    """Grows with every write; 0 where nothing was written since an adoption."""
    statement = sql.SQL("select max(landed.landed_number) from {} as landed where source = %s")
    row = connection.execute(statement.format(landing.documents), (source,)).fetchone()
    return int(row[0] or 0) if row else 0


def save_progress(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    sequence: str,
    pending: int | None,
    moment: datetime,
) -> None:
    """Also forgets an earlier failure."""
    connection.execute(
        sql.SQL(
            """
            with over as (
                delete from {failures} as failure where failure.source = %(source)s
            )

            insert into {progress} (seq, pending, updated_at, source)
            values (%(seq)s, %(pending)s, %(moment)s, %(source)s)
            on conflict (source) do update set
                seq = excluded.seq,
                pending = excluded.pending,
                updated_at = excluded.updated_at
            """
        ).format(progress=landing.progress, failures=landing.failures),
        {"seq": sequence, "pending": pending, "moment": moment, "source": source},
    )


def note_failure(
    connection: psycopg.Connection, landing: Landing, source: str, reason: str, moment: datetime
) -> None:
    connection.execute(
        sql.SQL(
            """
            insert into {failures} as failure (source, failing_since, failed_at, reason)
            values (%(source)s, %(moment)s, %(moment)s, %(reason)s)
            on conflict (source) do update set
                failed_at = excluded.failed_at,
                reason = excluded.reason
            """
        ).format(failures=landing.failures),
        {"source": source, "moment": moment, "reason": reason},
    )


@dataclass(frozen=True)
class Landed:
    """How many rows were written, and the ids that PostgreSQL refused."""

    written: int
    set_aside: frozenset[bytes]


def land(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    documents: Sequence[Document],
    moment: datetime,
) -> Landed:
    """Writes the documents that differ from their rows; sets aside what cannot be stored.

    Must run inside a transaction; `documents` name an id once.
    """
    landed = _land(connection, landing, source, documents, moment)
    stored = [document for document in documents if document.id not in landed.set_aside]
    has_altered, has_set_aside = _has_lists(connection, landing, source)
    if has_altered or any(document.is_altered for document in stored):
        _note_altered(connection, landing, source, stored, moment)
    if has_set_aside:
        _forget_set_aside(connection, landing, source, stored)
    return landed


def _has_lists(connection: psycopg.Connection, landing: Landing, source: str) -> tuple[bool, bool]:
    """Whether anything of the source is listed as altered, and as set aside."""
    statement = sql.SQL("""
        select
            exists(select from {altered} as altered where altered.source = %(source)s),
            exists(select from {set_aside} as kept where kept.source = %(source)s)
    """).format(altered=landing.altered, set_aside=landing.set_aside)
    row = connection.execute(statement, {"source": source}).fetchone()
    return row or (True, True)


def _land(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    documents: Sequence[Document],
    moment: datetime,
) -> Landed:
    """Halves a failing batch until the bad document is alone, so that the others land."""
    if not documents:
        return Landed(0, frozenset())
    try:
        with connection.transaction():
            return Landed(write(connection, landing, source, documents, moment), frozenset())
    except UNSTORABLE as error:
        if len(documents) == 1:
            _set_aside(connection, landing, source, documents[0], _reason(error), moment)
            return Landed(0, frozenset({documents[0].id}))
    middle = len(documents) // 2
    first = _land(connection, landing, source, documents[:middle], moment)
    second = _land(connection, landing, source, documents[middle:], moment)
    return Landed(first.written + second.written, first.set_aside | second.set_aside)


def write(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    documents: Sequence[Document],
    moment: datetime,
) -> int:
    """How many rows are new or changed. `excluded.landed_number` is a new number by default."""
    return connection.execute(
        sql.SQL(
            """
            insert into {documents} as landed (saved_timestamp, _id, _deleted, source, doc)
            select
                %(moment)s::timestamptz at time zone 'UTC',
                page.id,
                page.is_deleted,
                %(source)s,
                page.content::jsonb
            from unnest(
                %(ids)b::text[], %(deletions)b::boolean[], %(contents)b::text[]
            ) as page (id, is_deleted, content)
            on conflict ({key}) do update set
                saved_timestamp = excluded.saved_timestamp,
                _deleted = excluded._deleted,
                doc = excluded.doc,
                landed_number = excluded.landed_number,
                last_content = case
                    when not (excluded._deleted and %(keeps_content)s) then null
                    when landed._deleted then landed.last_content
                    else landed.doc
                end
            where
                landed.doc is distinct from excluded.doc
                or coalesce(landed._deleted, false) is distinct from excluded._deleted
            """
        ).format(
            documents=landing.documents,
            key=sql.SQL(", ").join(map(sql.Identifier, landing.key)),
        ),
        {
            "moment": moment,
            "source": source,
            "keeps_content": landing.keeps_deleted_content,
            "ids": Texts(document.id for document in documents),
            "deletions": Flags(document.is_deleted for document in documents),
            "contents": Texts(document.content for document in documents),
        },
    ).rowcount


def erase_kept(connection: psycopg.Connection, landing: Landing, source: str, count: int) -> int:
    """Erases the last content of at most `count` deleted documents, and their entries among the
    altered ones; returns how many.
    """
    return connection.execute(
        sql.SQL(
            """
            with kept as materialized (
                select landed._id
                from {documents} as landed
                where
                    landed.source = %(source)s
                    and landed._deleted
                    and landed.last_content is not null
                limit %(count)s
            ),

            unlisted as (
                delete from {altered} as altered
                using kept
                where altered.source = %(source)s and altered._id = kept._id
            )

            update {documents} as landed
            set last_content = null
            from kept
            where landed.source = %(source)s and landed._id = kept._id
            """
        ).format(documents=landing.documents, altered=landing.altered),
        {"source": source, "count": count},
    ).rowcount


def _note_altered(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    documents: Sequence[Document],
    moment: datetime,
) -> None:
    """Lists altered documents. A later revision that needs no change is taken off the list, a
    deletion is not where the last content is kept.
    """
    clean = Texts(
        one.id
        for one in documents
        if not one.is_altered and not (one.is_deleted and landing.keeps_deleted_content)
    )
    connection.execute(
        sql.SQL(
            """
            delete from {altered} as altered
            where
                altered.source = %(source)s
                and altered._id = any(%(clean)b::text[])
            """
        ).format(altered=landing.altered),
        {"source": source, "clean": clean},
    )
    altered = Texts(document.id for document in documents if document.is_altered)
    if altered:
        connection.execute(
            sql.SQL(
                """
                insert into {altered} (source, _id, reason, altered_at)
                select %(source)s, page.id, %(reason)s, %(moment)s
                from unnest(%(altered)b::text[]) as page (id)
                on conflict (source, _id) do nothing
                """
            ).format(altered=landing.altered),
            {"source": source, "reason": TEXT_ALTERED, "moment": moment, "altered": altered},
        )


def _set_aside(
    connection: psycopg.Connection,
    landing: Landing,
    source: str,
    document: Document,
    reason: str,
    moment: datetime,
) -> None:
    connection.execute(
        sql.SQL(
            """
            insert into {set_aside} as kept (source, id_bytes, content, reason, set_aside_at)
            values (%(source)s, %(key)b, %(content)b, %(reason)s, %(moment)s)
            on conflict (source, id_bytes) do update set
                content = excluded.content,
                reason = excluded.reason,
                set_aside_at = excluded.set_aside_at
            where kept.content is distinct from excluded.content
            """
        ).format(set_aside=landing.set_aside),
        {
            "source": source,
            "key": set_aside_key(document.id),
            "content": bytes(document.content),
            "reason": reason,
            "moment": moment,
        },
    )


def _forget_set_aside(
    connection: psycopg.Connection, landing: Landing, source: str, documents: Sequence[Document]
) -> None:
    connection.execute(
        sql.SQL(
            """
            delete from {set_aside} as kept
            where kept.source = %(source)s and kept.id_bytes = any(%(keys)b::bytea[])
            """
        ).format(set_aside=landing.set_aside),
        {"source": source, "keys": Blobs(set_aside_key(document.id) for document in documents)},
    )


def set_aside_keys(connection: psycopg.Connection, landing: Landing, source: str) -> list[bytes]:
    statement = sql.SQL("select kept.id_bytes from {} as kept where kept.source = %s")
    rows = connection.execute(statement.format(landing.set_aside), (source,)).fetchall()
    return [key for (key,) in rows]


def set_aside_content(
    connection: psycopg.Connection, landing: Landing, source: str, key: bytes
) -> bytes:
    """Empty where it is no longer set aside."""
    statement = sql.SQL("select content from {} where source = %s and id_bytes = %s")
    row = connection.execute(statement.format(landing.set_aside), (source, key)).fetchone()
    return bytes(row[0]) if row else b""


def set_aside_reasons(
    connection: psycopg.Connection, landing: Landing, source: str
) -> Counter[str]:
    statement = sql.SQL(
        "select kept.reason, count(*) from {} as kept where kept.source = %s group by kept.reason"
    )
    return Counter(dict(connection.execute(statement.format(landing.set_aside), (source,))))


def _reason(error: psycopg.Error) -> str:
    """PostgreSQL's message up to the colon, after which it may quote the document."""
    said = (error.diag.message_primary or type(error).__name__).split(":")[0]
    return f"{said} ({error.sqlstate})"


def overview(
    connection: psycopg.Connection, landing: Landing, sources: Sequence[str]
) -> list[dict[str, Any]]:
    """One entry per source: its progress and counts of documents; for `sources` also since when
    and why their sync has been failing.
    """
    statement = sql.SQL("""
        select
            asked.source,
            asked.updated_at,
            asked.pending,
            asked.failing_since,
            asked.failed_at,
            asked.failing_because,
            (
                select count(*) from {documents} as document
                where document.source = asked.source
            ) as documents,
            (
                select count(*) from {altered} as altered
                where altered.source = asked.source
            ) as altered,
            (
                select count(*) from {set_aside} as set_aside
                where set_aside.source = asked.source
            ) as set_aside
        from (
            select
                coalesce(progress.source, failure.source) as source,
                progress.updated_at,
                progress.pending,
                failure.failing_since,
                failure.failed_at,
                failure.reason as failing_because
            from {progress} as progress
            full join (
                select * from {failures} as failed where failed.source = any(%s)
            ) as failure on progress.source = failure.source
        ) as asked
        order by asked.source
    """).format(
        documents=landing.documents,
        altered=landing.altered,
        set_aside=landing.set_aside,
        progress=landing.progress,
        failures=landing.failures,
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, (list(sources),)).fetchall()


def last_asked(connection: psycopg.Connection, landing: Landing) -> datetime | None:
    """When the CHT was last asked for changes; the earliest of several sources."""
    statement = sql.SQL("select min(progress.updated_at) from {} as progress")
    row = connection.execute(statement.format(landing.progress)).fetchone()
    return row[0] if row else None
