"""The privileges of each role on every relation, column and mart."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from fastapi.routing import APIRoute
from psycopg import sql
from sqlalchemy import Engine, Table

from pipeline import embedded, grants, serve, service, tables
from pipeline.database import Address, connect, engine
from pipeline.errors import SettingsWrong
from pipeline.migrate import check_account, migrate
from pipeline.refresh.store import role_to_act_as
from pipeline.settings import Settings
from pipeline.tables import ANALYST, ANALYST_PII, SERVICE, SYNC
from tests.conftest import AsRole
from tests.integration.recorded_programme import Programme
from tests.integration.signed_in_clients import service as made_service
from tests.integration.signed_in_clients import visitor

VERBS = ("select", "insert", "update", "delete")
OWNERS_ONLY = ("truncate", "references", "trigger")
SETTINGS = Settings.read({})


@dataclass(frozen=True)
class Relation:
    schema: str
    name: str
    is_table: bool
    columns: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def relations(connection: psycopg.Connection) -> list[Relation]:
    """Everything in our schemas that holds rows."""
    rows = connection.execute(
        """
        select
            relation.relnamespace::regnamespace::text,
            relation.relname,
            relation.relkind in ('r', 'p'),
            array_agg(attribute.attname::text order by attribute.attnum)
        from pg_class as relation
        inner join pg_attribute as attribute
            on relation.oid = attribute.attrelid
            and attribute.attnum > 0
            and not attribute.attisdropped
        where
            relation.relkind in ('r', 'p', 'v', 'm', 'f')
            and relation.relnamespace::regnamespace::text = any(%s)
        group by relation.oid
        order by relation.oid
        """,
        [["v1", "app", *grants.READERS]],
    ).fetchall()
    return [Relation(schema, name, kind, tuple(columns)) for schema, name, kind, columns in rows]


def granted(relation: Relation, role: str) -> Mapping[str, set[str] | None]:
    """The verbs that the role may use, each with its columns; None means all columns."""
    if relation.schema in grants.READERS:
        if role == SYNC:
            return dict.fromkeys((*VERBS, *OWNERS_ONLY))
        return dict.fromkeys(["select"] if role in grants.READERS[relation.schema] else [])
    privileges = _declared(relation).info["privileges"].get(role, "")
    return {
        verb: set(columns.split(", ")) if columns else None
        for verb, columns in re.findall(r"(\w+)(?: \(([^)]*)\))?", privileges)
    }


def _declared(relation: Relation) -> Table:
    return _all_declared()[f"{relation.schema}.{relation.name}"]


def _all_declared() -> dict[str, Table]:
    declared = (*tables.metadata.sorted_tables, *tables.landing().sorted_tables, grants.VERSION)
    return {table.fullname: table for table in declared}


def is_allowed(
    connection: psycopg.Connection, statement: LiteralString, **names: sql.Composable
) -> bool:
    """Runs the statement, which must touch no row. Other errors than a missing right are raised."""
    try:
        connection.execute(sql.SQL(statement).format(**names))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


ROLES = pytest.mark.parametrize("role", grants.ROLES)


def test_every_table_declares_its_privileges(recorded_database: Address) -> None:
    declared = {name for name, table in _all_declared().items() if "privileges" in table.info}
    with connect(recorded_database) as connection:
        found = {
            f"{relation.schema}.{relation.name}"
            for relation in relations(connection)
            if relation.schema not in grants.READERS
        }
    assert found == declared, "tables.py must declare the privileges of each table: _granted(…)"


@ROLES
def test_each_role_reads_the_columns_that_are_granted_and_no_other(
    recorded_database: Address, as_role: AsRole, role: str
) -> None:
    with connect(as_role(recorded_database, role), autocommit=True) as connection:
        for relation in relations(connection):
            readable = granted(relation, role).get("select", set())
            for column in relation.columns:
                is_read = is_allowed(
                    connection,
                    "select {column} from {relation} limit 0",
                    column=sql.Identifier(column),
                    relation=relation.identifier,
                )
                assert is_read == (readable is None or column in readable), (relation, column)


@ROLES
def test_each_role_writes_the_tables_that_are_granted_and_no_other(
    recorded_database: Address, as_role: AsRole, role: str
) -> None:
    with connect(as_role(recorded_database, role), autocommit=True) as connection:
        for relation in relations(connection):
            if not relation.is_table:
                continue
            verbs = granted(relation, role)
            attempt = partial(is_allowed, connection, relation=relation.identifier)
            assert ("delete" in verbs) == attempt("delete from {relation} where false"), relation
            assert ("insert" in verbs) == attempt(
                "insert into {relation} select (null::{relation}).* where false"
            ), relation
            for column in map(sql.Identifier, relation.columns):
                is_written = attempt(
                    "update {relation} set {column} = default where false", column=column
                )
                assert ("update" in verbs) == is_written, (relation, column)


@ROLES
def test_only_owners_have_other_privileges_and_views_are_read_only(
    recorded_database: Address, role: str
) -> None:
    with connect(recorded_database) as connection:
        for relation in relations(connection):
            for verb in (*VERBS[1:], *OWNERS_ONLY):
                (held,) = connection.execute(
                    "select has_table_privilege(%s, %s, %s)",
                    [role, relation.identifier.as_string(connection), verb],
                ).fetchone() or (None,)
                assert held == (verb in granted(relation, role)), (relation, verb)


def test_only_the_roles_that_need_documents_and_sessions_may_read_them(
    recorded_database: Address,
) -> None:
    """Repeated here, so that a slip in a declaration does not pass."""
    with connect(recorded_database) as connection:
        known = relations(connection)
    for relation in known:
        for role in (ANALYST, ANALYST_PII):
            if not relation.schema.startswith("worklist"):
                timezone = {"select": {"timezone"}}
                is_programme = (relation.name, role) == ("programme", ANALYST_PII)
                assert granted(relation, role) == (timezone if is_programme else {}), relation
        if relation.schema in {"v1", "worklist_build"}:
            read = {
                "couchdb": {"_id", "_deleted", "source", "landed_number"},
                "couchdb_progress": {"updated_at"},
            }.get(relation.name)
            assert granted(relation, SERVICE) == ({"select": read} if read else {}), relation
        if relation.name in {"session", "sign_in_failure", "idempotency_key"}:
            assert granted(relation, SYNC) == {}, relation
    assert grants.READERS == {
        "worklist": (ANALYST, ANALYST_PII),
        "worklist_live": (SERVICE,),
        "worklist_pii": (SERVICE, ANALYST_PII),
        "worklist_build": (),
    }


@ROLES
def test_each_role_reads_every_row_of_its_marts(
    recorded_database: Address, as_role: AsRole, role: str
) -> None:
    """Functions that a view calls run with the privileges of the reader."""
    with connect(as_role(recorded_database, role), autocommit=True) as connection:
        counts = {
            f"{relation.schema}.{relation.name}": len(
                connection.execute(
                    sql.SQL("select * from {}").format(relation.identifier)
                ).fetchall()
            )
            for relation in relations(connection)
            if relation.schema in grants.READERS and "select" in granted(relation, role)
        }
    expected = {
        SYNC: "worklist_build.task",
        SERVICE: "worklist_pii.identified_task",
        ANALYST: "worklist.missed_appointment",
        ANALYST_PII: "worklist_pii.patient",
    }
    assert counts[expected[role]] > 0


def routes() -> list[APIRoute]:
    """Those of all modules of the service."""
    names = [module.name for module in pkgutil.iter_modules(service.__path__)]
    modules = [importlib.import_module(f"{service.__name__}.{name}") for name in names]
    routers = [module.router for module in modules if hasattr(module, "router")]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def test_the_service_shows_every_page(engine: Engine) -> None:
    app = made_service(engine, last_sync=serve.last_sync(SETTINGS))
    client = visitor(app, engine, "supervisor_matope")
    task = client.get("/api/v1/tasks").json()["tasks"][0]
    pages = {route.path for route in routes() if "GET" in (route.methods or ())}
    assert {"/", "/to-trace", "/metrics", "/api/v1/verifications"} <= pages
    for page in sorted(pages):
        answer = client.get(page.format(task_uuid=task["task_uuid"]))
        assert answer.status_code in {200, 303}, (page, answer.text)


def test_relations_that_dbt_rebuilds_are_readable_by_the_same_roles(
    programme: Programme, as_role: AsRole
) -> None:
    programme.connection.execute("drop materialized view worklist_build.stored_chw_task cascade")
    programme.connection.execute("drop view worklist_pii.patient cascade")
    programme.connection.execute("update app.refresh_run set project_hash = 'of before'")
    programme.refresh("live")
    programme.refresh("published")
    with connect(as_role(programme.address, ANALYST)) as connection:
        assert connection.execute("select from worklist.chw_task").rowcount > 0
    with connect(as_role(programme.address, ANALYST_PII)) as connection:
        assert connection.execute("select from worklist_pii.patient").rowcount > 0
    assert owners_of_marts(programme.connection) == {SYNC}


def owners_of_marts(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        """
        select pg_get_userbyid(relowner)::text
        from pg_class
        where relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select pg_get_userbyid(nspowner)::text
        from pg_namespace
        where nspname = any(%(schemas)s)
        """,
        {"schemas": list(grants.READERS)},
    )
    return {owner for (owner,) in rows}


def migrated(address: Address) -> list[str]:
    """The statements that are left to an administrator."""
    opened = engine(address)
    with opened.begin() as connection:
        refused = migrate(connection, SETTINGS.postgres)
    opened.dispose()
    return refused


def test_a_migration_restores_missing_privileges_and_revokes_excessive_ones(
    database: Address, connection: psycopg.Connection, as_role: AsRole
) -> None:
    connection.execute("revoke all on schema worklist_live from worklist_service")
    connection.execute("revoke all on app.session from worklist_service")
    connection.execute("grant usage on schema app, v1, worklist_build to worklist_analyst")
    connection.execute("grant select on app.session, v1.couchdb to worklist_analyst")
    connection.execute("grant select (doc) on v1.couchdb to worklist_service")
    connection.execute(
        "alter default privileges for role worklist_sync in schema worklist_build"
        " grant select on tables to worklist_analyst"
    )
    assert migrated(database) == []
    connection.execute("set role worklist_sync")
    connection.execute("create table worklist_build.later (only_row boolean)")
    connection.execute("create table worklist_live.later (only_row boolean)")
    with connect(as_role(database, SERVICE), autocommit=True) as service:
        service.execute("select from app.session, worklist_live.later")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute("select doc from v1.couchdb")
    with connect(as_role(database, ANALYST), autocommit=True) as analyst:
        for relation in ("app.session", "v1.couchdb", "worklist_build.later"):
            schema, _, name = relation.partition(".")
            identifier = sql.Identifier(schema, name)
            assert not is_allowed(analyst, "select from {relation}", relation=identifier)


@dataclass(frozen=True)
class Server:
    """A server without our roles, and an account on it that owns an empty database."""

    administrator: Address
    account: Address

    def run_as_administrator(self, *statements: str) -> None:
        with connect(self.administrator, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A new one, since all databases of a server share its roles."""
    with embedded.running(tmp_path / "postgres") as running:
        administrator = Address(
            "127.0.0.1", running.port, running.user, running.password, running.database
        )
        with connect(administrator, autocommit=True) as connection:
            connection.execute("create role \"the programme\" login password 'its own'")
            connection.execute('create database data owner "the programme"')
        administrator = replace(administrator, database="data")
        yield Server(
            administrator, replace(administrator, user="the programme", password="its own")
        )


