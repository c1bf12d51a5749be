"""A landing that cht-sync made: taken over, or left to couch2pg and numbered by a trigger."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pipeline.adoption import Adoption
from pipeline.database import Address, connect, engine
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.migrate import migrate
from pipeline.settings import Settings
from pipeline.sync import store
from pipeline.sync.reconcile import Counts, Reconciliation
from pipeline.sync.run import Progress, Sync
from pipeline.sync.store import Landing
from tests.couch2pg import Couch2pg, stored_in_the_landing
from tests.integration.in_process_cht import InProcessCht
from tests.waiting import wait_until

SOURCE = "cht.example/medic"
OWN, EXTERNAL = Landing(), Landing(is_written_by_couch2pg=True)


@pytest.fixture
def connection(empty_database: Address) -> Iterator[psycopg.Connection]:
    with connect(empty_database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def couch2pg(empty_database: Address) -> Iterator[Couch2pg]:
    """With three documents stored, one of them deleted."""
    with connect(empty_database, autocommit=True) as opened:
        couch2pg = Couch2pg(opened)
        couch2pg.create_tables()
        couch2pg.store(("a", {"n": 1}), ("b", {"n": 1}), ("c", None))
        yield couch2pg


def adopt(address: Address, landing: Landing = OWN, *sources: str) -> list[str]:
    """Migrates as `worklist migrate` does; returns its messages."""
    said: list[str] = []
    with connect(address, autocommit=True) as connection:
        Adoption(connection, landing, sources or (SOURCE,), said.append).prepare()
    opened = engine(address)
    with opened.begin() as migrating:
        migrate(migrating, Settings.read({}).postgres)
    opened.dispose()
    return said


def filenode(connection: psycopg.Connection) -> Any:
    """Changes when the table is rewritten."""
    return connection.execute("select pg_relation_filenode('v1.couchdb')").fetchone()


def sync(cht: InProcessCht, address: Address) -> Progress:
    with connect(address, autocommit=True) as connection:
        return Sync(cht.client(), connection, OWN, SOURCE, "medic").once()


def test_taking_over_rewrites_nothing_and_the_sync_resumes_where_couch2pg_stopped(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    cht = InProcessCht()
    for name in ("x", "y", "z"):
        cht.put(name, n=1)
    couch2pg.copy(cht.client())
    node, rows = filenode(connection), connection.execute("select * from v1.couchdb").fetchall()
    adopt(empty_database)
    assert filenode(connection) == node
    kept = "select saved_timestamp, _id, _deleted, source, doc from v1.couchdb"
    assert connection.execute(kept).fetchall() == rows
    assert store.key_columns(connection, OWN) == ("source", "_id")

    cht.put("y", n=2)
    cht.delete("z")
    done = sync(cht, empty_database)
    assert done.written == 2
    landed = stored_in_the_landing(connection)
    assert {name: row[3] > 0 for name, row in landed.items()} == {
        **dict.fromkeys(("a", "b", "c", "x"), False),
        **dict.fromkeys(("y", "z"), True),
    }
    assert landed["z"][2]["n"] == 1
    with pytest.raises(psycopg.errors.InvalidColumnReference):
        couch2pg.store(("a", {"n": 3}))


def test_others_read_and_write_while_a_landing_is_adopted(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    with connection.transaction():
        for start in range(0, 20_000, 1000):
            couch2pg.store(*((f"{start + n}", {"n": 1}) for n in range(1000)))
    done, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with suppress(psycopg.errors.InvalidColumnReference):  # couch2pg fails after the swap
            while not done.is_set():
                couch2pg.store((f"meanwhile {written}", {"n": written}))
                written += 1

    writing = threading.Thread(target=write)
    writing.start()
    adopt(empty_database)
    done.set()
    writing.join()
    assert written > 1
    found = connection.execute("select count(*) from v1.couchdb where _id like 'meanwhile %'")
    assert found.fetchone() == (written,)


def test_a_migration_and_an_autovacuum_of_the_landing_do_not_stop_each_other(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    """An analyze waits for a transaction that has changed the table's row in the catalogue, and
    holds a lock that the migration's comments need.
    """
    migrating = threading.Thread(target=adopt, args=(empty_database,))
    Adoption(connection, OWN, (SOURCE,), lambda _: None).prepare()
    with couch2pg.connection.transaction():
        couch2pg.connection.execute("lock table v1.couchdb in share update exclusive mode")
        migrating.start()
        waits = "select 1 from pg_locks where not granted and relation = 'v1.couchdb'::regclass"
        while migrating.is_alive() and not connection.execute(waits).fetchone():
            time.sleep(0.01)
        couch2pg.connection.execute("analyze v1.couchdb")
    migrating.join()
    described = connection.execute("select obj_description('app.verification'::regclass)")
    assert described.fetchone() != (None,)


def test_a_migration_waits_for_a_landing_in_use_no_longer_than_writers_can_wait(
    couch2pg: Couch2pg, empty_database: Address, connection: psycopg.Connection
) -> None:
    with connect(empty_database) as reader:
        reader.execute("select count(*) from v1.couchdb")
        with pytest.raises(Unavailable, match="in use"):
            adopt(empty_database)
    couch2pg.store(("a", {"n": 2}))
    adopt(empty_database)
    assert stored_in_the_landing(connection)["a"][0]["n"] == 2


@pytest.mark.parametrize("landing", [OWN, EXTERNAL])
def test_a_second_migration_has_nothing_to_do_and_locks_nobody_out(
    couch2pg: Couch2pg, empty_database: Address, landing: Landing
) -> None:
    assert adopt(empty_database, landing)
    with couch2pg.connection.transaction():
        couch2pg.connection.execute("lock table v1.couchdb in row exclusive mode")
        with connect(empty_database, autocommit=True) as opened:
            said: list[str] = []
            Adoption(opened, landing, [SOURCE], said.append).prepare()
    assert said == []


def test_an_index_whose_build_was_interrupted_is_built_again(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    connection.execute("alter table v1.couchdb drop constraint couchdb_pkey")
    couch2pg.connection.execute("insert into v1.couchdb values (now(), 'a', false, %s)", [SOURCE])
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "create unique index concurrently couchdb_source_id on v1.couchdb (source, _id)"
        )
    connection.execute("delete from v1.couchdb where _id = 'a'")
    adopt(empty_database)
    assert store.key_columns(connection, OWN) == ("source", "_id")


def test_couch2pg_keeps_writing_and_a_trigger_numbers_what_changes(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    node = filenode(connection)
    adopt(empty_database, EXTERNAL)
    assert filenode(connection) == node
    couch2pg.store(("a", {"n": 1}), ("b", {"n": 2}), ("new", {"n": 1}))
    landed = stored_in_the_landing(connection)
    assert landed["a"][3] == 0  # what is the same keeps its number
    assert 0 < landed["b"][3] < landed["new"][3]
    couch2pg.store(("b", None), ("c", {"n": 1}))
    couch2pg.store(("b", None))
    after = stored_in_the_landing(connection)
    assert after["b"][1:3] == (True, {"_id": "b", "n": 2})
    assert after["c"][1:3] == (False, None)
    assert landed["new"][3] < after["b"][3] < after["c"][3]


def test_nothing_is_kept_of_deleted_documents_if_the_operator_says_so(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    adopt(empty_database, EXTERNAL)
    adopt(empty_database, Landing(keeps_deleted_content=False, is_written_by_couch2pg=True))
    couch2pg.store(("b", None))
    assert stored_in_the_landing(connection)["b"][1:3] == (True, None)


def test_secrets_that_couch2pg_lands_do_not_stay(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    account = {
        "name": "a",
        "salt": "s",
        "derived_key": "d",
        "token_login": {"active": True, "token": "t"},
    }
    couch2pg.store(("org.couchdb.user:before", account), ("token:login:before", {"user": "a"}))
    adopt(empty_database, EXTERNAL)
    couch2pg.store(("org.couchdb.user:after", account), ("token:login:after", {"user": "a"}))
    users = {one: row for one, row in stored_in_the_landing(connection).items() if ":" in one}
    assert {one: row[0] for one, row in users.items()} == {
        f"org.couchdb.user:{one}": {
            "_id": f"org.couchdb.user:{one}",
            "name": "a",
            "token_login": {"active": True},
        }
        for one in ("before", "after")
    }


def waits(connection: psycopg.Connection) -> bool:
    """Whether another session waits for a lock in this database."""
    return bool(
        connection.execute("""
            select from pg_locks
            where
                not granted
                and database = (select oid from pg_database where datname = current_database())
        """).rowcount
    )


def read_after(connection: psycopg.Connection, column: str, watermark: Any) -> tuple[set[str], Any]:
    """What an incremental reader sees above its watermark, and its next one."""
    statement = sql.SQL("select _id, {0} from v1.couchdb where {0} > %s")
    rows = connection.execute(statement.format(sql.Identifier(column)), [watermark]).fetchall()
    return {row[0] for row in rows}, max([watermark, *(row[1] for row in rows)])


@pytest.mark.parametrize(
    ("column", "is_adopted"), [("landed_number", True), ("saved_timestamp", False)]
)
def test_a_page_that_commits_late_is_lost_to_the_clock_and_not_to_the_number(
    couch2pg: Couch2pg,
    connection: psycopg.Connection,
    empty_database: Address,
    column: str,
    is_adopted: bool,
) -> None:
    if is_adopted:
        adopt(empty_database, EXTERNAL)
    highest = sql.SQL("select max({}) from v1.couchdb").format(sql.Identifier(column))
    found = connection.execute(highest).fetchone()
    with connect(empty_database, autocommit=True) as slow:
        with slow.transaction():
            Couch2pg(slow).store(("late", {"n": 1}))
            early = threading.Thread(target=couch2pg.store, args=(("early", {"n": 1}),))
            early.start()
            wait_until(lambda: not early.is_alive() or waits(connection))
            seen_before, watermark = read_after(connection, column, (found or (None,))[0])
        early.join()
    seen_after, _ = read_after(connection, column, watermark)
    seen = seen_before | seen_after
    assert seen == ({"late", "early"} if is_adopted else {"early"})


def test_a_purge_is_found_while_couch2pg_writes_and_nothing_of_it_stays(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    cht = InProcessCht()
    for name in ("x", "y", "z"):
        cht.put(name, n=1)
    couch2pg.connection.execute("truncate v1.couchdb")
    couch2pg.copy(cht.client())
    adopt(empty_database, EXTERNAL)
    cht.medic.purge("x")
    cht.put("y", n=2)
    assert Reconciliation(cht.client(), connection, EXTERNAL, SOURCE, "medic").once() == Counts(
        listed=2, landed=1, purged=1
    )
    landed = stored_in_the_landing(connection)
    assert landed["x"][:3] == ({"_id": "x", "_deleted": True}, True, None)
    assert landed["y"][0]["n"] == 2
    assert landed["z"][3] == 0


def test_a_landing_left_to_couch2pg_can_be_taken_over_later(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    cht = InProcessCht()
    cht.put("x", n=1)
    adopt(empty_database, EXTERNAL)
    couch2pg.copy(cht.client())
    with pytest.raises(SettingsWrong, match="worklist migrate"):
        sync(cht, empty_database)
    adopt(empty_database, OWN)
    before = stored_in_the_landing(connection)
    cht.put("y", n=1)
    sync(cht, empty_database)
    landed = stored_in_the_landing(connection)
    assert landed.pop("y")[3] > max(row[3] for row in before.values())
    assert landed == before
    assert connection.execute("select from pg_trigger where not tgisinternal").fetchone() is None


def without_source(couch2pg: Couch2pg) -> None:
    couch2pg.connection.execute("update v1.couchdb set source = null where _id = 'a'")


def of_another_layout(couch2pg: Couch2pg) -> None:
    couch2pg.connection.execute("alter table v1.couchdb drop column saved_timestamp")


def referenced(couch2pg: Couch2pg) -> None:
    couch2pg.connection.execute("create table note (about varchar references v1.couchdb (_id))")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (without_source, "1 rows of v1.couchdb do not say which database"),
        (of_another_layout, "is not the one of cht-sync 2"),
        (referenced, "something depends on it"),
    ],
)
def test_a_landing_that_cannot_be_taken_over_is_reported_and_left_to_couch2pg(
    couch2pg: Couch2pg,
    empty_database: Address,
    spoil: Callable[[Couch2pg], None],
    complaint: str,
) -> None:
    spoil(couch2pg)
    with pytest.raises(SettingsWrong, match=complaint):
        adopt(empty_database)
    if spoil is not of_another_layout:
        couch2pg.store(("a", {"n": 2}))


def test_a_cht_under_another_name_is_not_copied_a_second_time(
    couch2pg: Couch2pg, connection: psycopg.Connection, empty_database: Address
) -> None:
    with pytest.raises(SettingsWrong, match=r"copied cht\.example/medic .* name other\.host/medic"):
        adopt(empty_database, OWN, "other.host/medic")
    assert "landed_number" not in (
        column.name for column in connection.execute("select * from v1.couchdb").description or ()
    )
    couch2pg.store(("a", {"n": 2}))


def test_couch2pg_comes_first_where_it_is_to_write(empty_database: Address) -> None:
    with pytest.raises(SettingsWrong, match="start couch2pg first"):
        adopt(empty_database, EXTERNAL)
    adopt(empty_database, OWN)
    with pytest.raises(SettingsWrong, match="has taken over"):
        adopt(empty_database, EXTERNAL)


def test_several_databases_cannot_be_left_to_couch2pg() -> None:
    with pytest.raises(SettingsWrong, match="overwrite each other"):
        Settings.read({"WORKLIST_SYNC": "external", "COUCHDB_DBS": "medic,medic-sentinel"})
