"""The definitions that ship, by the whole way: documents land, dbt runs, the ledger says it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.tasks import run as tasks_run
from tests.integration.recorded_programme import AREA, DEFINITIONS, Programme

EXAMPLES = DEFINITIONS / "examples"
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def days_ago(days: float) -> int:
    return int((NOW - timedelta(days=days)).timestamp() * 1000)


def date_ago(days: int) -> str:
    return (NOW - timedelta(days=days)).date().isoformat()


def person(uuid: str) -> dict[str, Any]:
    return {
        "_id": uuid,
        "type": "contact",
        "contact_type": "person",
        "name": f"Patient {uuid}",
        "parent": {"_id": AREA},
        "reported_date": days_ago(400),
    }


def report(
    uuid: str, form: str, about: str, days: float, fields: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "_id": uuid,
        "type": "data_record",
        "form": form,
        "reported_date": days_ago(days),
        "fields": {"patient_id": about, **(fields or {})},
    }


def standings(programme: Programme) -> dict[str, str]:
    rows = programme.connection.execute(
        "select task_id, standing from worklist_live.missed_appointment"
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.stem)
def test_postgresql_can_evaluate_every_example(programme: Programme, path: Any) -> None:
    assert tasks_run.check(programme.connection, path.read_text(), path.name).tasks


def test_nobody_came_within_three_days_of_the_next_appointment(programme: Programme) -> None:
    def visit(uuid: str, about: str, days: float, next_in: str) -> dict[str, Any]:
        details = {"visit_details": {"next_appointment_date": next_in}}
        return report(uuid, "visit_verification", about, days, details)

    programme.define((EXAMPLES / "missed-next-appointment.yml").read_text())
    for patient in ("missed", "came", "waits", "free"):
        programme.save(person(patient))
    programme.save(visit("v-missed", "missed", 40, date_ago(10)))
    programme.save(visit("v-came", "came", 40, date_ago(10)))
    programme.save(visit("v-came-again", "came", 9, ""))
    # the third day after the appointment is tomorrow
    programme.save(visit("v-waits", "waits", 40, date_ago(2)))
    programme.save(visit("v-free", "free", 40, ""))
    programme.refresh()

    found = {task: standing for task, standing in standings(programme).items() if task[:2] == "v-"}
    assert found == {
        "v-missed~not-seen~missed-next-appointment": "open",
        "v-came~not-seen~missed-next-appointment": "resolved",
        "v-waits~not-seen~missed-next-appointment": "upcoming",
    }


def test_an_sms_schedule_asks_for_each_group_that_was_never_cleared(programme: Programme) -> None:
    def message(group: int, key: str, days: float, state: str) -> dict[str, Any]:
        return {
            "due": (NOW - timedelta(days=days)).isoformat(),
            "group": group,
            "type": "anc_visits",
            "message_key": f"messages.anc.{key}",
            "state": state,
            "state_history": [{"state": state, "timestamp": NOW.isoformat()}],
        }

    programme.define((EXAMPLES / "uncleared-schedule.yml").read_text())
    programme.save(person("mother"))
    registration = report("anc", "P", "mother", 100, {"patient_name": "Mother as registered"})
    schedule = [
        message(1, "reminder", 60, "sent"),
        message(1, "followup", 53, "cleared"),
        message(2, "reminder", 10, "sent"),
        message(2, "followup", 3, "sent"),
        message(3, "reminder", -20, "scheduled"),
    ]
    programme.save({**registration, "scheduled_tasks": schedule})
    programme.refresh()

    assert standings(programme) == {
        "anc~week-after~uncleared-reminder-0": "resolved",
        "anc~week-after~uncleared-reminder-2": "open",
        "anc~week-after~uncleared-reminder-4": "upcoming",
    }
    label = "select contact_label from worklist_pii.note where report_uuid = 'anc'"
    assert programme.connection.execute(label).fetchone() == ("Mother as registered",)

    schedule[3] = message(2, "followup", 3, "cleared")
    programme.save({**registration, "scheduled_tasks": schedule})
    programme.refresh()
    assert standings(programme)["anc~week-after~uncleared-reminder-2"] == "resolved"


def test_a_household_is_asked_for_thirty_days_after_its_registration(
    programme: Programme,
) -> None:
    def household(uuid: str, days: float | None) -> dict[str, Any]:
        registered = {} if days is None else {"reported_date": days_ago(days)}
        contact = {"_id": uuid, "type": "contact", "contact_type": "household"}
        return {**contact, "name": uuid, "parent": {"_id": AREA}, **registered}

    programme.define((EXAMPLES / "unvisited-household.yml").read_text())
    for uuid, days in (("h-late", 35), ("h-seen", 35), ("h-new", 3), ("h-undated", None)):
        programme.save(household(uuid, days))
    programme.save(report("seen", "household_visit", "h-seen", 5))
    programme.refresh()

    rows = programme.connection.execute(
        """
        select source_id, standing, due_on - app.today(), place_uuid = source_id
        from worklist_live.missed_appointment
        where source_id like 'h-%'
        order by source_id
        """
    ).fetchall()
    assert rows == [
        ("h-late", "open", -5, True),
        ("h-new", "upcoming", 27, True),
        ("h-seen", "resolved", -5, True),
        # without a date the thirty days count from whenever somebody looks
        ("h-undated", "upcoming", 30, True),
    ]

    programme.save({**household("h-late", 35), "muted": "2026-11-19T08:00:00Z"})
    programme.save({**household("h-new", 3), "contact_type": "shop"})
    programme.delete("h-undated")
    programme.refresh()
    known = standings(programme)
    assert known["h-late~first-visit~unvisited-household"] == "excluded"
    assert "h-new~first-visit~unvisited-household" not in known
    assert known["h-undated~first-visit~unvisited-household"] == "withdrawn"


def test_the_examples_together_are_the_same_rows_after_a_rebuild(programme: Programme) -> None:
    texts = [path.read_text() for path in sorted(EXAMPLES.glob("*.yml"))]
    parts = [text.partition("tasks:\n")[2] for text in texts]
    # with another area type, too, than the examples before
    programme.define("timezone: UTC\nareaType: site\ntasks:\n" + "".join(parts))
    programme.refresh()
    grown = programme.rows("worklist_live.missed_appointment")
    assert len({row.split(",")[3] for row in grown}) == len(parts)
    programme.rebuild()
    assert programme.rows("worklist_live.missed_appointment") == grown
