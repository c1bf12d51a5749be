"""Adopts the landing of a cht-sync while others read and write it.

No row is rewritten. Long operations (a unique index, a check of every row) do not block others;
those that need an exclusive lock are short, and give up before others have queued behind them for
long. Each step is skipped if it is done already, so an interrupted migration is simply run again.
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

_LOCK_TIMEOUT = "2s"  # writers queue behind the lock for as long
_COLUMNS_OF_CHT_SYNC = {
    "saved_timestamp": "timestamp without time zone",
    "_id": "character varying",
    "_deleted": "boolean",
    "source": "character varying",
    "doc": "jsonb",
}

# The lock of a sync is taken before the number, so that numbers become visible in ascending order.
# A row that did not change keeps its number. A stub without a revision stands for a purged
# document, of which nothing is kept. couch2pg lands secrets that our own sync leaves out.
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
    """One landing and the sources that the settings name; `say` reports long steps.

    `connection` is in autocommit mode.
    """

    connection: psycopg.Connection
    landing: Landing
    sources: Sequence[str]
    say: Say

    def prepare(self) -> None:
        """Does nothing if there is no landing yet, or if it is adopted already.

        Raises SettingsWrong if the table is not cht-sync's or does not fit the settings, and
        Unavailable if others hold it for so long that no exclusive lock is to be had.
        """
        columns = self._columns()
        if not columns:
            self._check_is_ours_to_create()
            return
        self._check_columns(columns)
        if "landed_number" not in columns:
            self._check_sources()
            self.say(f"Adopting {self._name}; others can keep reading and writing it.")
            self._erase_secrets()
            self._add_columns()
        self._build_index("by_number", "(source, landed_number)")
        self._build_index("_deleted", "(_deleted)")
        self._build_index("saved_timestamp", "(saved_timestamp)")
        if self.landing.is_written_by_couch2pg:
            self._install_numbering()
        elif self._key() != self.landing.key or self._numbering():
            self._take_over()

    def _columns(self) -> Mapping[str, str]:
        """Names and types; empty if there is no such table."""
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

    def _check_is_ours_to_create(self) -> None:
        if self.landing.is_written_by_couch2pg:
            raise SettingsWrong(
                f"WORKLIST_SYNC is external, but couch2pg has not created {self._name} yet: start "
                "couch2pg first, or leave WORKLIST_SYNC out."
            )

    def _check_columns(self, columns: Mapping[str, str]) -> None:
        if not columns.items() >= _COLUMNS_OF_CHT_SYNC.items():
            raise SettingsWrong(
                f"The table {self._name} exists, but is not the one of cht-sync 2: it must have "
                f"{', '.join(_COLUMNS_OF_CHT_SYNC)}. Set POSTGRES_SCHEMA or POSTGRES_TABLE to "
                "another name, or use a new database."
            )

    def _check_sources(self) -> None:
        """A CHT whose host goes by another name now would be copied a second time."""
        if self._value("select to_regclass(%s)", self.landing.progress.as_string()) is None:
            return
        found = self._value("select array_agg(source order by source) from {progress}")
        if found and not set(found) & set(self.sources):
            raise SettingsWrong(
                f"cht-sync has copied {', '.join(found)} into {self._name}, but COUCHDB_HOST and "
                f"COUCHDB_DBS name {', '.join(self.sources)}: name the host as cht-sync did, so "
                "that the sync resumes where cht-sync stopped. If the CHT has moved, change the "
                f"column source of {self._name} and of its progress table to the new name first."
            )

    def _add_columns(self) -> None:
        """Existing rows get the number 0, and the first refresh reads them all."""
        with self._exclusively():
            self._execute("create sequence if not exists {sequence}")
            self._execute("alter table {table} add landed_number bigint not null default 0")
            self._execute("alter table {table} alter landed_number set default nextval({number})")
            self._execute("alter table {table} add last_content jsonb")

    def _take_over(self) -> None:
        """Changes the key to (source, _id), after which couch2pg's `on conflict (_id)` fails."""
        self._require_sources()
        self._build_index("source_id", "(source, _id)", is_unique=True)
        with self._exclusively():
            if self._key() != self.landing.key:
                self._swap_key()
            self._execute("drop trigger if exists {trigger} on {table}")
            self._execute("drop function if exists {function}")

    def _require_sources(self) -> None:
        """Sets `not null` by a constraint that is validated while others write."""
        if self._is_source_required():
            return
        missing = self._value("select count(*) from {table} where source is null")
        if missing:
            raise SettingsWrong(
                f"{missing} rows of {self._name} do not say which database they come from. If "
                "they all come from one, set their column source to its name, host/database, "
                "then run `worklist migrate` again."
            )
        with self._exclusively():
            self._execute("alter table {table} drop constraint if exists {known}")
            self._execute(
                "alter table {table} add constraint {known} check (source is not null) not valid"
            )
        self._execute("alter table {table} validate constraint {known}")
        with self._exclusively():
            self._execute("alter table {table} alter source set not null")
            self._execute("alter table {table} drop constraint {known}")

    def _is_source_required(self) -> bool:
        statement = """
            select attribute.attnotnull
            from pg_attribute as attribute
            where attribute.attrelid = to_regclass(%s) and attribute.attname = 'source'
        """
        return bool(self._value(statement, self._name))

    def _key(self) -> tuple[str, ...]:
        return key_columns(self.connection, self.landing)

    def _swap_key(self) -> None:
        statement = """
            select constraints.conname
            from pg_constraint as constraints
            where constraints.conrelid = to_regclass(%s) and constraints.contype = 'p'
        """
        try:
            if old := self._value(statement, self._name):
                names = {"old": sql.Identifier(old)}
                self._execute("alter table {table} drop constraint {old}", **names)
            self._execute("alter table {table} add constraint {key} primary key using index {new}")
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SettingsWrong(
                f"The key of {self._name} cannot be changed, because something depends on it "
                f"({error.diag.message_detail}): remove that, or set WORKLIST_SYNC=external."
            ) from error

    def _install_numbering(self) -> None:
        """A trigger numbers the rows that couch2pg writes."""
        if self._key() != ("_id",):
            raise SettingsWrong(
                f"WORKLIST_SYNC is external, but CHT Worklist has taken over {self._name}, whose "
                "key is no longer _id, as couch2pg needs it: leave WORKLIST_SYNC out."
            )
        self._execute(_NUMBERING)
        keeps = "true" if self.landing.keeps_deleted_content else "false"
        if f"({keeps!r})" in self._numbering():
            return
        with self._exclusively():
            self._execute(
                "create or replace trigger {trigger} before insert or update on {table} "
                "for each row execute function {function}({keeps})",
                keeps=sql.Literal(keeps),
            )

    def _numbering(self) -> str:
        """The definition of the trigger; empty if there is none."""
        statement = """
            select pg_get_triggerdef(numbering.oid)
            from pg_trigger as numbering
            where numbering.tgrelid = to_regclass(%s) and numbering.tgname = %s
        """
        return self._value(statement, self._name, f"{self.landing.table}_number_row") or ""

    def _erase_secrets(self) -> None:
        self._execute("delete from {table} where starts_with(_id, 'token:login:')")
        self._execute("""
            update {table}
            set doc = doc - {secrets}::text[] #- '{{token_login,token}}'
            where
                starts_with(_id, 'org.couchdb.user:')
                and (doc ?| {secrets}::text[] or doc #> '{{token_login,token}}' is not null)
        """)

    def _build_index(self, suffix: str, columns: LiteralString, *, is_unique: bool = False) -> None:
        """Builds it concurrently unless it exists. An invalid one is built again."""
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
        return bool(self._value(statement, self._name, is_unique, f"%USING btree {columns}"))

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """A transaction that waits for the table no longer than writers can wait behind it."""
        try:
            with self.connection.transaction():
                self.connection.execute(
                    sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT))
                )
                yield
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"{self._name} is in use: `worklist migrate` needs a short exclusive lock on it."
            ) from error

    def _value(self, statement: LiteralString, *values: object) -> Any:
        """The first value of the first row, if any."""
        row = self._execute(statement, *values).fetchone()
        return row[0] if row else None

    def _execute(
        self, statement: LiteralString, *values: object, **names: sql.Composable
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """Fills in the names of the landing, and those given."""
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
