"""The promises of the write-back, on a real PostgreSQL, against a simulated CHT
that fails when told to.
"""

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline.cht.client import ChtClient, DocumentState
from pipeline.database import connect
from pipeline.errors import Refused, Unavailable
from pipeline.writeback import store
from pipeline.writeback.outbox_pass import Summary
from tests.integration.outbox import Outbox

if TYPE_CHECKING:
    from tests.conftest import SimulatedCht
    from tests.faulty_cht import FaultyCht

# The queries of the queue, test_write_back_queue.py asks both servers.
pytestmark = pytest.mark.one_server


def test_a_report_is_sent_and_confirmed_once_it_has_landed(outbox: Outbox) -> None:
    report_id = outbox.accept()
    assert outbox.write_back().sent == 1
    assert outbox.row(report_id) == ("sent", 1, None)
    assert outbox.stored(report_id)["fields"]["verification"]["note"] == "He came."
    outbox.sync()
    assert outbox.write_back().confirmed == 1
    assert outbox.states() == {report_id: "confirmed"}


def test_writing_twice_is_harmless(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.write_back()
    revision = outbox.stored(report_id)["_rev"]
    outbox.looking.execute("update app.outbox set state = 'pending', attempts = 0")
    outbox.make_due()
    assert outbox.write_back().sent == 1
    assert outbox.stored(report_id)["_rev"] == revision


def test_a_lost_answer_is_looked_up_and_not_written_again(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = ["lost"]
    with pytest.raises(Unavailable):
        outbox.write_back()
    state, attempts, error = outbox.row(report_id)
    assert (state, attempts) == ("pending", 1)
    assert error is not None
    assert "cannot be reached" in error
    outbox.make_due()
    assert outbox.write_back().sent == 1
    assert len(faulty_cht.bulk_requests) == 1


def test_a_report_deleted_after_a_lost_answer_stays_deleted(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = ["lost"]
    with pytest.raises(Unavailable):
        outbox.write_back()
    outbox.delete(report_id)
    outbox.make_due()
    assert outbox.write_back().withdrawn == 1
    assert outbox.client.document("medic", report_id).state == DocumentState.DELETED
    assert outbox.states() == {report_id: "withdrawn"}


def test_a_strangers_document_under_our_id_is_an_alarm_and_stays(outbox: Outbox) -> None:
    report_id = outbox.accept()
    outbox.client.bulk_docs("medic", [{"_id": report_id, "type": "data_record", "form": "other"}])
    assert outbox.write_back().refused == 1
    state, _, error = outbox.row(report_id)
    assert state == "refused"
    assert (error or "").startswith("ALARM")
    assert outbox.stored(report_id)["form"] == "other"


def test_what_sentinel_adds_to_a_report_does_not_alarm(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = ["lost"]
    with pytest.raises(Unavailable):
        outbox.write_back()
    rewritten = outbox.stored(report_id) | {"transitions": {"update_clinics": {"ok": True}}}
    outbox.client.bulk_docs("medic", [rewritten])
    outbox.make_due()
    assert outbox.write_back().sent == 1
    outbox.sync()
    assert outbox.write_back().confirmed == 1


def test_one_faulty_report_does_not_hold_back_its_neighbours(outbox: Outbox) -> None:
    good = [outbox.accept() for _ in range(3)]
    bad = outbox.accept(report_id="_nope")
    good += [outbox.accept() for _ in range(3)]
    summary = outbox.write_back()
    assert (summary.sent, summary.refused) == (6, 1)
    assert {outbox.states()[report_id] for report_id in good} == {"sent"}
    assert outbox.row(bad)[2] == (
        "illegal_docid: Only reserved document ids may start with underscore"
    )


def test_an_account_that_may_not_write_stops_the_queue_and_burns_no_attempt(
    outbox: Outbox, simulated_cht: "SimulatedCht"
) -> None:
    report_ids = [outbox.accept(), outbox.accept()]
    with (
        ChtClient(simulated_cht.url, "supervisor_matope", "password") as client,
        pytest.raises(Refused, match="Insufficient privileges"),
    ):
        outbox.write_back(client)
    assert [outbox.row(report_id)[:2] for report_id in report_ids] == [("pending", 0)] * 2
    assert outbox.write_back().sent == 2


@pytest.mark.parametrize("fault", ["html", 401])
def test_a_login_page_stops_the_queue_and_burns_no_attempt(
    outbox: Outbox, faulty_cht: "FaultyCht", fault: int | str
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = [fault]
    with pytest.raises(Refused):
        outbox.write_back()
    assert outbox.row(report_id)[:2] == ("pending", 0)


def test_what_has_landed_is_confirmed_while_nothing_can_be_sent(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    sent = outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.accept()
    faulty_cht.faults = ["html"]
    with pytest.raises(Refused):
        outbox.write_back()
    assert outbox.row(sent)[0] == "confirmed"


def test_a_cht_in_trouble_puts_reports_off_for_longer_each_time(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_id = outbox.accept()
    faulty_cht.faults = [503, 500, 429]
    pauses = []
    for _ in range(3):
        with pytest.raises(Unavailable):
            outbox.write_back()
        assert outbox.write_back() == Summary()  # not due yet
        found = outbox.looking.execute(
            "select extract(epoch from next_attempt_at - clock_timestamp()) from app.outbox"
        ).fetchone()
        pauses.append(round(float((found or (0,))[0])))
        outbox.make_due()
    assert pauses == [5, 10, 20]
    assert outbox.write_back().sent == 1
    assert outbox.row(report_id) == ("sent", 4, None)


def test_rounds_of_a_task_are_written_one_after_the_other(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    first, second = outbox.accept("task"), outbox.accept("task", 2)
    other = outbox.accept("other task")
    faulty_cht.faults = [503]
    with pytest.raises(Unavailable):
        outbox.write_back()
    assert outbox.write_back() == Summary()  # the second waits although it was never tried
    outbox.make_due()
    outbox.write_back()
    sent = [ids for ids in faulty_cht.bulk_requests[1:] if first in ids or second in ids]
    assert [len(ids) for ids in faulty_cht.bulk_requests[:1]] == [2]
    assert [first in ids for ids in sent] == [True, False]
    assert other in itertools.chain(*faulty_cht.bulk_requests[1:])
    assert set(outbox.states().values()) == {"sent"}


def test_a_report_deleted_in_the_cht_is_withdrawn(outbox: Outbox) -> None:
    confirmed, sent = outbox.accept(), outbox.accept()
    outbox.write_back()
    outbox.sync()
    outbox.write_back()
    outbox.looking.execute("update app.outbox set state = 'sent' where report_id = %s", (sent,))
    outbox.delete(confirmed)
    outbox.delete(sent)
    outbox.sync()
    assert outbox.write_back().withdrawn == 2
    assert set(outbox.states().values()) == {"withdrawn"}


def test_two_workers_never_claim_the_same_report(outbox: Outbox) -> None:
    for _ in range(4):
        outbox.accept()
    with connect(outbox.address) as one, connect(outbox.address) as two:
        now = store.clock(one)
        first = store.claim(one, 3, now, timedelta(minutes=5)).rows
        second = store.claim(two, 3, now, timedelta(minutes=5)).rows
        assert (len(first), len(second)) == (3, 1)
        assert not {row.report_id for row in first} & {row.report_id for row in second}
        one.rollback()
        assert len(store.claim(two, 9, now, timedelta(minutes=5)).rows) == 3


def test_a_worker_that_dies_gives_its_reports_up_when_its_lease_ends(outbox: Outbox) -> None:
    report_id = outbox.accept()
    with connect(outbox.address) as dying:
        now = store.clock(dying)
        store.claim(dying, 9, now, timedelta(minutes=5))
        dying.commit()
        assert store.claim(dying, 9, now + timedelta(minutes=4), timedelta(minutes=5)).rows == []
        (row,) = store.claim(dying, 9, now + timedelta(minutes=5), timedelta(minutes=5)).rows
        assert (row.report_id, row.attempts) == (report_id, 2)


def test_reports_are_counted_by_state(outbox: Outbox) -> None:
    outbox.accept()
    outbox.write_back()
    outbox.accept()
    counts = store.counts(outbox.looking)
    assert {state: counts[state] for state in counts if counts[state]} == {"pending": 1, "sent": 1}


def test_a_queue_longer_than_one_request_is_written_whole(
    outbox: Outbox, faulty_cht: "FaultyCht"
) -> None:
    report_ids = [outbox.accept() for _ in range(7)]
    assert outbox.write_back(limit=3).sent == 7
    pages = sorted(faulty_cht.bulk_requests, key=lambda ids: report_ids.index(ids[0]))
    assert pages == [report_ids[:3], report_ids[3:6], report_ids[6:]]
