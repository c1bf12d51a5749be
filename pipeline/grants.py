"""What each role may do, granted anew by every `worklist migrate`, and nothing else.

The tables that alembic owns say it themselves (`tables.py`). The schemas that dbt fills belong to
worklist_sync, and dbt works as their owner, so that default privileges hold for all it will build.

What the account may not do is left to an administrator. Until then everything belongs to the
account, with which every command works.
"""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.errors import Diagnostic
from sqlalchemy import MetaData, Table

from pipeline.tables import ANALYST, ANALYST_PII, SERVICE, SYNC, metadata

ROLES = (SYNC, SERVICE, ANALYST, ANALYST_PII)
# Who reads what dbt builds in each of its schemas.
READERS: dict[str, tuple[str, ...]] = {
    "worklist": (ANALYST, ANALYST_PII),
    "worklist_live": (SERVICE,),
    "worklist_pii": (SERVICE, ANALYST_PII),
    "worklist_build": (),
}
# Alembic's own; each command looks there whether the database is current.
VERSION = Table(
    "alembic_version",
    MetaData(),
    schema="app",
    info={"privileges": {SYNC: "select", SERVICE: "select"}},
)
_NOT_GRANTED = "01007"  # a warning of PostgreSQL, not an error


def renew(connection: psycopg.Connection, landing: MetaData) -> list[str]:
    """In the caller's transaction. Returns the statements that an administrator has to run before
    the next migration; none when everything is granted.
    """
    account = _Account(connection)
    roles = [role for role in ROLES if _exists(account, role)]
    if _may_act_as_sync(account, roles):
        _hand_over_marts(account)
    if roles:
        _renew_database(account, roles)
        _renew_tables(account, roles, landing)
        for schema in READERS:
            _renew_marts(account, roles, schema)
    return account.refused


