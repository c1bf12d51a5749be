"""What the changes feed does not contain is found by comparing, and repaired."""

from typing import Any

import psycopg
import pytest

from pipeline.cht.row_stream import PART_BYTES
from pipeline.database import Address, connect
from pipeline.errors import Conflict, SettingsWrong, Unavailable
from pipeline.sync import store
from pipeline.sync.reconcile import Counts, Reconciliation
from pipeline.sync.retry_set_aside import retry
from pipeline.sync.rules import set_aside_key
from pipeline.sync.run import Progress, Sync
from pipeline.sync.store import Landing
from tests.integration.in_process_cht import InProcessCht

SOURCE = "cht.example/medic"
LANDING = Landing()
ALTERED = "al\x00tered"
LONG = "long" * 600


@pytest.fixture
def cht() -> InProcessCht:
    """Documents of every kind: plain, altered, a secret, one that cannot be stored, deleted."""
    cht = InProcessCht()
    for name in ("a", "b", "c", "d"):
        cht.put(name, n=1)
    cht.put(ALTERED, t="nul \x00")
    cht.put("token:login:70ke", user="a")
    cht.put("half", n=1e300)
    cht.put("gone", n=1)
    return cht


@pytest.fixture
def landed(cht: InProcessCht, database: Address, connection: psycopg.Connection) -> InProcessCht:
    """The same, landed, with the content of the deleted one kept and one set aside."""
    sync(cht, database)
    cht.delete("gone")
    sync(cht, database)
    rows = "from v1.couchdb where _id = 'half' returning convert_to(doc::text, 'UTF8')"
    (content,) = connection.execute(f"delete {rows}").fetchone() or (b"",)
    compact = bytes(content).replace(b'": "', b'":"')
    connection.execute(
        "insert into v1.couchdb_set_aside values (%s, 'half', %s, 'cannot be stored', now())",
        (SOURCE, compact),
    )
    return cht


def sync(cht: InProcessCht, database: Address, said: list[str] | None = None) -> Progress:
    with connect(database, autocommit=True) as connection:
        say = (said if said is not None else []).append
        return Sync(cht.client(), connection, LANDING, SOURCE, "medic", 3, say=say).once()


def reconciled(cht: InProcessCht, database: Address, landing: Landing = LANDING) -> Counts:
    with connect(database, autocommit=True) as connection:
        return Reconciliation(cht.client(), connection, landing, SOURCE, "medic").once()


def rows(connection: psycopg.Connection) -> dict[str, tuple[Any, ...]]:
    found = connection.execute(
        "select _id, doc ->> 'n', _deleted, last_content, landed_number from v1.couchdb"
    )
    return {row[0]: row[1:] for row in found}


