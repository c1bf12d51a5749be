"""Makes the landing of a cht-sync ours, beside everybody who reads and writes it.

No row is rewritten. What takes long (a unique index, a check of every row) leaves the table open to
others; what needs it alone takes an instant, and gives up before others have waited for it. Each
step looks whether it is done already, so that a migration that broke off is simply run again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from pipeline.errors import SettingsWrong, Unavailable
from pipeline.sync.rules import SECRETS
from pipeline.sync.store import Landing, key_columns

Say = Callable[[str], None]

# How long writers may have to wait behind us for the table.
_LOCK_TIMEOUT = "2s"
_COLUMNS_OF_CHT_SYNC = {
    "saved_timestamp": "timestamp without time zone",
    "_id": "character varying",
    "_deleted": "boolean",
    "source": "character varying",
    "doc": "jsonb",
}

# A sync's lock comes before the number, so that numbers become visible in ascending order. What
# did not change keeps its number. A stub without a revision is what we make of a purged document:
# nothing of it is kept. couch2pg lands secrets that a sync of ours would not.
_NUMBERING = """
    create or replace function {function}() returns trigger
    language plpgsql security definer set search_path = pg_catalog
    as $$
    begin
        if starts_with(new._id, 'token:login:') then
            return null;
        end if;
        if starts_with(new._id, 'org.couchdb.user:') then
            new.doc := new.doc - {secrets}::text[] #- '{{token_login,token}}';
        end if;
        perform pg_advisory_xact_lock(hashtextextended({lock} || new.source, 0));
        if tg_op = 'INSERT' then
            new.landed_number := nextval({number});
            new.last_content := null;
        elsif
            new.doc is distinct from old.doc
            or new._deleted is distinct from old._deleted
            or new.source is distinct from old.source
        then
            new.landed_number := nextval({number});
            new.last_content := case
                when not (tg_argv[0]::boolean and new._deleted and new.doc ? '_rev') then null
                when old._deleted then old.last_content
                else old.doc
            end;
        end if;
        return new;
    end $$
