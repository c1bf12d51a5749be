"""Answers that were not given on our page: in the CHT by hand, by another installation, before a
restored backup, in copies. Each lands as a report and is seen after a refresh.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pipeline import database
from pipeline.worklist import run, store
from pipeline.worklist.records import Answer, Sent, Task, Verification
from tests.integration.recorded_programme import Programme

pytestmark = pytest.mark.one_server

SUPERVISOR = "supervisor_matope"
SUPERVISORS_CONTACT = "7166e9b0-7d60-5e79-9ef6-6f250ebaa747"


class Answered(Programme):
    """The programme, with answers of ours and from elsewhere."""

    def tasks(self) -> list[Task]:
        with self._open() as connection:
            return store.tasks(connection, store.viewer(connection, SUPERVISOR, ()))

    def task(self, like: Task) -> Task:
        with self._open() as connection:
            viewer = store.viewer(connection, SUPERVISOR, ())
            found = store.task(connection, viewer, like.task_uuid)
            assert found is not None
            return found

    def history(self, task: Task) -> list[tuple[str, int, str | None, str]]:
        """Report, round, outcome and delivery, the newest first."""
        with self._open() as connection:
            return [
                (one.report_id, one.round, one.outcome, one.delivery)
                for one in store.history(connection, task.task_id)
            ]

    def accept(self, task: Task, follows_round: int = 0, outcome: str = "visited") -> Verification:
        with self._open() as connection:
            return run.accept(
                connection,
                store.viewer(connection, SUPERVISOR, ()),
                task.task_uuid,
                Sent(Answer(outcome), follows_round, str(uuid4())),
                now=database.now(connection),
                verification_id=uuid4(),
            )

    def note(self, task: Task, text: str) -> None:
        with self._open() as connection:
            viewer = store.viewer(connection, SUPERVISOR, ())
            now = database.now(connection)
            run.note(connection, viewer, task.task_uuid, text, note_id=uuid4(), now=now)

    def _open(self) -> Any:
        return self.engine.begin()

    @property
    def engine(self) -> Any:
        if not hasattr(self, "_engine"):
            self._engine = database.engine(self.address)
        return self._engine


@pytest.fixture(scope="module")
def programme(programme: Programme) -> Iterator[Answered]:
    made = Answered(programme.address, programme.connection, programme.dbt)
    yield made
    made.engine.dispose()


def landed(
    task: Task, report_id: str, *, round_: int = 1, outcome: str = "visited", **fields: Any
) -> dict[str, Any]:
    """A verification report as another installation of ours writes it."""
    return {
        "_id": report_id,
        "type": "data_record",
        "form": "missed_appointment_verification",
        "content_type": "xml",
        "reported_date": 1795190000000,
        "contact": {"_id": SUPERVISORS_CONTACT},
        "fields": {
            "inputs": {"source": "task", "source_id": task.source_id, "task_id": task.task_id},
            "patient_uuid": task.patient_uuid,
            "verification": {"outcome": outcome, "visit_date": "", "reason": "", "note": ""},
            "task_id": task.task_id,
            "round": str(round_),
            "replaces": "",
            **fields,
        },
    }


def filled_by_hand(task: Task, report_id: str, task_id: str = "") -> dict[str, Any]:
    """As the CHT stores the form that `deploy/cht` ships, filled in from the patient's profile."""
    return {
        "_id": report_id,
        "type": "data_record",
        "form": "missed_appointment_verification",
        "content_type": "xml",
        "form_version": {"time": 1795000000000, "sha256": "ab"},
        "reported_date": 1795150000000,
        "contact": {"_id": SUPERVISORS_CONTACT},
        "from": "+265991000111",
        "hidden_fields": ["verification_id", "task_id", "round", "replaces", "meta"],
        "fields": {
            "inputs": {
                "source": "contact",
                "source_id": "",
                "task_id": "",
                "contact": {"_id": task.patient_uuid, "name": task.patient_name},
            },
            "patient_uuid": task.patient_uuid,
            "patient_id": task.patient_id,
            "patient_name": task.patient_name,
            "appointment_date": "",
            "verification": {
                "outcome": "not_visited",
                "visit_date": "",
                "reason": "moved",
                "note": "Moved to Blantyre.",
            },
            "verified_by": "",
            "verification_id": "",
            "task_id": task_id,
            "round": "",
            "replaces": "",
            "meta": {"instanceID": "uuid:1"},
        },
    }


def test_a_form_filled_in_by_hand_closes_the_patients_task(programme: Answered) -> None:
    task = programme.tasks()[0]
    programme.save(filled_by_hand(task, "by-hand"))
    programme.refresh()
    assert programme.task(task).standing == "verified"


