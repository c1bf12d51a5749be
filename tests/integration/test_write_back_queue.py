"""What stops the queue, what operators can do about it, and what `status` shows of it."""

from _thread import interrupt_main
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import status
from pipeline.cht.client import ChtClient
from pipeline.database import connect
from pipeline.errors import Refused, Unavailable, WorklistError
from pipeline.sync.store import Landing
from pipeline.writeback import outbox_commands, run, store
from pipeline.writeback.channels import BulkDocs
from pipeline.writeback.outbox_pass import Summary
from pipeline.writeback.rules import State
from tests.integration.outbox import LANDING, Outbox
from tests.waiting import LONG, wait_until

if TYPE_CHECKING:
    from tests.faulty_cht import FaultyCht


def report_of(outbox: Outbox) -> dict[str, Any]:
    return status.read(outbox.looking, LANDING, (), "here")["write_back"]  # type: ignore[no-any-return]


def test_a_queue_that_may_not_write_says_so_once_and_costs_one_small_request_a_time(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    for _ in range(5):
        outbox.accept()
    with ChtClient(faulty_cht.url, "supervisor_matope", "password") as client:
        for _ in range(3):
            with pytest.raises(Refused, match="Insufficient privileges"):
                outbox.write_back(client)
    assert [len(ids) for ids in faulty_cht.bulk_requests] == [5, 1, 1]
    told = report_of(outbox)
    assert "Insufficient privileges" in told["stopped_because"]
    assert told["stopped_at"] <= status.read(outbox.looking, LANDING, (), "here")["now"]
    assert "SENDING FAILS" in status.text(status.read(outbox.looking, LANDING, (), "here"))
    assert outbox.looking.execute("select max(attempts) from app.outbox").fetchone() == (0,)
    assert outbox.write_back().sent == 5
    assert report_of(outbox)["stopped_because"] is None


def test_a_day_without_a_cht_tries_one_report_now_and_then_and_not_the_queue(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    for _ in range(22):
        outbox.accept()
    faulty_cht.faults = [503] * 20
    for _ in range(3):
        with pytest.raises(Unavailable):
            outbox.write_back(limit=4)
    assert [len(ids) for ids in faulty_cht.bulk_requests] == [4, 4, 4, 1, 1, 1, 1]
    attempts = outbox.looking.execute(
        "select array_agg(attempts order by accepted_at) from app.outbox"
    ).fetchone()
    assert attempts == ([*[1] * 16, *[0] * 6],)
    faulty_cht.faults = []
    outbox.make_due()
    assert outbox.write_back().sent == 22


def test_a_report_that_the_cht_always_stumbles_over_does_not_hold_up_the_others(
    outbox: Outbox,
) -> None:
    class Stumbling(BulkDocs):
        """A CHT that fails with 500 whenever this report is among those it is sent."""

        def deliver(self, rows: Any) -> Any:
            if stone in {row.report_id for row in rows}:
                raise Unavailable("The CHT failed (500: Server error).")
            return super().deliver(rows)

    before = [outbox.accept() for _ in range(9)]
    stone = outbox.accept()
    after = [outbox.accept() for _ in range(9)]
    for _ in range(4):
        with suppress(Unavailable):
            outbox.write_back_by(Stumbling(outbox.client, "medic", 16))
        outbox.make_due()
    assert {outbox.states()[one] for one in before + after} == {"sent"}
    assert outbox.states()[stone] == "pending"


def test_following_sends_at_once_what_is_accepted_and_retried(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "POLL_SECONDS", 10 * LONG)
    stop, sent = Event(), Event()

    def went_well(done: Summary) -> None:
        if done.sent:
            sent.set()

    following = Thread(target=outbox.follow, args=(stop, went_well), daemon=True)
    following.start()
    for _ in range(3):
        sent.clear()
        outbox.accept()
        assert sent.wait(LONG), "not sent before the next poll"
    report_id = outbox.accept(report_id="_nope")
    wait_until(lambda: outbox.states()[report_id] == "refused")
    stop.set()
    assert outbox_commands.retry(outbox.looking, [report_id]) == 1  # wakes it up
    following.join(LONG)
    assert not following.is_alive()


def test_following_waits_where_the_cht_refuses_and_does_not_give_up(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    outbox.accept()
    faulty_cht.faults = [403]
    with pytest.raises(Unavailable):
        outbox.follow(Event(), lambda _: None)


def test_an_interrupted_worker_writes_down_what_the_cht_has_taken(outbox: Outbox) -> None:
    class Interrupted(BulkDocs):
        def deliver(self, rows: Any) -> Any:
            yield from super().deliver(rows)
            if rows[0].report_id == first:
                interrupt_main()
            Event().wait(0.2)  # by then the main thread waits for us

    first, *_ = (outbox.accept() for _ in range(9))
    with pytest.raises(KeyboardInterrupt):
        outbox.write_back_by(Interrupted(outbox.client, "medic", 1))
    rows = outbox.looking.execute("select state, attempts from app.outbox").fetchall()
    assert set(rows) == {("sent", 1), ("pending", 0)}


def test_the_queue_is_listed_without_what_the_reports_hold(outbox: Outbox) -> None:
    refused = outbox.accept(report_id="_nope")
    waiting = outbox.accept("task", 2)
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    rows = outbox_commands.rows(outbox.looking, list(outbox_commands.UNFINISHED), 9)
    assert [row["report_id"] for row in rows] == [refused]
    assert "Only reserved" in rows[0]["last_error"]
    assert "report" not in rows[0]
    (done,) = outbox_commands.rows(outbox.looking, [State.CONFIRMED], 9)
    assert (done["report_id"], done["task_id"], done["round"]) == (waiting, "task", 2)


def test_one_report_is_shown_with_all_that_is_known_of_it(outbox: Outbox) -> None:
    report_id = outbox.accept()
    shown = outbox_commands.row(outbox.looking, report_id)
    assert shown["report"]["_id"] == report_id
    assert outbox_commands.row(outbox.looking, str(shown["verification_id"])) == shown
    with pytest.raises(Refused, match="no report nothing"):
        outbox_commands.row(outbox.looking, "nothing")


def test_a_refused_report_can_be_retried(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.client.bulk_docs("medic", [{"_id": report_id, "form": "other"}])
    outbox.write_back()
    shown = outbox_commands.row(outbox.looking, report_id)["report"]
    outbox.client.bulk_docs("medic", [shown | {"_rev": outbox.stored(report_id)["_rev"]}])
    assert outbox_commands.retry(outbox.looking, []) == 1
    assert outbox.write_back().sent == 1


def test_only_what_waits_or_was_refused_can_be_retried_or_dropped(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.write_back()
    for work in (
        lambda: outbox_commands.retry(outbox.looking, [report_id]),
        lambda: outbox_commands.drop(outbox.looking, report_id, "tired", outbox.now()),
    ):
        with pytest.raises(WorklistError, match="is sent"):
            work()


def test_a_dropped_report_is_kept_with_the_reason_and_never_sent(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox_commands.drop(outbox.looking, report_id, "answered for the wrong patient", outbox.now())
    assert outbox.write_back() == Summary()
    shown = outbox_commands.row(outbox.looking, report_id)
    assert (shown["state"], shown["dropped_because"]) == (
        "withdrawn",
        "answered for the wrong patient",
    )
    assert shown["dropped_at"] is not None


def test_a_report_dropped_while_it_was_on_its_way_counts_once_it_has_landed(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = ["lost"]
    with pytest.raises(Unavailable):
        outbox.write_back()
    outbox_commands.drop(outbox.looking, report_id, "it does not go through", outbox.now())
    outbox.sync()
    assert outbox.write_back().confirmed == 1
    assert outbox.states() == {report_id: "confirmed"}


def test_a_report_restored_in_the_cht_counts_again(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    outbox.delete(report_id)
    outbox.sync()
    assert outbox.write_back().withdrawn == 1
    shown = outbox_commands.row(outbox.looking, report_id)["report"]
    outbox.client.bulk_docs("medic", [shown])
    outbox.sync()
    assert outbox.write_back().confirmed == 1


def test_it_is_confirmed_by_a_landing_that_is_keyed_by_id_alone(outbox: Outbox) -> None:
    """As couch2pg needs it, which then does the syncing."""
    report_id = outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.looking.execute("alter table v1.couchdb drop constraint couchdb_pkey")
    outbox.looking.execute("alter table v1.couchdb add primary key (_id)")
    assert Landing(is_written_by_couch2pg=True).key == ("_id",)
    assert outbox.write_back().confirmed == 1
    assert outbox.states() == {report_id: "confirmed"}


def test_a_landing_that_was_recreated_is_compared_from_its_beginning(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    outbox.delete(report_id)
    outbox.looking.execute("truncate v1.couchdb, v1.couchdb_progress")
    outbox.looking.execute("alter sequence v1.couchdb_landed_number restart")
    outbox.looking.execute("update app.write_back set landed_number = 1000000")
    outbox.sync()
    assert outbox.write_back().withdrawn == 1


def test_confirmed_reports_are_looked_at_only_where_something_landed(outbox: Outbox) -> None:
    outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    highest = outbox.looking.execute("select max(landed_number) from v1.couchdb").fetchone()
    assert outbox.looking.execute("select landed_number from app.write_back").fetchone() == highest
    assert outbox.write_back() == Summary()


def test_one_worker_at_a_time_compares_with_the_landing(outbox: Outbox) -> None:
    outbox.accept()
    outbox.write_back()
    outbox.sync()
    with connect(outbox.address) as other:
        other.execute("select from app.write_back for update")
        assert outbox.write_back().confirmed == 0
    assert outbox.write_back().confirmed == 1


def test_status_tells_what_waits_since_when_and_how_long_confirming_takes(
    outbox: Outbox,
) -> None:
    outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    outbox.looking.execute("update app.outbox set sent_at = confirmed_at - interval '90 seconds'")
    outbox.accept()
    outbox.write_back()
    outbox.accept()
    outbox.accept(report_id="_nope")
    told = report_of(outbox)
    assert told["counts"]["pending"] == 2
    assert (told["counts"]["sent"], told["counts"]["confirmed"]) == (1, 1)
    assert told["oldest_unsent_at"] is not None
    assert told["oldest_unconfirmed_at"] is not None
    assert told["confirming_seconds"] == {"median": 90.0, "p95": 90.0}
    outbox.write_back()
    text = status.text(status.read(outbox.looking, LANDING, (), "here"))
    assert "1 refused" in text
    assert "recent confirmations took 90 s" in text
    assert "ALARM: Report _nope was refused: illegal_docid" in text


def test_a_page_of_a_long_queue_is_read_by_its_index(outbox: Outbox) -> None:
    outbox.looking.execute(
        """
        with accepted as (
            insert into app.verification (
                verification_id, task_id, round, outcome, report_id, verified_by, verified_at
            )
            select
                gen_random_uuid(), 'task ' || number, 1, 'visited', 'report ' || number, 'me', now()
            from generate_series(1, 20000) as number
            returning verification_id, report_id, verified_at
        )

        insert into app.outbox (verification_id, report_id, report, next_attempt_at, accepted_at)
        select
            accepted.verification_id, accepted.report_id, '{}', '-infinity', accepted.verified_at
        from accepted
        """
    )
    outbox.looking.execute("analyze app.outbox, app.verification")
    with connect(outbox.address) as connection:
        connection.execute("load 'auto_explain'")
        connection.execute("set auto_explain.log_min_duration = 0")
        connection.execute("set auto_explain.log_level = notice")
        plans: list[str] = []
        connection.add_notice_handler(lambda said: plans.append(said.message_primary or ""))
        page = store.claim(connection, 500, store.clock(connection), timedelta(minutes=5))
        store.confirm(connection, LANDING.documents, "cht/medic", store.clock(connection))
    assert len(page.rows) == 500
    (claiming,) = [plan for plan in plans if "claimed.attempts + 1" in plan]
    assert "Seq Scan" not in claiming
    assert "outbox_to_send" in claiming
