"""Privileges of each role, renewed by every `worklist migrate`.

Tables that alembic owns declare theirs in `tables.py`. The schemas that dbt fills belong to
worklist_sync, and dbt works as their owner, so that default privileges cover whatever it builds.

Statements that the account may not run are left to an administrator. Until they are run, everything
belongs to the account, with which every command works.
"""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.errors import Diagnostic
from sqlalchemy import MetaData, Table

from pipeline.tables import ANALYST, ANALYST_PII, SERVICE, SYNC, metadata

ROLES = (SYNC, SERVICE, ANALYST, ANALYST_PII)
READERS: dict[str, tuple[str, ...]] = {  # of the schemas that dbt fills
    "worklist": (ANALYST, ANALYST_PII),
    "worklist_live": (SERVICE,),
    "worklist_pii": (SERVICE, ANALYST_PII),
    "worklist_build": (),
}
# Alembic's own table; each command reads the revision there.
VERSION = Table(
    "alembic_version",
    MetaData(schema="app"),
    info={"privileges": {SYNC: "select", SERVICE: "select"}},
)
_NOT_GRANTED = "01007"  # a warning of PostgreSQL, not an error


def renew(connection: psycopg.Connection, landing: MetaData) -> list[str]:
    """Grants, in the caller's transaction, what each role may do, and revokes everything else.

    Returns the statements that an administrator has to run before the next migration.
    """
    account = _Account(connection)
    roles = [role for role in ROLES if _exists(account, role)]
    if _may_act_as_sync(account, roles):
        _hand_over_marts(account)
    if roles:
        _grant_temporary_tables(account, roles)
        _renew_tables(account, roles, [VERSION, *metadata.sorted_tables])
        _renew_tables(account, roles, landing.sorted_tables)
        for schema in READERS:
            _renew_marts(account, roles, schema)
    return account.refused


class _Account:
    """The account that migrates; `refused` lists the statements that it may not run."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.refused: list[str] = []

    def values(self, statement: LiteralString, *parameters: object) -> list[Any]:
        """The first column of the result."""
        return [row[0] for row in self._connection.execute(statement, parameters or None)]

    def run(self, statement: LiteralString, **names: sql.Composable) -> bool:
        """False, and the statement is added to `refused`, if the account may not run it."""
        composed = sql.SQL(statement).format(**names)
        is_run = self._try(composed)
        if not is_run:
            self.refused.append(f"{composed.as_string(self._connection)};")
        return is_run

    def set_role(self, role: str) -> bool:
        """Until `reset_role`; False if the account may not."""
        return self._try(sql.SQL("set local role {}").format(sql.Identifier(role)))

    def reset_role(self) -> None:
        self._connection.execute("reset role")

    def _try(self, statement: sql.Composed) -> bool:
        codes: list[str | None] = []

        def collect(notice: Diagnostic) -> None:
            codes.append(notice.sqlstate)

        self._connection.add_notice_handler(collect)
        try:
            with self._connection.transaction():
                self._connection.execute(statement)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject):
            return False  # undefined is a role that an administrator has to create first
        finally:
            self._connection.remove_notice_handler(collect)
        return _NOT_GRANTED not in codes


def _list(roles: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, roles))


def _exists(account: _Account, role: str) -> bool:
    if account.values("select rolname from pg_roles where rolname = %s", role):
        return True
    try:
        return account.run("create role {role} nologin", role=sql.Identifier(role))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return True  # a migration of another database on this server has just created it


def _may_act_as_sync(account: _Account, roles: Sequence[str]) -> bool:
    (name,) = account.values("select current_user::text")
    names = {"role": sql.Identifier(SYNC), "account": sql.Identifier(name)}
    is_able = (SYNC in roles and account.set_role(SYNC)) or (
        account.run("grant {role} to {account}", **names) and account.set_role(SYNC)
    )
    account.reset_role()
    return is_able


def _hand_over_marts(account: _Account) -> None:
    """Makes worklist_sync the owner of all marts, whoever built them.

    Waits for readers, but not for long, since others queue behind.
    """
    account.values("select set_config('lock_timeout', '10s', true)")
    schemas = account.values(
        "select nspname from pg_namespace where nspname = any(%s) and nspowner <> %s::regrole",
        list(READERS),
        SYNC,
    )
    relations = account.values(
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
    )
    owner = sql.Identifier(SYNC)
    for schema in map(sql.Identifier, schemas):
        account.run("alter schema {schema} owner to {owner}", schema=schema, owner=owner)
    for relation in relations:  # `alter table` also takes views
        names = {"relation": sql.Identifier(*relation), "owner": owner}
        account.run("alter table {relation} owner to {owner}", **names)


def _grant_temporary_tables(account: _Account, roles: Sequence[str]) -> None:
    """Sync and refresh need them; a hardened server revokes the right from public."""
    has_right = "select has_database_privilege(%s, current_database(), 'temporary')"
    if SYNC in roles and account.values(has_right, SYNC) == [False]:
        (database,) = account.values("select current_database()")
        names = {"database": sql.Identifier(database), "role": sql.Identifier(SYNC)}
        account.run("grant temporary on database {database} to {role}", **names)


def _renew_tables(account: _Account, roles: Sequence[str], tables: Sequence[Table]) -> None:
    """The tables share a schema."""
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
    sequences = [
        sql.Identifier(str(column.default.schema), column.default.name)
        for column in table.columns
        if isinstance(column.default, sqlalchemy.Sequence)
    ]
    for role in roles:
        privileges, names = _privileges(table, role), {"role": sql.Identifier(role)}
        if privileges:
            account.run(
                f"grant {privileges} on {{relation}} to {{role}}", relation=relation, **names
            )
        if "insert" in privileges:
            for sequence in sequences:
                account.run(
                    "grant usage on sequence {sequence} to {role}", sequence=sequence, **names
                )


def _privileges(table: Table, role: str) -> LiteralString:
    granted: dict[str, LiteralString] = table.info.get("privileges", {})
    return granted.get(role, "")


def _renew_marts(account: _Account, roles: Sequence[str], schema: str) -> None:
    """As their owner, so that default privileges cover what dbt builds later.

    If the account may not act as the owner, the statement that lets it is refused already.
    """
    owner_of = "select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = %s"
    (owner,) = account.values(owner_of, schema)
    others = [role for role in roles if role != owner]
    readers = [role for role in READERS[schema] if role in roles]
    names = {
        "schema": sql.Identifier(schema),
        "others": _list(others),
        "readers": _list(readers),
    }
    if account.set_role(owner):
        for statement in (*(_REVOKING if others else ()), *(_GRANTING if readers else ())):
            account.run(statement, **names)
        account.reset_role()


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
