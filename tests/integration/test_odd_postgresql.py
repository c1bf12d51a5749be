"""PostgreSQL as it is found: settings of a database, a role or a shell that would change results,
and servers that cannot hold a worklist.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.database import Address, connect, engine, unsuited
from pipeline.errors import SettingsWrong, Unavailable
from testbed import databases
from tests.commands import Worklist, worklist_for
from tests.conftest import PostgresServer, SimulatedCht

ODD = {
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Pacific/Kiritimati",
    "client_encoding": "LATIN1",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "default_transaction_isolation": "serializable",
    "search_path": "worklist_pii, app",
    "statement_timeout": "20ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "20ms",
    "idle_session_timeout": "20ms",
}
# What people set in a shell, which libpq tells the server after all else.
SHELL = {"PGTZ": "Africa/Nairobi", "PGDATESTYLE": "German", "PGCLIENTENCODING": "LATIN1"}
COMPARED = (
    "select * from worklist.missed_appointment",
    "select * from worklist.open_task",
    "select * from worklist.task_history",
    "select * from worklist.to_trace",
    "select * from worklist.verification",
    "select * from worklist.supervisor_workload",
    "select * from worklist_pii.patient",
    "select * from worklist_build.report",
    "select _id, _deleted, source, doc, saved_timestamp from v1.couchdb",
)


def alter(at: Address, database: str, settings: dict[str, str]) -> None:
    with connect(at, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(
                sql.SQL("alter database {} set {} to {}").format(
                    sql.Identifier(database),
                    sql.Identifier(name),
                    sql.SQL(", ").join(map(sql.Literal, value.split(", "))),
                )
            )


@pytest.fixture
def odd_database(postgres_server: PostgresServer, empty_database: Address) -> Address:
    alter(postgres_server.maintenance, empty_database.database, ODD)
    with psycopg.connect(
        host=empty_database.host,
        port=empty_database.port,
        user=empty_database.user,
        password=empty_database.password,
        dbname=empty_database.database,
    ) as stranger:
        assert stranger.execute("show standard_conforming_strings").fetchone() == ("off",)
    return empty_database


def rows(address: Address, statement: str) -> list[str]:
    with connect(address) as connection:
        found = connection.execute(
            sql.SQL("select to_jsonb(found) - 'as_of' from ({}) as found").format(
                sql.SQL(statement)
            )
        )
        return sorted(str(row) for row in found)


def test_the_rows_are_the_same_whatever_was_set_for_database_and_shell(
    odd_database: Address,
    recorded_database: Address,
    simulated_cht: SimulatedCht,
    home: Path,
) -> None:
    worklist = worklist_for(odd_database, simulated_cht.url, home)
    worklist = Worklist({**worklist.environment, **SHELL}, worklist.folder)
    for command in ("migrate", "nightly"):
        worklist.must(command)
    expected = {statement: rows(recorded_database, statement) for statement in COMPARED}
    assert [len(found) for found in expected.values()].count(0) <= 2  # nobody has answered yet
    for statement, found in expected.items():
        assert rows(odd_database, statement) == found, statement
    shown = worklist.must("tasks", "--user", "supervisor_matope", "--format", "json")
    ordinary = worklist_for(recorded_database, simulated_cht.url, home)
    assert shown == ordinary.must("tasks", "--user", "supervisor_matope", "--format", "json")


def test_each_session_has_its_own_settings(odd_database: Address) -> None:
    expected = {
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "TimeZone": "UTC",
        "default_transaction_isolation": "read committed",
    }
    pool = engine(odd_database)
    with connect(odd_database) as plain, pool.connect() as pooled:
        for name, value in expected.items():
            assert plain.execute(f"show {name}").fetchone() == (value,)
            assert pooled.exec_driver_sql(f"show {name}").scalar_one() == value
    pool.dispose()


def test_a_role_may_have_any_name(database: Address) -> None:
    name = f"{database.database} \\ 'role'"
    with connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {}").format(sql.Identifier(name)))
        try:
            with connect(replace(database, role=name)) as acting:
                assert acting.execute("select current_user::text").fetchone() == (name,)
        finally:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_an_error_does_not_repeat_what_a_statement_was_given(database: Address) -> None:
    pool = engine(database)
    divide = text("select 1 / 0 where :name <> ''")
    with pytest.raises(DBAPIError) as failed, pool.connect() as connection:
        connection.execute(divide, {"name": "Grace Banda"})
    assert "Grace" not in str(failed.value)
    pool.dispose()


def test_functions_read_days_also_for_a_session_without_standard_strings(
    database: Address,
) -> None:
    """An analyst's, whose settings are not ours."""
    with connect(database) as connection:
        connection.execute("set standard_conforming_strings = off")
        connection.execute("set escape_string_warning = off")
        found = connection.execute("""
            select
                app.read_day('2026-11-20', 'UTC')::text,
                app.read_moment('1795300000000') is not null,
                app.read_moment('2026-11-20T08:30:00.5+02:00') is not null,
                app.read_count('12')
        """).fetchone()
        assert found == ("2026-11-20", True, True, 12)
        depending = connection.execute("""
            select proname
            from pg_proc
            where pronamespace = 'app'::regnamespace and strpos(prosrc, chr(92)) > 0
        """)
        assert depending.fetchall() == []


