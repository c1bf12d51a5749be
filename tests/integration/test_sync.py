"""The promises of the sync, on a real PostgreSQL, against the simulated CHT and by script."""

import gzip
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from pipeline.errors import Conflict, Refused, SettingsWrong, Unavailable
from pipeline.sync import store
from pipeline.sync.run import Progress, Sync
from pipeline.sync.store import Landing
from tests.waiting import LONG, wait_until

if TYPE_CHECKING:
    from tests.conftest import SimulatedCht

SOURCE = "cht.example/medic"
LANDING = Landing()
RECORDED_FEED = Path(__file__).parents[1] / "data" / "cht-wire" / "changes.jsonl.gz"
ALTERED = "e3e7f4b2-ccc0-555a-b142-6bfb9608d7d6"
Change = tuple[str, dict[str, Any] | None]


class ScriptedFeed:
    """A CHT whose pages are given: each a list of (id, document or None for a deletion)."""

    def __init__(self) -> None:
        self.pages: list[list[Change]] = []
        self.login_page = False

    def client(self) -> ChtClient:
        return ChtClient("http://cht.example", "a", "b", transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/_session":
            context = {"name": "a", "roles": ["mm-online"]}
            return httpx.Response(200, json={"userCtx": context})
        if request.url.path.endswith("/_all_docs"):
            keys = json.loads(request.content)["keys"]
            return httpx.Response(
                200, json={"rows": [{"key": key, "value": {"rev": "1-a"}} for key in keys]}
            )
        since = request.url.params.get("since", "0")
        reached = len(self.pages) if since == "now" else int(since)
        if self.login_page and since != "now":
            return httpx.Response(302, headers={"location": "/medic/login"})
        return httpx.Response(200, content=self._page(reached))

    def _page(self, reached: int) -> bytes:
        page = self.pages[reached] if reached < len(self.pages) else []
        lines = [_line(*change) for change in page]
        after = min(reached + 1, len(self.pages))
        end = f'],\n"last_seq":"{after}","pending":{len(self.pages) - after}}}\n'
        return ('{"results":[\n' + ",\r\n".join(lines) + "\n" + end).encode()


def _line(document_id: str, document: dict[str, Any] | None) -> str:
    what = ',"deleted":true' if document is None else f',"doc":{json.dumps(document)}'
    return f'{{"seq":null,"id":{json.dumps(document_id)},"changes":[{{"rev":"1-a"}}]{what}}}'


@pytest.fixture
def feed() -> ScriptedFeed:
    return ScriptedFeed()


@pytest.fixture
def sync(database: Address) -> Callable[..., Progress]:
    """One sync on a connection of its own, as each run of the command has it."""

    def once(client: ChtClient, name: str = "medic", page_size: int = 100) -> Progress:
        with connect(database) as connection:
            return Sync(client, connection, LANDING, SOURCE, name, page_size).once()

    return once


def landed(connection: psycopg.Connection) -> dict[str, tuple[Any, bool, Any]]:
    rows = connection.execute("select _id, doc, _deleted, last_content from v1.couchdb").fetchall()
    return {row[0]: row[1:] for row in rows}


def numbers(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute("select _id, landed_number from v1.couchdb order by 2").fetchall()
    return dict(rows)


def sequence(connection: psycopg.Connection) -> str | None:
    return store.read_sequence(connection, LANDING, SOURCE)


def recorded_rows() -> list[dict[str, Any]]:
    with gzip.open(RECORDED_FEED, "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if "id" in row]


def test_the_recorded_feed_lands_whole(
    cht: ChtClient, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    progress = sync(cht)
    rows = recorded_rows()
    stands = landed(connection)
    assert {row["id"] for row in rows} == set(stands)
    assert {row["id"] for row in rows if row.get("deleted")} == {
        document_id for document_id, (_, is_deleted, _) in stands.items() if is_deleted
    }
    assert (progress.pending, progress.set_aside) == (0, 0)
    assert sequence(connection) == progress.sequence


def test_a_document_with_nul_lands_altered_and_is_listed(
    cht: ChtClient, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    assert sync(cht).altered == 1
    listed = connection.execute("select source, _id, reason from v1.couchdb_altered").fetchall()
    assert listed == [(SOURCE, ALTERED, "U+0000 was replaced by U+FFFD")]
    (document,) = [row["doc"] for row in recorded_rows() if row["id"] == ALTERED]
    note = document["fields"]["trace_details"]
    stored = landed(connection)[ALTERED][0]["fields"]["trace_details"]
    assert stored == {key: value.replace("\x00", "\ufffd") for key, value in note.items()}


def test_nothing_is_read_twice_and_nothing_is_written_twice(
    cht: ChtClient, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    first = sync(cht)
    before = numbers(connection)
    assert (first.written, sync(cht).read) == (len(before), 0)
    connection.execute("delete from v1.couchdb_progress")
    replayed = sync(cht)
    assert (replayed.read, replayed.written) == (len(before), 0)
    assert numbers(connection) == before


def test_every_write_gets_a_number_above_all_before(
    feed: ScriptedFeed, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    feed.pages = [[("c", {"n": 1}), ("a", {"n": 1}), ("b", {"n": 1}), ("c", {"n": 2})]]
    sync(feed.client())
    first = numbers(connection)
    feed.pages += [[("b", {"n": 1}), ("a", {"n": 3})], [("d", {}), ("c", None)]]
    sync(feed.client())
    second = numbers(connection)
    assert list(first) == ["a", "b", "c"]
    assert list(second) == ["b", "a", "d", "c"]
    assert second["b"] == first["b"]
    assert min(second[changed] for changed in "adc") > max(first.values())


def test_a_deletion_keeps_the_last_content_until_the_document_lives_again(
    feed: ScriptedFeed, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    stub = {"_id": "a", "_rev": "1-a", "_deleted": True}
    feed.pages = [[("a", {"n": 1})], [("a", None)]]
    sync(feed.client())
    assert landed(connection)["a"] == (stub, True, {"n": 1})
    connection.execute("""update v1.couchdb set doc = doc || '{"_rev": "0-before"}'""")
    feed.pages += [[("a", None)]]
    sync(feed.client())
    assert landed(connection)["a"] == (stub, True, {"n": 1})
    feed.pages += [[("a", {"n": 2})]]
    sync(feed.client())
    assert landed(connection)["a"] == ({"n": 2}, False, None)


changes = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d\x00", "é"]),
            st.none() | st.fixed_dictionaries({"t": st.sampled_from(["x", "y\x00", "z\\u0000"])}),
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=5,
)


@given(pages=changes, replay_from=st.integers(0, 5))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_after_any_edits_deletions_and_replays_the_landing_is_the_model(
    database: Address, pages: list[list[Change]], replay_from: int
) -> None:
    model: dict[str, dict[str, Any] | None] = {}
    for document_id, document in (change for page in pages for change in page):
        model[document_id.replace("\x00", "\ufffd")] = document and {
            "t": document["t"].replace("\x00", "\ufffd")
        }
    feed = ScriptedFeed()
    feed.pages = pages
    with connect(database, autocommit=True) as connection:
        connection.execute("truncate v1.couchdb, v1.couchdb_progress, v1.couchdb_altered")
        Sync(feed.client(), connection, LANDING, SOURCE, "medic").once()
        connection.execute(
            "update v1.couchdb_progress set seq = %s", (min(replay_from, len(pages)),)
        )
        Sync(feed.client(), connection, LANDING, SOURCE, "medic").once()
        stands = landed(connection)
        assert {key for key, (_, is_deleted, _) in stands.items() if is_deleted} == {
            key for key, document in model.items() if document is None
        }
        assert {key: doc for key, (doc, is_deleted, _) in stands.items() if not is_deleted} == {
            key: document for key, document in model.items() if document is not None
        }


def test_a_crash_between_landing_and_commit_loses_nothing(
    feed: ScriptedFeed,
    sync: Callable[..., Progress],
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed.pages = [[("a", {})], [("b", {})], [("c", {})]]
    save = store.save_progress

    def crash_at_the_second_page(writing: psycopg.Connection, *arguments: Any) -> None:
        if arguments[2] == "2":
            (pid,) = writing.execute("select pg_backend_pid()").fetchone() or (0,)
            connection.execute("select pg_terminate_backend(%s)", (pid,))
        save(writing, *arguments)

    monkeypatch.setattr(store, "save_progress", crash_at_the_second_page)
    with pytest.raises(psycopg.OperationalError):
        sync(feed.client())
    assert (list(landed(connection)), sequence(connection)) == (["a"], "1")
    monkeypatch.undo()
    assert sync(feed.client()).read == 2
    assert (set(landed(connection)), sequence(connection)) == ({"a", "b", "c"}, "3")


def test_a_second_sync_learns_who_holds_the_first(
    feed: ScriptedFeed, sync: Callable[..., Progress], database: Address
) -> None:
    with connect(database) as first:
        holder = first.info.backend_pid
        with (
            store.locked(first, LANDING, SOURCE),
            pytest.raises(Conflict, match=rf"process {holder} \(worklist\) .* since 20"),
        ):
            sync(feed.client())
        with store.locked(first, LANDING, "cht.example/other"):
            assert sync(feed.client()).read == 0


def test_a_document_that_cannot_be_stored_is_set_aside_and_its_neighbours_go_through(
    feed: ScriptedFeed, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    long_id = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    good = [(f"good-{number}", {"n": number}) for number in range(10)]
    bad: list[Change] = [("half", {"name": "Grace \ud800"}), (long_id, {}), ("\ud800", {})]
    feed.pages = [[*good[:3], bad[0], *good[3:6], bad[1], *good[6:], bad[2]]]
    assert sync(feed.client()).set_aside == 3
    assert set(landed(connection)) == {document_id for document_id, _ in good}
    kept = connection.execute("select content, reason from v1.couchdb_set_aside").fetchall()
    assert b'{"name": "Grace \\ud800"}' in [content for content, _ in kept]
    assert not any("Grace" in reason for _, reason in kept)
    assert all(reason.endswith(")") for _, reason in kept)
    feed.pages += [[("half", {"name": "Grace"})]]
    sync(feed.client())
    assert "half" in landed(connection)
    assert connection.execute("select count(*) from v1.couchdb_set_aside").fetchone() == (2,)


def test_an_altered_document_leaves_the_list_when_it_is_clean_again(
    feed: ScriptedFeed, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    def listed() -> list[Any]:
        return connection.execute("select _id from v1.couchdb_altered order by 1").fetchall()

    feed.pages = [[("a", {"t": "\x00"}), ("b", {"t": "\x00"})]]
    sync(feed.client())
    assert listed() == [("a",), ("b",)]
    feed.pages += [[("a", {"t": "clean"}), ("b", None)]]
    sync(feed.client())
    assert listed() == [("b",)]  # its last content is kept, and that is altered


def test_what_deleted_documents_held_is_erased_when_it_is_not_to_be_kept(
    feed: ScriptedFeed, database: Address, connection: psycopg.Connection
) -> None:
    def forgetful_sync() -> None:
        with connect(database, autocommit=True) as own:
            forgetful = Landing(keeps_deleted_content=False)
            Sync(feed.client(), own, forgetful, SOURCE, "medic").once()

    names = [f"gone-{number:04d}" for number in range(2500)]
    feed.pages = [[*((name, {"t": "\x00"}) for name in names), ("stays", {"t": "\x00"})]]
    feed.pages += [[(name, None) for name in names]]
    with connect(database, autocommit=True) as own:
        Sync(feed.client(), own, LANDING, SOURCE, "medic").once()
    listed = "select _id from v1.couchdb_altered"
    assert len(connection.execute(listed).fetchall()) == 2501
    before = landed(connection), numbers(connection)
    assert before[0]["gone-0000"][2] == {"t": "\ufffd"}
    forgetful_sync()
    assert landed(connection) == {
        name: (document, is_deleted, None) for name, (document, is_deleted, _) in before[0].items()
    }
    assert numbers(connection) == before[1]
    assert connection.execute(listed).fetchall() == [("stays",)]
    feed.pages += [[("stays", None)]]
    forgetful_sync()
    assert landed(connection)["stays"][1:] == (True, None)
    assert connection.execute(listed).fetchall() == []


def test_password_hashes_and_login_tokens_never_land(
    simulated_cht: "SimulatedCht", sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    with ChtClient(simulated_cht.url, "medic", "password") as administrator:
        user = administrator.document("_users", "org.couchdb.user:worklist").content or {}
        token = {"_id": "token:login:70ke", "user": "org.couchdb.user:worklist"}
        administrator.bulk_docs("medic", [token])
        assert sync(administrator).withheld == 1
        connection.execute("delete from v1.couchdb_progress")
        sync(administrator, "_users")
    texts = connection.execute("select _id || doc::text from v1.couchdb").fetchall()
    everything = "".join(text for (text,) in texts)
    assert "org.couchdb.user:worklist" in everything
    assert '"type": "user"' in everything
    for secret in (user["salt"], user["derived_key"], "derived_key", "70ke"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("account", "password", "name", "words"),
    [
        ("worklist", "wrong", "medic", "does not accept the name or password"),
        ("chw_matope_1", "password", "medic", "offline account"),
        ("worklist", "password", "no-such-database", "/no-such-database/"),
    ],
)
def test_a_wrong_account_or_database_is_named_and_leaves_no_trace(
    simulated_cht: "SimulatedCht",
    sync: Callable[..., Progress],
    connection: psycopg.Connection,
    account: str,
    password: str,
    name: str,
    words: str,
) -> None:
    with (
        ChtClient(simulated_cht.url, account, password) as client,
        pytest.raises(SettingsWrong, match=words),
    ):
        sync(client, name)
    assert (landed(connection), sequence(connection)) == ({}, None)
    [(failure,)] = connection.execute("select reason from v1.couchdb_sync_failure").fetchall()
    assert words in failure


def test_a_login_page_in_place_of_data_leaves_no_trace(
    feed: ScriptedFeed, sync: Callable[..., Progress], connection: psycopg.Connection
) -> None:
    feed.pages, feed.login_page = [[("a", {})]], True
    with pytest.raises(Refused, match="login page"):
        sync(feed.client())
    assert (landed(connection), sequence(connection)) == ({}, None)


def test_a_cht_that_dies_in_between_leaves_whole_pages(
    simulated_cht: "SimulatedCht", cht: ChtClient, database: Address, connection: psycopg.Connection
) -> None:
    def kill(progress: Progress) -> None:
        if progress.read == 300:
            simulated_cht.process.kill()
            simulated_cht.process.join()

    with connect(database) as syncing, pytest.raises(Unavailable, match="cannot be reached"):
        Sync(cht, syncing, LANDING, SOURCE, "medic", 100, kill).once()
    assert len(landed(connection)) % 100 == 0
    assert sequence(connection) is not None


def test_following_lands_a_change_as_soon_as_it_is_made(
    cht: ChtClient, database: Address, connection: psycopg.Connection
) -> None:
    stop, caught_up = threading.Event(), threading.Event()

    def report(progress: Progress) -> None:
        if progress.pending == 0:
            caught_up.set()

    def following() -> None:
        with connect(database) as own:
            syncing = Sync(cht, own, LANDING, SOURCE, "medic", report=report)
            syncing.follow(stop, wait_seconds=10 * LONG)

    thread = threading.Thread(target=following)
    thread.start()
    try:
        assert caught_up.wait(LONG)
        for name in ("first", "second", "third"):
            cht.bulk_docs("medic", [{"_id": name, "type": "data_record"}])
            wait_until(lambda name=name: name in landed(connection))  # type: ignore[misc]
    finally:
        stop.set()
        cht.bulk_docs("medic", [{"_id": "wakes it up"}])
        thread.join(LONG)