def test_what_is_the_same_is_left_alone_whatever_became_of_it(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    before = rows(connection)
    assert reconciled(landed, database) == Counts(listed=6)
    assert rows(connection) == before
    assert before["gone"][2]["n"] == 1


def test_rows_that_are_missing_stale_or_alive_by_mistake_are_repaired(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    connection.execute("delete from v1.couchdb where _id in ('a', %s)", ("al\ufffdtered",))
    connection.execute("""update v1.couchdb set doc = '{"_rev":"1-old"}' where _id = 'b'""")
    connection.execute("update v1.couchdb set _deleted = true where _id = 'c'")
    connection.execute("""
        update v1.couchdb set _deleted = false, doc = last_content, last_content = null
        where _id = 'gone'
    """)
    before = rows(connection)
    assert reconciled(landed, database) == Counts(listed=6, landed=4, deleted=1)
    after = rows(connection)
    assert [after[one][:2] for one in "abcd"] == [("1", False)] * 4
    assert after["gone"][:3] == (None, True, before["gone"][2] or after["gone"][2])
    assert after["d"] == before["d"]
    assert min(after[one][3] for one in ("a", "b", "c", "gone")) > max(
        row[3] for row in before.values()
    )
    assert reconciled(landed, database) == Counts(listed=6)


def test_a_purge_leaves_nothing_of_what_was_purged_living_or_deleted(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    landed.put(LONG, n=1)
    sync(landed, database)
    connection.execute(
        "insert into v1.couchdb_set_aside values (%s, %s, 'later', 'cannot be stored', now())",
        (SOURCE, set_aside_key(LONG.encode())),
    )
    before = rows(connection)
    for purged in ("d", "gone", ALTERED, LONG):
        landed.medic.purge(purged)
    assert reconciled(landed, database) == Counts(listed=4, purged=4)
    after = rows(connection)
    for one in ("d", "gone", "al\ufffdtered", LONG):
        assert after[one][:3] == (None, True, None)
        assert after[one][3] > max(row[3] for row in before.values())
    assert connection.execute("select count(*) from v1.couchdb_altered").fetchone() == (0,)
    kept = connection.execute("select id_bytes from v1.couchdb_set_aside").fetchall()
    assert kept == [(b"half",)]
    assert reconciled(landed, database) == Counts(listed=4)


def test_what_deleted_documents_held_is_erased_when_it_is_not_to_be_kept(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    assert rows(connection)["gone"][2] is not None
    reconciled(landed, database, Landing(keeps_deleted_content=False))
    assert rows(connection)["gone"][2] is None


def test_an_account_that_sees_only_some_documents_purges_none(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    before = rows(connection)
    landed.roles = ["chw"]
    landed.medic.purge("a")
    with pytest.raises(SettingsWrong, match="offline account"):
        reconciled(landed, database)
    assert rows(connection) == before


def test_a_restored_database_is_noticed_and_what_is_still_right_is_not_written_again(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    landed.put("b", n=2)
    landed.put("after the backup", n=1)
    sync(landed, database)
    before = rows(connection)
    restored = InProcessCht(seed=2)
    for name in ("a", "b", "c"):
        restored.put(name, n=1)
    restored.put("made since", n=1)
    said: list[str] = []
    sync(restored, database, said)
    after = rows(connection)
    living = {one for one, row in after.items() if not row[1]}
    assert living == {"a", "b", "c", "made since"}
    assert after["b"][0] == "1"
    assert [after[one] for one in "ac"] == [before[one] for one in "ac"]
    assert len(said) == 1
    assert "restored from a backup" in said[0]
    sync(restored, database, said)
    assert len(said) == 1


def test_a_sequence_that_the_cht_refuses_means_a_recreated_database(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    connection.execute("update v1.couchdb_progress set seq = 'garbage'")
    before, said = rows(connection), list[str]()
    sync(landed, database, said)
    assert "was recreated" in said[0]
    assert rows(connection) == before
    assert sync(landed, database, said).read == 0
    assert len(said) == 1


@pytest.mark.usefixtures("landed")
def test_an_interrupted_comparison_is_repeated_by_the_next_sync(
    database: Address, connection: psycopg.Connection
) -> None:
    restored = InProcessCht(seed=2)
    for name in ("a", "b", "made since"):
        restored.put(name, n=1)
    restored.cut_documents = True
    said: list[str] = []
    with pytest.raises(Unavailable):
        sync(restored, database, said)
    assert "restored from a backup" in said[0]
    living = "select _id from v1.couchdb where not _deleted"
    assert ("c",) in connection.execute(living).fetchall()
    restored.put("while nobody looked", n=1)
    done = sync(restored, database, said)
    assert set(connection.execute(living).fetchall()) == {
        (one,) for one in ("a", "b", "made since", "while nobody looked")
    }
    assert (len(said), done.written > 0) == (1, True)


def test_differing_documents_are_read_as_a_stream(
    landed: InProcessCht, database: Address, connection: psycopg.Connection
) -> None:
    """More than fit into a part, on which the answer is cut off: what came stays."""
    documents = PART_BYTES // 25_000
    for number in range(documents):
        landed.put(f"new-{number:02d}", t="x" * 100_000)
    landed.cut_documents = True
    with pytest.raises(Unavailable):
        reconciled(landed, database)
    count = "select count(*) from v1.couchdb where _id like 'new-%'"
    (came,) = connection.execute(count).fetchone() or (0,)
    assert 0 < came < documents
    assert reconciled(landed, database).landed == documents - came


@pytest.mark.usefixtures("landed")
def test_retrying_lands_what_can_be_stored_by_now_and_keeps_the_rest(
    connection: psycopg.Connection, database: Address
) -> None:
    bad = rb'{"_id":"bad","t":"\ud800"}'
    connection.execute(
        "insert into v1.couchdb_set_aside values (%s, 'bad', %s, 'half a pair', now())",
        (SOURCE, bad),
    )
    with connect(database, autocommit=True) as retrying:
        done = retry(retrying, LANDING, SOURCE)
    assert (done.tried, done.landed, sum(done.reasons.values())) == (2, 1, 1)
    assert "half" in rows(connection)
    kept = connection.execute("select id_bytes, content from v1.couchdb_set_aside").fetchall()
    assert kept == [(b"bad", bad)]


def test_reconciling_waits_for_nobody_but_says_who_syncs(
    landed: InProcessCht, database: Address
) -> None:
    with (
        connect(database) as other,
        store.locked(other, LANDING, SOURCE),
        pytest.raises(Conflict, match="Another sync"),
    ):
        reconciled(landed, database)
