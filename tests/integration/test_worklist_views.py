"""What of a list is wanted, in which order, and what is said of its tasks: on the recorded feed."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from pipeline import database
from pipeline.database import Address
from pipeline.tables import SERVICE
from pipeline.worklist import rules, run, store, task_notes
from pipeline.worklist.records import Answer, Filters, Sent, Task, TaskNote, Viewer
from tests.conftest import AsRole
from tests.integration.recorded_programme import give_two_appointments

pytestmark = pytest.mark.one_server


@pytest.fixture
def connection(recorded_database: Address, as_role: AsRole) -> Iterator[Connection]:
    engine = database.engine(as_role(recorded_database, SERVICE))
    with engine.begin() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def matope(connection: Connection) -> Viewer:
    return store.viewer(connection, "supervisor_matope", ("program_officer",))


def answer(connection: Connection, viewer: Viewer, task: Task, given: Answer) -> None:
    run.accept(
        connection,
        viewer,
        task.task_uuid,
        Sent(given, 0, str(uuid4())),
        now=database.now(connection),
        verification_id=uuid4(),
    )


def note(connection: Connection, viewer: Viewer, task: Task, text: str, key: UUID) -> TaskNote:
    now = database.now(connection)
    return run.note(connection, viewer, task.task_uuid, text, note_id=key, now=now)


@pytest.mark.parametrize("order", store.ORDERS)
def test_pages_of_every_order_put_together_are_the_list(
    connection: Connection, matope: Viewer, order: str
) -> None:
    whole = store.tasks(connection, matope, order=order)
    assert whole == sorted(whole, key=KEYS[order])
    read: list[Task] = []
    while page := store.tasks(
        connection, matope, order=order, limit=9, after=read[-1].task_uuid if read else None
    ):
        read += page
    assert read == whole
    assert len(whole) == 108


def _missed(task: Task) -> tuple[object, ...]:
    days = task.days_since_appointment
    return (2**31 - 1 if days is None else -days, task.due_on, task.task_id)


KEYS: dict[str, Callable[[Task], tuple[object, ...]]] = {
    "missed": _missed,
    "due": lambda task: (task.due_on, _missed(task)[0], task.task_id),
    "name": lambda task: ((task.patient_name or "\U0010ffff").lower(), *_missed(task)),
    "area": lambda task: (
        (task.area_name or "\U0010ffff").lower(),
        task.area_uuid or "",
        *_missed(task),
    ),
}


def test_each_filter_narrows_to_what_it_names(
    recorded_database: Address, connection: Connection, matope: Viewer
) -> None:
    give_two_appointments(recorded_database)
    whole = store.tasks(connection, matope)
    area = next(task.area_uuid for task in whole if task.area_uuid)
    household = next(task.place_uuid for task in whole if task.place_uuid != area)
    expected: dict[Filters, Callable[[Task], bool]] = {
        Filters(area_uuid=area or ""): lambda task: task.area_uuid == area,
        Filters(place_uuid=area or ""): lambda task: task.area_uuid == area,
        Filters(place_uuid=household or ""): lambda task: task.place_uuid == household,
        Filters(definition="verify-missed-appointment"): lambda _: True,
        Filters(definition="another"): lambda _: False,
        Filters(flag="unknown_patient"): lambda task: "unknown_patient" in task.flags,
        Filters(flag="duplicate_open"): lambda task: "duplicate_open" in task.flags,
        Filters(is_overdue=True): lambda task: task.days_overdue > 0,
        Filters(state="Ready", standing=""): lambda _: True,
        Filters(state="Failed"): lambda _: False,
    }
    for filters, is_wanted in expected.items():
        found = store.tasks(connection, matope, filters=filters)
        assert found == [task for task in whole if is_wanted(task)], filters
    assert all(
        0 < len(store.tasks(connection, matope, filters=filters)) < len(whole)
        for filters in (Filters(area_uuid=area or ""), Filters(flag="duplicate_open"))
    )


def test_a_place_of_others_narrows_to_nothing(connection: Connection, matope: Viewer) -> None:
    chifunga = store.viewer(connection, "supervisor_chifunga", ())
    for name in ("place_uuid", "area_uuid"):
        wanted = getattr(store.tasks(connection, chifunga, limit=1)[0], name)
        assert store.tasks(connection, matope, filters=Filters(**{name: wanted})) == []


def test_answers_are_found_by_their_reason_and_lead_to_whom_to_trace(
    connection: Connection, matope: Viewer
) -> None:
    before = store.to_trace(connection, matope)
    plain = [task for task in store.tasks(connection, matope) if not task.flags]
    answer(connection, matope, plain[0], Answer("not_visited", reason="moved", note="to Zomba"))
    answer(connection, matope, plain[1], Answer("not_visited", reason="died"))
    answer(connection, matope, plain[2], Answer("visited"))
    verified = Filters(standing="verified", reason="moved")
    assert plain[0].task_uuid in {
        task.task_uuid for task in store.tasks(connection, matope, filters=verified)
    }
    new = [one for one in store.to_trace(connection, matope) if one not in before]
    assert [(one.task_uuid, one.patient_id, one.reason, one.note) for one in new] == [
        (plain[0].task_uuid, plain[0].patient_id, "moved", "to Zomba")
    ]
    elsewhere = store.viewer(connection, "supervisor_chifunga", ())
    assert new[0] not in store.to_trace(connection, elsewhere)


def test_areas_count_what_the_list_holds(connection: Connection, matope: Viewer) -> None:
    whole = store.tasks(connection, matope, order="area")
    areas = store.areas(connection, matope, Filters())
    assert [area.area_uuid for area in areas] == list(dict.fromkeys(one.area_uuid for one in whole))
    for area in areas:
        tasks = [task for task in whole if task.area_uuid == area.area_uuid]
        assert (len(tasks), tasks[0].chw_name) == (area.count, area.chw_name)


def test_flags_count_what_the_list_holds(
    recorded_database: Address, connection: Connection, matope: Viewer
) -> None:
    give_two_appointments(recorded_database)
    whole = store.tasks(connection, matope)
    area = next(task.area_uuid for task in whole if task.flags)
    for wanted in (Filters(), Filters(area_uuid=area or ""), Filters(area_uuid="elsewhere")):
        listed = store.tasks(connection, matope, filters=wanted)
        expected = Counter(flag for task in listed for flag in task.flags)
        for filters in (wanted, replace(wanted, flag="duplicate_open", search="Nobody")):
            assert store.flags(connection, matope, filters) == expected


def test_a_patient_s_several_appointments_are_found_together(
    recorded_database: Address, connection: Connection, matope: Viewer
) -> None:
    give_two_appointments(recorded_database)
    whole = store.tasks(connection, matope)
    several = store.others(connection, matope, whole)
    assert several
    for patient_uuid, tasks in several.items():
        assert len(tasks) > 1
        assert {task.task_id for task in tasks} == {
            task.task_id for task in whole if task.patient_uuid == patient_uuid
        }


def test_a_patient_s_reports_are_listed_without_the_task_s_own(
    connection: Connection, matope: Viewer
) -> None:
    resolved = store.tasks(connection, matope, filters=Filters(standing="resolved"))[0]
    reports = store.patient_reports(connection, resolved)
    assert resolved.resolved_by_report in {
        report.report_uuid for report in reports if report.kind == "visited"
    }
    assert resolved.source_id not in {report.report_uuid for report in reports}
    moments = [report.reported_at for report in reports if report.reported_at]
    assert moments == sorted(moments, reverse=True)


def test_a_note_keeps_the_task_and_shows_to_everybody(
    connection: Connection, matope: Viewer
) -> None:
    task, key = store.tasks(connection, matope, limit=1)[0], uuid4()
    first = note(connection, matope, task, "the register is away", key)
    assert note(connection, matope, task, "the register is away", key) == first
    with pytest.raises(rules.KeyReused):
        note(connection, matope, task, "something else", key)
    deputy = store.viewer(connection, "deputy_matope", ())
    seen = store.tasks(connection, deputy, limit=1)[0]
    assert (seen.task_uuid, seen.standing) == (task.task_uuid, "open")
    assert (seen.last_note, seen.noted_by) == ("the register is away", "supervisor_matope")
    assert task_notes.of_task(connection, task.task_id) == [first]
    assert connection.execute(text("select count(*) from app.outbox")).scalar_one() == 0


def test_a_note_is_refused_where_an_answer_would_be(connection: Connection, matope: Viewer) -> None:
    task = store.tasks(connection, matope, limit=1)[0]
    chifunga = store.viewer(connection, "supervisor_chifunga", ())
    officer = store.viewer(connection, "officer", ("program_officer",))
    with pytest.raises(rules.UnknownTask):
        note(connection, chifunga, task, "x", uuid4())
    with pytest.raises(rules.NotAllowed):
        note(connection, officer, task, "x", uuid4())
    for text_ in ("", "a\0b", "x" * 2001):
        with pytest.raises(rules.InvalidInput):
            note(connection, matope, task, text_, uuid4())
    answer(connection, matope, task, Answer("visited"))
    with pytest.raises(rules.AlreadyVerified):
        note(connection, matope, task, "x", uuid4())