@pytest.mark.one_server
def test_an_account_that_may_not_create_roles_gets_statements_for_an_administrator(
    server: Server,
) -> None:
    refused = migrated(server.account)
    assert refused == [
        *(f'create role "{role}" nologin;' for role in grants.ROLES),
        f'grant "{SYNC}" to "the programme";',
    ]
    with connect(server.administrator) as connection:
        assert owners_of_marts(connection) == {"the programme"}
        assert role_to_act_as(connection) == "the programme"
    with connect(server.account) as connection:
        assert role_to_act_as(connection) is None
        connection.execute("create view worklist_live.built_before as select 1 as one")

    server.run_as_administrator(*refused)
    assert migrated(server.account) == []
    with connect(server.account) as connection:
        assert owners_of_marts(connection) == {SYNC}
        assert role_to_act_as(connection) == SYNC
    server.run_as_administrator(
        "create role page login password 'its own' in role worklist_service",
        "create role night login password 'its own' in role worklist_sync",
    )
    with connect(replace(server.account, user="page")) as connection:
        connection.execute("select from worklist_live.built_before, app.session")
        with pytest.raises(SettingsWrong, match="grant worklist_sync to page;"):
            role_to_act_as(connection)
    with connect(replace(server.account, user="night", role=SYNC)) as connection:
        connection.execute("create or replace view worklist_live.built_before as select 2 as one")


