"""Who sees what, and what happens to an answer, on the recorded feed of 2026-11-20."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from pipeline import database
from pipeline.database import Address
from pipeline.errors import Refused
from pipeline.worklist import rules, run, store, verification_store
from pipeline.worklist.records import Answer, Filters, Sent, Task, Verification, Viewer
from tests.waiting import wait_until

PROGRAMME_ROLES = ("program_officer",)
SITES = ("supervisor_matope", "supervisor_chifunga", "supervisor_lisungwi")


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as opened:  # and rolled back: what is refused is not committed
        yield opened


def viewer(connection: Connection, user_name: str) -> Viewer:
    return store.viewer(connection, user_name, PROGRAMME_ROLES)


def first_task(connection: Connection, user_name: str = "supervisor_matope") -> Task:
    return store.tasks(connection, viewer(connection, user_name), limit=1)[0]


def accept(
    connection: Connection,
    task: Task,
    *,
    user_name: str = "supervisor_matope",
    answer: Answer = Answer("visited", visit_date="2026-10-22"),  # noqa: B008 - frozen
    follows_round: int = 0,
    key: str = "",
    moment: datetime | None = None,
) -> Verification:
    return run.accept(
        connection,
        viewer(connection, user_name),
        task.task_uuid,
        Sent(answer, follows_round, key or str(uuid4())),
        now=moment or database.now(connection),
        verification_id=uuid4(),
    )


def rows(connection: Connection, table: str) -> int:
    return connection.execute(text(f"select count(*) from {table}")).scalar_one()  # noqa: S608


def waiting_report(connection: Connection) -> dict[str, Any]:
    """The only one in the outbox."""
    report: dict[str, Any] = connection.execute(text("select report from app.outbox")).scalar_one()
    return report


def instance_name(connection: Connection) -> str:
    name: str = connection.execute(text("select name from app.instance")).scalar_one()
    return name


def wait_until_somebody_waits(connection: Connection) -> None:
    """For a lock that this connection holds. Who else is there is told anew by `pg_locks` only."""
    waiting = text("""
        select count(*) from pg_locks
        where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))
    """)
    wait_until(lambda: connection.execute(waiting).scalar_one())


def test_everybody_sees_the_open_tasks_in_their_scope(connection: Connection) -> None:
    expected = {
        "supervisor_matope": 108,
        "deputy_matope": 108,
        "supervisor_chifunga": 40,
        "supervisor_lisungwi": 13,
        "supervisor_two_sites": 53,
        "officer": 161,
        "chw_matope_1": 0,
        "emr": 0,
        "worklist": 0,
    }
    assert expected == {
        user_name: len(store.tasks(connection, viewer(connection, user_name)))
        for user_name in expected
    }


def test_the_lists_of_the_sites_share_nothing_and_make_up_the_officer_s(
    connection: Connection,
) -> None:
    of_sites = [
        task.task_id
        for user_name in SITES
        for task in store.tasks(connection, viewer(connection, user_name))
    ]
    of_all = store.tasks(connection, viewer(connection, "officer"))
    assert sorted(of_sites) == sorted(task.task_id for task in of_all)


def test_a_task_of_another_site_is_as_unknown_as_one_that_is_not(connection: Connection) -> None:
    chifunga = first_task(connection, "supervisor_chifunga")
    matope = viewer(connection, "supervisor_matope")
    assert store.task(connection, matope, chifunga.task_uuid) is None
    with pytest.raises(rules.UnknownTask):
        accept(connection, chifunga)
    with pytest.raises(rules.InvalidInput):
        store.tasks(connection, matope, after=chifunga.task_uuid)


def test_a_role_that_no_definition_names_sees_nothing(connection: Connection) -> None:
    known = viewer(connection, "supervisor_matope")
    clerk = rules.viewer("clerk", ("clerk", "mm-online"), known.facility_uuids, "contact", ())
    assert store.tasks(connection, clerk) == []
    assert store.progress(connection, clerk).count_by_standing == {}


def test_the_facility_of_a_task_is_the_nearest_of_the_viewer_s_own(connection: Connection) -> None:
    task = first_task(connection)
    assert task.area_uuid is not None
    known = viewer(connection, "supervisor_matope")
    both = rules.viewer(
        "both", known.roles, (*known.facility_uuids, task.area_uuid), known.contact_uuid, ()
    )
    found = store.task(connection, both, task.task_uuid)
    assert found is not None
    assert (found.facility_uuid, found.facility_name) == (task.area_uuid, task.area_name)
    assert len(store.tasks(connection, both)) == 108


def test_an_unknown_user_is_refused_by_name(connection: Connection) -> None:
    with pytest.raises(Refused, match="no user 'nobody'"):
        viewer(connection, "nobody")


def test_the_longest_waiting_come_first_and_unknown_days_last(connection: Connection) -> None:
    tasks = store.tasks(connection, viewer(connection, "supervisor_lisungwi"))
    days = [task.days_since_appointment for task in tasks]
    known = [day for day in days if day is not None]
    assert days == [*sorted(known, reverse=True), *[None] * (len(days) - len(known))]
    assert None in days


@pytest.mark.parametrize("user_name", ["supervisor_matope", "supervisor_lisungwi"])
def test_pages_put_together_are_the_list(connection: Connection, user_name: str) -> None:
    asking = viewer(connection, user_name)
    whole = [task.task_uuid for task in store.tasks(connection, asking)]
    read: list[UUID] = []
    while page := store.tasks(connection, asking, limit=7, after=read[-1] if read else None):
        read.extend(task.task_uuid for task in page)
    assert read == whole


def test_a_page_continues_behind_a_task_that_was_answered_meanwhile(
    connection: Connection,
) -> None:
    asking = viewer(connection, "supervisor_matope")
    whole = store.tasks(connection, asking, limit=4)
    accept(connection, whole[1])
    behind = store.tasks(connection, asking, limit=2, after=whole[1].task_uuid)
    assert behind == whole[2:4]


def test_search_finds_by_parts_of_the_name_the_number_and_the_phone(
    connection: Connection,
) -> None:
    asking = viewer(connection, "supervisor_matope")
    wanted = next(task for task in store.tasks(connection, asking) if task.phone)
    assert wanted.patient_name
    assert wanted.patient_id
    assert wanted.phone
    first, last = wanted.patient_name.lower().split()
    local = f"0{wanted.phone.removeprefix('+265')[:3]} {wanted.phone.removeprefix('+265')[3:]}"
    for search in (f"{last} {first[:3]}", wanted.patient_id, wanted.phone, local):
        found = store.tasks(connection, asking, filters=Filters(search=search))
        assert wanted.task_id in {task.task_id for task in found}, search
        assert len(found) < 20, search


def test_search_takes_every_character_as_it_is(connection: Connection) -> None:
    asking = viewer(connection, "supervisor_matope")
    for search in ("%", "_", "\\", "'", "zzzz", "0" * 50):
        assert store.tasks(connection, asking, filters=Filters(search=search)) == [], search


def test_search_finds_nobody_of_another_site(connection: Connection) -> None:
    chifunga = first_task(connection, "supervisor_chifunga")
    matope = viewer(connection, "supervisor_matope")
    assert store.tasks(connection, matope, filters=Filters(search=chifunga.patient_id or "?")) == []


def test_progress_counts_what_is_asked_for_today(connection: Connection) -> None:
    before = store.progress(connection, viewer(connection, "supervisor_matope"))
    assert (before.done_count, before.asked_count) == (6, 114)
    assert before.count_by_standing == {
        "open": 108,
        "resolved": 6,
        "repeated": 1,
        "excluded": 2,
    }
    accept(connection, first_task(connection))
    after = store.progress(connection, viewer(connection, "deputy_matope"))
    assert (after.done_count, after.asked_count) == (7, 114)


def test_an_answer_leaves_the_list_of_everybody_at_once(connection: Connection) -> None:
    task = first_task(connection)
    accept(connection, task)
    for user_name in ("supervisor_matope", "deputy_matope", "officer"):
        assert task not in store.tasks(connection, viewer(connection, user_name))
    found = store.task(connection, viewer(connection, "deputy_matope"), task.task_uuid)
    assert found is not None
    assert (found.standing, found.verified_by, found.last_round) == (
        "verified",
        "supervisor_matope",
        1,
    )


def test_the_report_of_an_answer_waits_in_the_outbox(connection: Connection) -> None:
    task = first_task(connection)
    verification = accept(connection, task)
    report = waiting_report(connection)
    sender = viewer(connection, "supervisor_matope")
    assert report["_id"] == verification.report_id
    assert report["_id"] == rules.report_id(instance_name(connection), task.task_id, 1)
    assert report["contact"] == {
        "_id": sender.contact_uuid,
        "parent": {"_id": sender.facility_uuids[0]},
    }
    assert report["fields"]["patient_uuid"] == task.patient_uuid
    assert report["fields"]["verification"]["outcome"] == "visited"


def test_the_report_about_an_unknown_patient_repeats_what_the_source_says(
    connection: Connection,
) -> None:
    listed = store.tasks(connection, viewer(connection, "supervisor_lisungwi"))
    unknown = next(task for task in listed if "unknown_patient" in task.flags)
    accept(connection, unknown, user_name="supervisor_lisungwi")
    report = waiting_report(connection)
    said = connection.execute(
        text(
            "select patient_uuid, patient_name, patient_id from worklist_pii.note "
            "where report_uuid = :id"
        ),
        {"id": unknown.source_id},
    ).one()
    assert report["fields"]["patient_uuid"] == (said.patient_uuid or "")
    assert report["fields"]["patient_name"] == (said.patient_name or "")
    assert report["fields"]["patient_id"] == (said.patient_id or "")
    assert report["fields"]["patient_id"] or report["fields"]["patient_name"]


def test_of_two_simultaneous_answers_one_is_refused_with_who_was_first(engine: Engine) -> None:
    with engine.connect() as looking:
        task = first_task(looking)

    def answer(user_name: str) -> str:
        try:
            with engine.begin() as own:
                accept(own, task, user_name=user_name)
        except rules.AlreadyVerified as error:
            return str(error.standing.verified_by)
        return "accepted"

    users = ["supervisor_matope", "deputy_matope"] * 4
    with ThreadPoolExecutor(len(users)) as pool:
        outcomes = list(pool.map(answer, users))
    with engine.connect() as looking:
        winner: str = looking.execute(text("select verified_by from app.verification")).scalar_one()
    assert sorted(outcomes) == sorted(["accepted", *[winner] * 7])


def test_a_correction_is_a_further_round_that_names_the_one_it_replaces(
    connection: Connection,
) -> None:
    task = first_task(connection)
    first = accept(connection, task)
    second = accept(
        connection,
        task,
        user_name="deputy_matope",
        answer=Answer("not_visited", reason="moved"),
        follows_round=1,
    )
    assert (second.round, second.replaces) == (2, first.report_id)
    assert second.report_id != first.report_id
    history = store.history(connection, task.task_id)
    assert [(one.round, one.outcome) for one in history] == [(2, "not_visited"), (1, "visited")]


def test_the_same_key_and_request_give_the_same_answer_again(connection: Connection) -> None:
    task = first_task(connection)
    first = accept(connection, task, key="one")
    assert accept(connection, task, key="one") == first
    assert (rows(connection, "app.verification"), rows(connection, "app.outbox")) == (1, 1)


def test_the_same_key_for_another_answer_is_refused(connection: Connection) -> None:
    task = first_task(connection)
    accept(connection, task, key="one")
    with pytest.raises(rules.KeyReused):
        accept(connection, task, key="one", answer=Answer("not_visited"))


def test_a_key_belongs_to_its_user(connection: Connection) -> None:
    task = first_task(connection)
    accept(connection, task, key="one")
    with pytest.raises(rules.AlreadyVerified):
        accept(connection, task, key="one", user_name="deputy_matope")


def test_a_request_repeated_while_the_first_is_under_way_gives_its_answer(engine: Engine) -> None:
    with engine.connect() as looking:
        task = first_task(looking)

    def answer(_: int) -> Verification:
        with engine.begin() as own:
            return accept(own, task, key="one")

    with ThreadPoolExecutor(6) as pool:
        assert len({one.verification_id for one in pool.map(answer, range(6))}) == 1


def test_a_key_is_forgotten_after_a_day(connection: Connection) -> None:
    task = first_task(connection)
    accept(connection, task, key="one")
    moment = database.now(connection) + verification_store.KEY_LIVES + timedelta(seconds=1)
    with pytest.raises(rules.AlreadyVerified):
        accept(connection, task, key="one", moment=moment)


def test_a_key_that_is_used_again_after_a_day_counts_from_then(connection: Connection) -> None:
    one, other = store.tasks(connection, viewer(connection, "supervisor_matope"), limit=2)
    accept(connection, one, key="one")
    moment = database.now(connection) + verification_store.KEY_LIVES + timedelta(seconds=1)
    second = accept(connection, other, key="one", moment=moment)
    assert accept(connection, other, key="one", moment=moment + timedelta(hours=1)) == second


def test_a_repeated_request_gives_its_answer_whatever_became_of_the_rights(
    connection: Connection,
) -> None:
    task, matope = first_task(connection), viewer(connection, "supervisor_matope")
    first = accept(connection, task, key="one", answer=Answer("visited"))
    again = run.accept(
        connection,
        replace(matope, contact_uuid=None),
        task.task_uuid,
        Sent(Answer("visited"), 0, "one"),
        now=database.now(connection),
        verification_id=uuid4(),
    )
    assert again == first


def test_a_refused_answer_stores_nothing(engine: Engine) -> None:
    with engine.connect() as looking:
        task = first_task(looking)
    with pytest.raises(rules.InvalidInput), engine.begin() as own:
        accept(own, task, answer=Answer("visited", visit_date="2026-11-21"), key="one")
    with engine.begin() as own:
        assert rows(own, "app.verification") == rows(own, "app.idempotency_key") == 0
        accept(own, task, key="one")


def test_without_its_report_no_answer_is_kept(engine: Engine, recorded_database: Address) -> None:
    with engine.begin() as own:
        one, other = store.tasks(own, viewer(own, "supervisor_matope"), limit=2)
        taken = rules.report_id(instance_name(own), other.task_id, 1)
        accept(own, one)
    with database.connect(recorded_database) as changing:
        changing.execute("update app.outbox set report_id = %s", [taken])
    with pytest.raises(IntegrityError, match="outbox_one_per_report"), engine.begin() as own:
        accept(own, other, key="one")
    with engine.begin() as own:
        assert rows(own, "app.verification") == rows(own, "app.idempotency_key") == 1


def test_a_key_used_for_two_answers_at_once_counts_for_the_first(engine: Engine) -> None:
    with engine.connect() as looking:
        one, other = store.tasks(looking, viewer(looking, "supervisor_matope"), limit=2)

    def refused() -> bool:
        with pytest.raises(rules.KeyReused), engine.begin() as late:
            accept(late, other, key="one")
        return True

    with ThreadPoolExecutor(1) as pool, engine.connect() as early:
        first = accept(early, one, key="one")
        waiting = pool.submit(refused)
        wait_until_somebody_waits(early)
        early.commit()
        assert waiting.result()
    with engine.begin() as own:
        assert accept(own, one, key="one") == first
        assert rows(own, "app.verification") == rows(own, "app.outbox") == 1
        accept(own, other, key="two")


@pytest.mark.parametrize(
    ("user_name", "rule"), [("officer", "role"), ("chw_matope_1", None), ("emr", None)]
)
def test_read_only_users_cannot_answer(
    connection: Connection, user_name: str, rule: str | None
) -> None:
    task = first_task(connection)
    with pytest.raises(rules.NotAllowed if rule else rules.UnknownTask) as refusal:
        accept(connection, task, user_name=user_name)
    assert getattr(refusal.value, "rule", None) == rule


def test_the_latest_answers_in_scope_come_first(connection: Connection) -> None:
    moment = database.now(connection)
    asking = viewer(connection, "supervisor_matope")
    tasks = store.tasks(connection, asking, limit=3)
    for minutes, task in enumerate(tasks):
        accept(connection, task, moment=moment + timedelta(minutes=minutes))
    newest, middle = store.verifications(connection, asking, limit=2)
    assert [newest.task_id, middle.task_id] == [tasks[2].task_id, tasks[1].task_id]
    (oldest,) = store.verifications(connection, asking, limit=2, after=middle.report_id)
    assert oldest.task_id == tasks[0].task_id
    chifunga = viewer(connection, "supervisor_chifunga")
    assert store.verifications(connection, chifunga, limit=9) == []


def test_nothing_here_commits(engine: Engine) -> None:
    with engine.connect() as own:
        accept(own, first_task(own))
        own.rollback()
    with engine.connect() as looking:
        assert rows(looking, "app.outbox") == 0
    assert isinstance(looking, sqlalchemy.Connection)
