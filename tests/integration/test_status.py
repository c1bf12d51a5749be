"""What `worklist status` lists as needing attention."""

from datetime import UTC, datetime

import psycopg

from pipeline import status
from pipeline.refresh import store as refresh_store
from pipeline.sync import store as sync_store
from pipeline.sync.store import Landing
from pipeline.writeback import store as outbox_store
from tests.integration.outbox import Outbox

LANDING = Landing()
SOURCE = "cht.example.org/medic"
THEN = datetime(2026, 11, 20, 2, 15, tzinfo=UTC)


def attention(connection: psycopg.Connection) -> list[str]:
    listed: list[str] = status.read(connection, LANDING, [SOURCE], "here")["needs_attention"]
    return listed


def test_nothing_needs_attention_where_all_went_well(connection: psycopg.Connection) -> None:
    sync_store.save_progress(connection, LANDING, SOURCE, "1-a", 0, THEN)
    refresh_store.remember(connection, "live", THEN, THEN, None, "hash")
    assert attention(connection) == []


def test_failing_syncs_need_attention_until_something_lands(connection: psycopg.Connection) -> None:
    for moment, reason in ((THEN, "away"), (THEN.replace(hour=3), "still away")):
        sync_store.note_failure(connection, LANDING, SOURCE, reason, moment)
    (source,) = status.read(connection, LANDING, [SOURCE], "here")["sync"]
    assert (source["failing_since"], source["failed_at"].hour) == (THEN, 3)
    assert attention(connection) == [f"The sync of {SOURCE} fails: still away"]
    sync_store.save_progress(connection, LANDING, SOURCE, "1-a", 0, THEN)
    assert attention(connection) == []


def test_what_never_succeeded_is_told_from_what_did(connection: psycopg.Connection) -> None:
    sync_store.note_failure(connection, LANDING, SOURCE, "away", THEN)
    refresh_store.remember(connection, "live", THEN, THEN, "contact", "hash")
    shown = status.text(status.read(connection, LANDING, [SOURCE], "here")).splitlines()
    assert f"sync {SOURCE}: 0 documents, never synced, 0 changes pending" in shown[2]
    assert "refresh live: never succeeded; the last run failed in contact" in shown


def test_a_document_that_was_set_aside_needs_attention(connection: psycopg.Connection) -> None:
    sync_store.save_progress(connection, LANDING, SOURCE, "1-a", 0, THEN)
    connection.execute(
        "insert into v1.couchdb_set_aside values (%s, 'a', '{}', 'too long', now())", [SOURCE]
    )
    assert attention(connection) == [
        f"Documents of {SOURCE} that could not be stored and were set aside: 1. "
        "See docs/operators.md."
    ]


def test_a_refresh_that_failed_needs_attention_until_one_succeeds(
    connection: psycopg.Connection,
) -> None:
    refresh_store.remember(connection, "published", THEN, THEN, "open_task", "hash")
    assert attention(connection) == ["The last published refresh failed in open_task."]
    later = THEN.replace(hour=3)
    refresh_store.remember(connection, "published", later, later, None, "hash")
    assert attention(connection) == []


def test_a_write_back_that_is_stopped_needs_attention_until_it_sends(
    connection: psycopg.Connection,
) -> None:
    outbox_store.stop(connection, "It may not write.", THEN)
    assert attention(connection) == ["Sending to the CHT fails: It may not write."]
    outbox_store.resume(connection)
    assert attention(connection) == []


def test_a_refused_report_needs_attention(outbox: Outbox) -> None:
    outbox.accept(report_id="_nope")
    outbox.write_back()
    (sentence,) = attention(outbox.looking)
    assert sentence.startswith("Report _nope was refused: illegal_docid")