@pytest.mark.one_server
def test_the_statements_in_the_operators_page_are_enough(
    server: Server,
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()
    section = page[page.index("## Roles in PostgreSQL") :]
    (prepared,) = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    server.run_as_administrator(*prepared.replace("…", "its own").strip().split(";\n"))
    owner = replace(
        server.account, user="owner_of_worklist", password="its own", database="worklist"
    )
    assert migrated(owner) == []
    with connect(replace(owner, user="nightly", role=SYNC)) as connection:
        connection.execute("create view worklist.built as select 1 as one")
    with connect(replace(owner, user="superset")) as connection:
        assert connection.execute("select from worklist.built").rowcount == 1
    with connect(replace(owner, user="page")) as connection:
        connection.execute("select from app.session")


@pytest.mark.one_server
def test_existing_roles_are_granted_without_membership_in_them(server: Server) -> None:
    server.run_as_administrator(*(f"create role {role} nologin" for role in grants.ROLES))
    assert migrated(server.account) == [f'grant "{SYNC}" to "the programme";']
    server.run_as_administrator(
        "create role analyst login password 'its own' in role worklist_analyst"
    )
    with connect(server.account) as connection:
        connection.execute("create view worklist.built_later as select 1 as one")
    with connect(replace(server.account, user="analyst")) as connection:
        assert connection.execute("select from worklist.built_later").rowcount == 1


@pytest.mark.one_server
@pytest.mark.parametrize("role", grants.ROLES)
def test_a_role_that_exists_without_the_others_is_set_up(server: Server, role: str) -> None:
    server.run_as_administrator(f"create role {role} nologin", f'grant {role} to "the programme"')
    refused = migrated(server.account)
    others = [other for other in grants.ROLES if other != role]
    expected = [f'create role "{other}" nologin;' for other in others]
    assert [one for one in refused if one.startswith("create")] == expected
    with connect(server.account) as connection:
        assert owners_of_marts(connection) == {SYNC if role == SYNC else "the programme"}


@pytest.mark.one_server
def test_an_account_that_may_create_roles_needs_no_administrator(server: Server) -> None:
    server.run_as_administrator('alter role "the programme" createrole')
    assert migrated(server.account) == []
    with connect(server.account) as connection:
        assert owners_of_marts(connection) == {SYNC}


@pytest.mark.one_server
def test_relations_of_another_account_are_handed_over_by_an_administrator(server: Server) -> None:
    server.run_as_administrator(*migrated(server.account))
    server.run_as_administrator("create view worklist.of_another as select 1 as one")
    refused = migrated(server.account)
    assert 'alter table "worklist"."of_another" owner to "worklist_sync";' in refused
    server.run_as_administrator(*refused)
    assert migrated(server.account) == []


@pytest.mark.one_server
def test_the_right_to_create_temporary_tables_is_granted_if_public_lacks_it(server: Server) -> None:
    server.run_as_administrator("revoke temporary on database data from public")
    server.run_as_administrator('alter database data owner to "worklist"')
    server.run_as_administrator('grant create on database data to "the programme"')
    server.run_as_administrator(*migrated(server.account))
    refused = migrated(server.account)
    assert refused == [f'grant temporary on database "data" to "{SYNC}";']
    server.run_as_administrator(*refused)
    assert migrated(server.account) == []


@pytest.mark.one_server
def test_an_account_that_cannot_migrate_gets_the_statement_that_helps(server: Server) -> None:
    server.run_as_administrator('alter database data owner to "worklist"')
    with connect(server.account) as connection:
        with pytest.raises(SettingsWrong, match='grant create on database data to "the programme"'):
            check_account(connection, SETTINGS.postgres)
        server.run_as_administrator('grant create on database data to "the programme"')
        check_account(connection, SETTINGS.postgres)
        server.run_as_administrator("create schema v1", "create table v1.couchdb (_id text)")
        with pytest.raises(SettingsWrong, match='grant worklist to "the programme"'):
            check_account(connection, SETTINGS.postgres)