def test_a_form_filled_in_by_hand_that_names_its_task_answers_it(programme: Answered) -> None:
    task = programme.tasks()[0]
    trace = programme.document(task.source_id)
    fields = {**trace["fields"], "trace_details": {**trace["fields"]["trace_details"]}}
    fields["trace_details"]["missed_appointment_date"] = "2026-10-01"
    programme.save({**trace, "_id": "second-trace", "fields": fields})
    programme.save(filled_by_hand(task, "by-hand-for-task", task.task_id))
    programme.refresh()
    assert programme.standing("second-trace") == ("open", None, [])
    after = programme.task(task)
    assert (after.standing, after.verification_outcome) == ("verified", "not_visited")
    assert after.last_round == 1
    assert programme.history(task) == [("by-hand-for-task", 1, "not_visited", "landed")]


def test_a_round_is_numbered_past_what_another_installation_has_written(
    programme: Answered,
) -> None:
    task = programme.tasks()[0]
    programme.save(landed(task, "elsewhere-3", round_=3, verification_id=str(uuid4())))
    programme.refresh()
    correction = programme.accept(task, follows_round=3, outcome="not_visited")
    assert (correction.round, correction.replaces) == (4, "elsewhere-3")
    assert [one[1:] for one in programme.history(task)] == [
        (4, "not_visited", "pending"),
        (3, "visited", "landed"),
    ]
    assert programme.task(task).verification_outcome == "not_visited"


def test_a_void_answer_is_no_round_that_a_correction_follows(programme: Answered) -> None:
    task = programme.tasks()[0]
    first = programme.accept(task)
    programme.save(landed(task, "void-2", round_=2, outcome=""))
    programme.refresh()
    assert [one[:2] for one in programme.history(task)] == [("void-2", 2), (first.report_id, 1)]
    correction = programme.accept(task, follows_round=1, outcome="not_visited")
    assert (correction.round, correction.replaces) == (2, first.report_id)


def test_a_round_is_numbered_past_one_that_was_deleted_in_the_cht(programme: Answered) -> None:
    task = programme.tasks()[0]
    programme.save(landed(task, "deleted-1"))
    programme.refresh()
    programme.delete("deleted-1")
    programme.refresh()
    assert programme.task(task).standing == "open"
    assert programme.history(task) == [("deleted-1", 1, "visited", "withdrawn")]
    answer = programme.accept(task, follows_round=programme.task(task).last_round)
    assert (answer.round, answer.replaces) == (2, None)


def test_of_two_answers_in_one_round_the_later_counts_and_both_are_seen(
    programme: Answered,
) -> None:
    task = programme.tasks()[0]
    programme.accept(task)
    later = landed(task, "elsewhere-1", outcome="not_visited", verification_id=str(uuid4()))
    programme.save({**later, "reported_date": 1795255200000})
    programme.refresh()
    assert programme.task(task).verification_outcome == "not_visited"
    assert len(programme.history(task)) == 2


def test_copies_of_one_report_count_once(programme: Answered) -> None:
    ours, theirs = programme.tasks()[:2]
    accepted = programme.accept(ours)
    for name in ("copy-a", "copy-b"):
        programme.save(landed(ours, name, verification_id=str(accepted.verification_id)))
        programme.save(landed(theirs, f"their-{name}", verification_id=str(UUID(int=7))))
    programme.refresh()
    assert [one[0] for one in programme.history(ours)] == [accepted.report_id]
    assert [one[0] for one in programme.history(theirs)] == ["their-copy-a"]


def test_a_report_withdrawn_in_the_cht_opens_its_task_and_the_next_answer_replaces_nothing(
    programme: Answered,
) -> None:
    task = programme.tasks()[0]
    programme.accept(task)
    with programme.engine.begin() as connection:
        connection.execute(
            text(
                "update app.outbox set state = 'withdrawn' where report->'fields'->>'task_id' = :id"
            ),
            {"id": task.task_id},
        )
    assert programme.task(task).standing == "open"
    programme.note(task, "The register is away.")
    again = programme.accept(task, follows_round=1)
    assert (again.round, again.replaces) == (2, None)


def test_the_marts_name_the_report_by_the_id_that_the_cht_gave_it(programme: Answered) -> None:
    task = programme.tasks()[0]
    accepted = programme.accept(task)
    with programme.engine.begin() as connection:
        connection.execute(
            text(
                "update app.outbox set state = 'sent', report_id = 'by-the-api' "
                "where verification_id = :id"
            ),
            {"id": accepted.verification_id},
        )
    programme.save(landed(task, "by-the-api", verification_id=str(accepted.verification_id)))
    programme.refresh()
    assert programme.history(task) == [("by-the-api", 1, "visited", "sent")]
    correction = programme.accept(task, follows_round=1)
    assert correction.replaces == "by-the-api"