class _Account:
    """Whoever migrates; `refused` are the statements that it may not run."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.refused: list[str] = []

    def find(self, statement: LiteralString, *values: object) -> list[Any]:
        """The first column of what the statement gives."""
        return [row[0] for row in self._connection.execute(statement, values or None)]

    def run(self, statement: LiteralString, **names: sql.Composable) -> bool:
        """False where the account may not; the statement is then left to an administrator."""
        is_run = self._may(sql.SQL(statement).format(**names))
        if not is_run:
            self.refuse(statement, **names)
        return is_run

    def refuse(self, statement: LiteralString, **names: sql.Composable) -> None:
        composed = sql.SQL(statement).format(**names)
        self.refused.append(f"{composed.as_string(self._connection)};")

    def becomes(self, role: str) -> bool:
        """For what follows in the transaction, until `is_itself_again`; False where it may not."""
        return self._may(sql.SQL("set local role {}").format(sql.Identifier(role)))

    def is_itself_again(self) -> None:
        self._connection.execute("reset role")

    def _may(self, statement: sql.Composed) -> bool:
        notices: list[str | None] = []

        def hear(notice: Diagnostic) -> None:
            notices.append(notice.sqlstate)

        self._connection.add_notice_handler(hear)
        try:
            with self._connection.transaction():
                self._connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            self._connection.remove_notice_handler(hear)
        return _NOT_GRANTED not in notices


def _list(roles: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, roles))


def _exists(account: _Account, role: str) -> bool:
    if account.find("select rolname from pg_roles where rolname = %s", role):
        return True
    try:
        return account.run("create role {role} nologin", role=sql.Identifier(role))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return True  # another database of this server was migrated at the same moment


def _may_act_as_sync(account: _Account, roles: Sequence[str]) -> bool:
    statement: LiteralString = "grant {role} to {account}"
    (name,) = account.find("select current_user::text")
    names = {"role": sql.Identifier(SYNC), "account": sql.Identifier(name)}
    if SYNC not in roles:
        account.refuse(statement, **names)
        return False
    is_able = account.becomes(SYNC) or (account.run(statement, **names) and account.becomes(SYNC))
    account.is_itself_again()
    return is_able


def _hand_over_marts(account: _Account) -> None:
    """What others have built, too. It waits for who reads, but not for long: others wait behind."""
    account.find("select set_config('lock_timeout', '10s', true)")
    owner = sql.Identifier(SYNC)
    for schema in account.find(
        "select nspname from pg_namespace where nspname = any(%s) and nspowner <> %s::regrole",
        list(READERS),
        SYNC,
    ):
        account.run(
            "alter schema {schema} owner to {owner}", schema=sql.Identifier(schema), owner=owner
        )
    for relation in account.find(
        """
        select array[relnamespace::regnamespace::text, relname]
        from pg_class
        where
            relnamespace::regnamespace::text = any(%s)
            and relkind in ('r', 'v', 'm')
            and relowner <> %s::regrole
        """,
        list(READERS),
        SYNC,
    ):
        account.run(  # said of views, too
            "alter table {relation} owner to {owner}",
            relation=sql.Identifier(*relation),
            owner=owner,
        )


def _renew_database(account: _Account, roles: Sequence[str]) -> None:
    """Sync and refresh make temporary tables, which strict servers do not let everybody do."""
    may_already = "select has_database_privilege(%s, current_database(), 'temporary')"
    if SYNC in roles and account.find(may_already, SYNC) == [False]:
        (database,) = account.find("select current_database()")
        names = {"database": sql.Identifier(database), "role": sql.Identifier(SYNC)}
        account.run("grant temporary on database {database} to {role}", **names)


def _renew_tables(account: _Account, roles: Sequence[str], landing: MetaData) -> None:
    own = [table for table in metadata.sorted_tables if table.schema == "app"]
    for tables in ([VERSION, *own], landing.sorted_tables):
        users = [role for role in roles if any(_privileges(table, role) for table in tables)]
        names = {"schema": sql.Identifier(str(tables[0].schema)), "users": _list(users)}
        account.run("revoke all on schema {schema} from {roles}", **names, roles=_list(roles))
        if users:
            account.run("grant usage on schema {schema} to {users}", **names)
        for table in tables:
            _renew_table(account, roles, table)


def _renew_table(account: _Account, roles: Sequence[str], table: Table) -> None:
    relation = sql.Identifier(str(table.schema), table.name)
    account.run("revoke all on {relation} from {roles}", relation=relation, roles=_list(roles))
    for role in roles:
        names = {"relation": relation, "role": sql.Identifier(role)}
        privileges = _privileges(table, role)
        if privileges:
            account.run("grant " + privileges + " on {relation} to {role}", **names)
        if "insert" in privileges:
            _grant_sequences(account, relation, role)


def _privileges(table: Table, role: str) -> LiteralString:
    granted: dict[str, LiteralString] = table.info.get("privileges", {})
    return granted.get(role, "")


def _grant_sequences(account: _Account, table: sql.Identifier, role: str) -> None:
    """Those that the defaults of its columns take numbers from."""
    for sequence in account.find(
        """
        select array[sequence.relnamespace::regnamespace::text, sequence.relname]
        from pg_attrdef as default_value
        inner join pg_depend as dependency
            on default_value.oid = dependency.objid
            and dependency.classid = 'pg_attrdef'::regclass
            and dependency.refclassid = 'pg_class'::regclass
        inner join pg_class as sequence
            on dependency.refobjid = sequence.oid
            and sequence.relkind = 'S'
        where default_value.adrelid = %s::regclass
        """,
        table.as_string(),
    ):
        names = {"sequence": sql.Identifier(*sequence), "role": sql.Identifier(role)}
        account.run("grant usage on sequence {sequence} to {role}", **names)


def _renew_marts(account: _Account, roles: Sequence[str], schema: str) -> None:
    """As their owner, whose default privileges then hold for what dbt builds. Who may not act as
    the owner has been told so.
    """
    owner_of = "select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = %s"
    (owner,) = account.find(owner_of, schema)
    others = [role for role in roles if role != owner]
    readers = [role for role in READERS[schema] if role in roles]
    names = {
        "schema": sql.Identifier(schema),
        "others": _list(others),
        "readers": _list(readers),
    }
    if account.becomes(owner):
        for statement in (*(_REVOKING if others else ()), *(_GRANTING if readers else ())):
            account.run(statement, **names)
        account.is_itself_again()


_REVOKING: tuple[LiteralString, ...] = (
    "revoke all on schema {schema} from {others}",
    "revoke all on all tables in schema {schema} from {others}",
    "alter default privileges in schema {schema} revoke all on tables from {others}",
)
_GRANTING: tuple[LiteralString, ...] = (
    "grant usage on schema {schema} to {readers}",
    "grant select on all tables in schema {schema} to {readers}",
    "alter default privileges in schema {schema} grant select on tables to {readers}",
)