@contextmanager
def encoded(server: PostgresServer, encoding: str) -> Iterator[Address]:
    with databases.created(server.maintenance) as address:
        name = sql.Identifier(address.database)
        with connect(server.maintenance, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {}").format(name))
            connection.execute(
                sql.SQL(
                    "create database {} template template0 encoding {} locale 'C' "
                    "locale_provider libc"
                ).format(name, sql.Literal(encoding))
            )
        yield address


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_is_not_utf8_is_refused_before_anything_is_written(
    postgres_server: PostgresServer, tmp_path: Path, encoding: str
) -> None:
    with encoded(postgres_server, encoding) as address:
        done = worklist_for(address, "http://127.0.0.1:1", tmp_path)("migrate")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"has the encoding {encoding}" in done.stderr
        with psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
        ) as looking:
            made = looking.execute("select from pg_namespace where nspname in ('app', 'v1')")
            assert made.rowcount == 0


def test_a_server_older_than_15_is_refused() -> None:
    assert "is PostgreSQL 14" in (unsuited(14, "UTF8") or "")
    assert unsuited(15, "UTF8") is None


def test_a_server_that_refuses_us_differs_from_one_that_is_down(
    database: Address, postgres_server: PostgresServer
) -> None:
    wrong = {
        "refuses the connection: password authentication failed": replace(
            database, password="guessed"
        ),
        "asks for a password: set POSTGRES_PASSWORD": replace(database, password=""),
        'refuses the connection: database "nope" does not exist': replace(
            database, database="nope"
        ),
    }
    for said, address in wrong.items():
        with pytest.raises(SettingsWrong, match=said):
            connect(address)
    for host in ("127.0.0.1", "localhost"):  # of which the latter may have several addresses
        with pytest.raises(Unavailable, match=r"does not answer: Connection refused$"):
            connect(replace(database, host=host, port=1))
    name = sql.Identifier(database.database.replace("worklist-test", "worklist-test-role"))
    with connect(postgres_server.maintenance, autocommit=True) as connection:
        create = sql.SQL("create role {} login password 'x' connection limit 0")
        connection.execute(create.format(name))
        try:
            with pytest.raises(Unavailable, match="too many connections"):
                connect(replace(database, user=name.as_string()[1:-1], password="x"))
        finally:
            connection.execute(sql.SQL("drop role {}").format(name))


def test_another_server_than_postgresql_is_refused(simulated_cht: SimulatedCht) -> None:
    port = int(simulated_cht.url.rpartition(":")[2])
    with pytest.raises(SettingsWrong, match="is not PostgreSQL"):
        connect(Address("127.0.0.1", port, "postgres", "x", "data"))


def test_a_wrong_password_is_said_at_once_by_every_command(
    database: Address, tmp_path: Path
) -> None:
    worklist = worklist_for(replace(database, password="guessed"), "http://127.0.0.1:1", tmp_path)
    patient = {**worklist.environment, "WORKLIST_PATIENCE": "250"}
    for command in (["migrate"], ["sync"], ["nightly"], ["status"], ["serve"]):
        done = Worklist(patient, tmp_path)(*command)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "Check POSTGRES_USER, POSTGRES_PASSWORD" in done.stderr


def test_a_read_only_database_is_reported_as_one(
    database: Address, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    alter(postgres_server.maintenance, database.database, {"default_transaction_read_only": "on"})
    done = worklist_for(database, "http://127.0.0.1:1", tmp_path)("migrate")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "is read-only: if it is a standby, name the primary server" in done.stderr


def test_a_privilege_that_is_missing_is_one_sentence(
    database: Address, connection: psycopg.Connection, tmp_path: Path
) -> None:
    role = f"worklist-test-{os.getpid()}"
    connection.execute(sql.SQL("create role {} login password 'x'").format(sql.Identifier(role)))
    try:
        stranger = replace(database, user=role, password="x")
        for command in (["migrate"], ["sync"], ["nightly"], ["status"]):
            done = worklist_for(stranger, "http://127.0.0.1:1", tmp_path)(*command)
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
            assert f"{role} may not do this (permission denied for" in done.stderr
    finally:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