"""


@dataclass(frozen=True)
class Adoption:
    """One landing and the sources that the settings name; `say` hears of what takes long.

    `connection` commits by itself.
    """

    connection: psycopg.Connection
    landing: Landing
    sources: Sequence[str]
    say: Say

    def prepare(self) -> None:
        """Does nothing where there is no landing yet, or where it is as it should be.

        Raises SettingsWrong where the table is not cht-sync's or does not fit the settings, and
        Unavailable where somebody uses it for so long that we could not have it for an instant.
        """
        columns = self._columns()
        if not columns:
            self._refuse_to_wait_for_couch2pg()
            return
        self._check_columns(columns)
        if "landed_number" not in columns:
            self._check_sources()
            self.say(f"Adopting {self._name}; others can go on reading and writing it.")
            self._forget_secrets()
            self._add_columns()
        self._build_index("by_number", "(source, landed_number)")
        self._build_index("_deleted", "(_deleted)")
        self._build_index("saved_timestamp", "(saved_timestamp)")
        if self.landing.is_written_by_couch2pg:
            self._number_what_couch2pg_writes()
        elif self._key() != self.landing.key or self._numbering():
            self._take_over()

    def _columns(self) -> Mapping[str, str]:
        """Names and types; empty where there is no such table."""
        return dict(
            self.connection.execute(
                """
                select attribute.attname, format_type(attribute.atttypid, null)
                from pg_attribute as attribute
                where
                    attribute.attrelid = to_regclass(%s)
                    and attribute.attnum > 0
                    and not attribute.attisdropped
                """,
                [self._name],
            ).fetchall()
        )

    @property
    def _name(self) -> str:
        return f"{self.landing.schema}.{self.landing.table}"

    def _refuse_to_wait_for_couch2pg(self) -> None:
        if self.landing.is_written_by_couch2pg:
            raise SettingsWrong(
                f"WORKLIST_SYNC is external, but couch2pg has not made {self._name} yet: start "
                "couch2pg first, or leave WORKLIST_SYNC out."
            )

    def _check_columns(self, columns: Mapping[str, str]) -> None:
        if not columns.items() >= _COLUMNS_OF_CHT_SYNC.items():
            raise SettingsWrong(
                f"The table {self._name} exists and is not the one of cht-sync 2: it must have "
                f"{', '.join(_COLUMNS_OF_CHT_SYNC)}. Set POSTGRES_SCHEMA or POSTGRES_TABLE to "
                "another name, or use a database of its own."
            )

    def _check_sources(self) -> None:
        """Under another name of its host a CHT would be copied a second time."""
        if self._find("select to_regclass(%s)", self.landing.progress.as_string()) is None:
            return
        found = self._find("select array_agg(source order by source) from {progress}")
        if found and not set(found) & set(self.sources):
            raise SettingsWrong(
                f"cht-sync has copied {', '.join(found)} into {self._name}, but COUCHDB_HOST and "
                f"COUCHDB_DBS name {', '.join(self.sources)}: name the host as cht-sync did, so "
                "that the sync goes on from where cht-sync was. If the CHT has moved, change the "
                f"column source of {self._name} and of its progress table to the new name first."
            )

    def _add_columns(self) -> None:
        """Rows that are there keep the number 0: the first refresh reads them all."""
        with self._alone():
            self._execute("create sequence if not exists {sequence}")
            self._execute("alter table {table} add landed_number bigint not null default 0")
            self._execute("alter table {table} alter landed_number set default nextval({number})")
            self._execute("alter table {table} add last_content jsonb")

    def _take_over(self) -> None:
        """The key becomes (source, _id); from then on couch2pg's `on conflict (_id)` fails."""
        self._require_sources()
        self._build_index("source_id", "(source, _id)", is_unique=True)
        with self._alone():
            if self._key() != self.landing.key:
                self._swap_key()
            self._execute("drop trigger if exists {trigger} on {table}")
            self._execute("drop function if exists {function}")

    def _require_sources(self) -> None:
        """`not null`, by way of a constraint that is checked while others go on writing."""
        if self._is_source_required():
            return
        missing = self._find("select count(*) from {table} where source is null")
        if missing:
            raise SettingsWrong(
                f"{missing} rows of {self._name} do not say which database they come "
                "from. If it is one database, write its name, host/database, into the column "
                "source of these rows, then run `worklist migrate` again."
            )
        with self._alone():
            self._execute("alter table {table} drop constraint if exists {known}")
            self._execute(
                "alter table {table} add constraint {known} check (source is not null) not valid"
            )
        self._execute("alter table {table} validate constraint {known}")
        with self._alone():
            self._execute("alter table {table} alter source set not null")
            self._execute("alter table {table} drop constraint {known}")

    def _is_source_required(self) -> bool:
        statement = """
            select attribute.attnotnull
            from pg_attribute as attribute
            where attribute.attrelid = to_regclass(%s) and attribute.attname = 'source'
        """
        return bool(self._find(statement, self._name))

    def _key(self) -> tuple[str, ...]:
        return key_columns(self.connection, self.landing)

    def _swap_key(self) -> None:
        statement = """
            select constraints.conname
            from pg_constraint as constraints
            where constraints.conrelid = to_regclass(%s) and constraints.contype = 'p'
        """
        try:
            if old := self._find(statement, self._name):
                names = {"old": sql.Identifier(old)}
                self._execute("alter table {table} drop constraint {old}", **names)
            self._execute("alter table {table} add constraint {key} primary key using index {new}")
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SettingsWrong(
                f"The key of {self._name} cannot be changed: something leans on it "
                f"({error.diag.message_detail}). Remove that, or set WORKLIST_SYNC=external."
            ) from error

    def _number_what_couch2pg_writes(self) -> None:
        """couch2pg writes on; a trigger gives its rows their numbers, under the lock of a sync."""
        if self._key() != ("_id",):
            raise SettingsWrong(
                f"WORKLIST_SYNC is external, but the key of {self._name} is not _id, which "
                "couch2pg needs: CHT Worklist has taken it over. Leave WORKLIST_SYNC out."
            )
        self._execute(_NUMBERING)
        keeps = "true" if self.landing.keeps_deleted_content else "false"
        if f"({keeps!r})" in self._numbering():
            return
        with self._alone():
            self._execute(
                "create or replace trigger {trigger} before insert or update on {table} "
                "for each row execute function {function}({keeps})",
                keeps=sql.Literal(keeps),
            )

    def _numbering(self) -> str:
        """The trigger as PostgreSQL shows it; empty where there is none."""
        statement = """
            select pg_get_triggerdef(numbering.oid)
            from pg_trigger as numbering
            where numbering.tgrelid = to_regclass(%s) and numbering.tgname = %s
        """
        return self._find(statement, self._name, f"{self.landing.table}_number_row") or ""

    def _forget_secrets(self) -> None:
        """Those that couch2pg has landed."""
        self._execute("delete from {table} where starts_with(_id, 'token:login:')")
        self._execute("""
            update {table}
            set doc = doc - {secrets}::text[] #- '{{token_login,token}}'
            where
                starts_with(_id, 'org.couchdb.user:')
                and (doc ?| {secrets}::text[] or doc #> '{{token_login,token}}' is not null)
        """)

    def _build_index(self, suffix: str, columns: LiteralString, *, is_unique: bool = False) -> None:
        """Builds it beside the writers, unless there is one; what broke off once is built anew."""
        name = f"{self.landing.table}_{suffix}"
        if self._has_index(columns, is_unique):
            return
        index = sql.Identifier(self.landing.schema, name)
        self._execute("drop index if exists {index}", index=index)
        self.say(f"Building the index {name} …")
        kind = "unique index" if is_unique else "index"
        self._execute(
            f"create {kind} concurrently {{name}} on {{table}} {columns}",
            name=sql.Identifier(name),
        )

    def _has_index(self, columns: str, is_unique: bool) -> bool:
        statement = """
            select exists (
                select
                from pg_index as index
                where
                    index.indrelid = to_regclass(%s)
                    and index.indisvalid
                    and index.indisunique = %s
                    and index.indpred is null
                    and pg_get_indexdef(index.indexrelid) like %s
            )
        """
        return bool(self._find(statement, self._name, is_unique, f"%USING btree {columns}"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One transaction that waits for the table only as long as writers can wait behind it."""
        try:
            with self.connection.transaction():
                self.connection.execute(
                    sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT))
                )
                yield
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"{self._name} is in use: `worklist migrate` needs it alone for an instant."
            ) from error

    def _find(self, statement: LiteralString, *values: object) -> Any:
        """The one value that the statement gives; None where it gives none."""
        row = self._execute(statement, *values).fetchone()
        return row[0] if row else None

    def _execute(
        self, statement: LiteralString, *values: object, **names: sql.Composable
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """The names in braces are those of the landing, and those given."""
        composed = sql.SQL(statement).format(**self._names, **names)
        return self.connection.execute(composed, values or None)

    @property
    def _names(self) -> dict[str, sql.Composable]:
        schema, table = self.landing.schema, self.landing.table
        sequence = sql.Identifier(schema, f"{table}_landed_number")
        return {
            "table": self.landing.documents,
            "progress": self.landing.progress,
            "sequence": sequence,
            "number": sql.Literal(sequence.as_string()),
            "function": sql.Identifier(schema, f"{table}_number_row"),
            "trigger": sql.Identifier(f"{table}_number_row"),
            "known": sql.Identifier(f"{table}_source_known"),
            "key": sql.Identifier(f"{table}_pkey"),
            "new": sql.Identifier(f"{table}_source_id"),
            "lock": sql.Literal(self.landing.lock_name("")),
            "secrets": sql.Literal(sorted(SECRETS)),
        }
