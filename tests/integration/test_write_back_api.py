"""The write-back by `POST /api/v1/report`, with an account that has no `can_edit`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cht.client import ChtClient
from pipeline.errors import Refused, Unavailable
from pipeline.writeback import outbox_commands
from pipeline.writeback.channels import ReportApi
from pipeline.writeback.rules import API_BACKOFF, State
from tests.integration.outbox import FORM, Outbox

if TYPE_CHECKING:
    from tests.conftest import SimulatedCht
    from tests.faulty_cht import FaultyCht

# The queries of the queue, test_write_back_queue.py asks both servers.
pytestmark = pytest.mark.one_server


@pytest.fixture
def api(faulty_cht: "FaultyCht") -> Iterator[ReportApi]:
    with ChtClient(faulty_cht.url, "supervisor_matope", "password") as client:
        yield ReportApi(client, "medic")


@pytest.fixture
def form(outbox: Outbox) -> None:
    outbox.client.bulk_docs("medic", [{"_id": f"form:{FORM}", "type": "form"}])


def row(outbox: Outbox) -> dict[str, Any]:
    """Of the only report, by whatever id."""
    (one,) = outbox_commands.rows(outbox.looking, list(State), 9)
    return one


def copies(outbox: Outbox) -> list[str]:
    verification_id = outbox_commands.row(outbox.looking, row(outbox)["report_id"])[
        "verification_id"
    ]
    return outbox.client.report_ids(f"verification_id:{verification_id}")


@pytest.mark.usefixtures("form")
def test_a_report_is_made_confirmed_and_known_by_the_id_that_the_cht_gave_it(
    outbox: Outbox, api: ReportApi
) -> None:
    ours = outbox.accept()
    assert outbox.write_back_by(api).sent == 1
    (theirs,) = copies(outbox)
    assert theirs != ours
    assert outbox.stored(theirs)["contact"]["parent"]["_id"]  # the CHT put the places in
    assert outbox.stored(theirs)["fields"]["verification"]["note"] == "He came."
    assert outbox.states() == {theirs: "sent"}
    outbox.sync()
    assert outbox.write_back_by(api).confirmed == 1
    outbox.delete(theirs)
    outbox.sync()
    assert outbox.write_back_by(api).withdrawn == 1


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("fault", ["lost", 500, "html"])
def test_after_a_lost_answer_the_report_is_searched_for(
    outbox: Outbox, api: ReportApi, faulty_cht: "FaultyCht", fault: str | int
) -> None:
    outbox.accept()
    faulty_cht.faults = [fault]
    with pytest.raises((Unavailable, Refused)):
        outbox.write_back_by(api)
    assert row(outbox)["attempts"] == 1, "the next attempt would not look first"
    outbox.make_due()
    assert outbox.write_back_by(api).sent == 1
    assert len(copies(outbox)) == 1
    posted = [ids for ids in faulty_cht.bulk_requests if not ids]
    assert len(posted) == (1 if fault == "lost" else 2)


@pytest.mark.usefixtures("form")
def test_copies_that_the_cht_made_are_reported_and_the_first_counts(
    outbox: Outbox, api: ReportApi
) -> None:
    report_id = outbox.accept()
    report = outbox_commands.row(outbox.looking, report_id)["report"]
    outbox.client.bulk_docs("medic", [report | {"_id": "b"}, report | {"_id": "a"}])
    outbox.looking.execute("update app.outbox set attempts = 1")
    assert outbox.write_back_by(api).sent == 1
    assert (row(outbox)["report_id"], row(outbox)["last_error"]) == (
        "a",
        "The CHT has 2 copies of this report.",
    )


@pytest.mark.usefixtures("form")
def test_another_answer_under_our_verification_is_an_alarm(outbox: Outbox, api: ReportApi) -> None:
    report_id = outbox.accept()
    report = outbox_commands.row(outbox.looking, report_id)["report"]
    edited = {**report["fields"], "verification": {"outcome": "not_visited"}}
    outbox.client.bulk_docs("medic", [report | {"_id": "a", "fields": edited}])
    outbox.looking.execute("update app.outbox set attempts = 1")
    assert outbox.write_back_by(api).refused == 1
    assert row(outbox)["last_error"].startswith("ALARM")
    assert len(copies(outbox)) == 1


@pytest.mark.usefixtures("form")
def test_a_correction_names_the_report_by_the_id_that_the_cht_gave_it(
    outbox: Outbox, api: ReportApi
) -> None:
    first = outbox.accept("task")
    second = outbox.accept("task", 2)
    outbox.looking.execute(
        """
        update app.outbox
        set report = jsonb_set(report, '{fields,replaces}', to_jsonb(%s::text))
        where report_id = %s
        """,
        (first, second),
    )
    assert outbox.write_back_by(api).sent == 2
    made, correction = outbox_commands.rows(outbox.looking, [State.SENT], 9)
    assert outbox.stored(correction["report_id"])["fields"]["replaces"] == made["report_id"]


@pytest.mark.usefixtures("form")
def test_what_the_cht_will_not_take_is_refused_with_its_words(
    outbox: Outbox, api: ReportApi
) -> None:
    report_id = outbox.accept()
    outbox.looking.execute('update app.outbox set report = report || \'{"contact": {"_id": "x"}}\'')
    other = outbox.accept()
    summary = outbox.write_back_by(api)
    assert (summary.refused, summary.sent) == (1, 1)
    assert outbox.row(report_id)[2] == "Contact [x] not found"
    assert other not in outbox.states()


def test_a_cht_without_the_form_stops_the_queue_and_says_what_to_do(
    outbox: Outbox, api: ReportApi
) -> None:
    outbox.accept()
    with pytest.raises(Refused, match="upload it as deploy/cht"):
        outbox.write_back_by(api)
    assert (row(outbox)["state"], row(outbox)["attempts"]) == ("pending", 0)


@pytest.mark.usefixtures("form")
def test_an_account_without_the_permission_stops_the_queue(
    outbox: Outbox, simulated_cht: "SimulatedCht"
) -> None:
    outbox.accept()
    with (
        ChtClient(simulated_cht.url, "chw_matope_1", "password") as client,
        pytest.raises(Refused, match="Insufficient privileges"),
    ):
        outbox.write_back_by(ReportApi(client, "medic"))
    assert (row(outbox)["state"], row(outbox)["attempts"]) == ("pending", 0)


def test_what_may_still_be_under_way_is_waited_for() -> None:
    assert API_BACKOFF.pause(1) >= timedelta(minutes=1)
    assert API_BACKOFF.lease > 3 * timedelta(
        seconds=70
    )  # search, read and write, each with its limit
