"""What the invented programme's CHWs' phones wrote: task and target documents."""

from datetime import date, datetime, timedelta
from random import Random

from testbed.invented_programme.population import Area, Document, Site, milliseconds

TRACES_WITH_A_TASK = 3  # every third
STATES = ("Ready", "Completed", "Cancelled", "Ready")


def tasks(now: datetime, draw: Random, site: Site, traces: list[Document]) -> list[Document]:
    """Follow-ups of patients, and visits of households, some of which are left unattended."""
    areas = {patient["_id"]: area for area in site.areas for patient in area.patients}
    known = [trace for trace in traces if trace["fields"].get("patient_uuid") in areas]
    follow_ups = [
        _follow_up(now, areas[trace["fields"]["patient_uuid"]], trace, number)
        for number, trace in enumerate(known[::TRACES_WITH_A_TASK])
    ]
    visits = [
        _household_visit(now, draw, area, household, state)
        for area in site.areas
        for household, state in zip(area.households, ("Failed", "Completed", "Ready"), strict=False)
    ]
    duplicates = [_duplicate(task) for task in follow_ups[:1]]
    return [*follow_ups, *duplicates, *visits]


def targets(now: datetime, draw: Random, area: Area) -> list[Document]:
    """This month's and last month's."""
    first = now.date().replace(day=1)
    last_month = (first - timedelta(days=1)).replace(day=1)
    return [
        _target(now, draw, area, last_month, first - timedelta(days=1)),
        _target(now, draw, area, first, now.date()),
    ]


def _follow_up(now: datetime, area: Area, trace: Document, number: int) -> Document:
    """Due three days after the report, from one day before to eight days after."""
    authored = datetime.fromtimestamp(trace["reported_date"] / 1000, now.tzinfo) + timedelta(
        hours=1
    )
    due = authored.date() + timedelta(days=3)
    is_upcoming = due - timedelta(days=1) > now.date()
    task = _task(
        area,
        source=trace["_id"],
        event="trace-visit~trace-follow-up",
        authored=authored,
        state="Draft" if is_upcoming else STATES[number % len(STATES)],
        days=(due - timedelta(days=1), due, due + timedelta(days=8)),
    )
    patient, name = trace["fields"]["patient_uuid"], trace["fields"]["patient_name"]
    _about(task, patient, name, "trace_follow_up")
    task["emission"] |= {"priority": 1 + number % 9, "priorityLabel": "task.priority.missed"}
    if number % 7 == 3:  # a definition with a contactLabel leaves no owner
        del task["owner"]
    return task


def _household_visit(
    now: datetime, draw: Random, area: Area, household: Document, state: str
) -> Document:
    authored = now - timedelta(days=draw.randint(28, 45))
    due = authored.date() + timedelta(days=7)
    task = _task(
        area,
        source=household["_id"],
        event="visit~household-visit",
        authored=authored,
        state=state,
        days=(due - timedelta(days=7), due, due + timedelta(days=7)),
    )
    _about(task, household["_id"], household["name"], "household_visit")
    return task


def _task(
    area: Area,
    *,
    source: str,
    event: str,
    authored: datetime,
    state: str,
    days: tuple[date, date, date],
) -> Document:
    """`days`: start, due and end."""
    user, emission = f"org.couchdb.user:{area.user}", f"{source}~{event}"
    start, due, end = (day.isoformat() for day in days)
    return {
        "_id": f"task~{user}~{emission}~{milliseconds(authored)}",
        "type": "task",
        "authoredOn": milliseconds(authored),
        "user": user,
        "state": state,
        "stateHistory": _history(authored, state),
        "emission": {
            "_id": emission,
            "icon": "icon-followup",
            "deleted": False,
            "resolved": state == "Completed",
            "dueDate": due,
            "startDate": start,
            "endDate": end,
        },
    }


def _history(authored: datetime, state: str) -> list[Document]:
    history = [{"state": "Draft", "timestamp": milliseconds(authored)}]
    if state != "Draft":
        later = authored + timedelta(days=1)
        history.append({"state": state, "timestamp": milliseconds(later)})
    return history


def _about(task: Document, contact: str, name: str, form: str) -> None:
    source = task["emission"]["_id"].split("~")[0]
    content = {"source": "task", "source_id": source}
    task |= {"requester": contact, "owner": contact}
    task["emission"] |= {
        "title": f"task.{form}.title",
        "contact": {"name": name},
        "forId": contact,
        "actions": [{"type": "report", "form": form, "label": "Open", "content": content}],
    }


def _duplicate(task: Document) -> Document:
    """A task that a second phone of the same user created as well, and then cancelled."""
    authored = task["authoredOn"] + 4_000
    return {
        **task,
        "_id": f"task~{task['user']}~{task['emission']['_id']}~{authored}",
        "authoredOn": authored,
        "state": "Cancelled",
        "stateReason": "duplicate",
        "stateHistory": [{"state": "Cancelled", "timestamp": authored}],
    }


def _target(now: datetime, draw: Random, area: Area, month: date, updated: date) -> Document:
    user, period = f"org.couchdb.user:{area.user}", f"{month:%Y-%m}"
    total = len(area.households)
    visited = draw.randint(total // 2, total)
    midnight = datetime(updated.year, updated.month, updated.day, tzinfo=now.tzinfo)
    return {
        "_id": f"target~{period}~{area.worker['_id']}~{user}",
        "type": "target",
        "user": user,
        "owner": area.worker["_id"],
        "reporting_period": period,
        "updated_date": milliseconds(midnight),
        "targets": [
            {
                "id": "households-visited",
                "value": {
                    "pass": visited,
                    "total": total,
                    "percent": round(100 * visited / total),
                },
            },
            {"id": "traces-done", "value": {"pass": draw.randint(0, 14), "total": 14}},
        ],
    }
