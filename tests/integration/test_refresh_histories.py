"""Whatever happened in whatever order: refreshing as it came gives the rows of a full rebuild."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration import outbox
from tests.integration.recorded_programme import SHIPPED, Programme
from tests.repetitions import ROUNDS

TASK = "verify-missed-appointment"
VERIFICATION = "missed_appointment_verification"


def shipped(*more: dict[str, Any], **keys: Any) -> str:
    """The shipped tasks.yml with other keys in its definition, and more definitions like it."""
    programme = yaml.safe_load(SHIPPED)
    (definition,) = programme["tasks"]
    return json.dumps({**programme, "tasks": [{**definition, **one} for one in (keys, *more)]})


# A window that ended for the reports of last week, and for them alone.
SHORT = {"id": "verify", "days": 0, "start": 0, "end": 3}
NEXT = {"id": "next", "dueDate": {"path": "fields.visited_on"}, "start": 7, "end": 28}
ATTENDED = {
    "form": "visit_verification",
    "if": '$.fields.attended == "yes"',
    "source": "fields.inputs.source_id",
    "visit": "fields.visited_on",
}
TRACING = {"forms": ["visit"], "outcome": "fields.attended", "notFor": ["moved"]}
DEFINITIONS = [
    SHIPPED,
    shipped(events=[SHORT], resolvedIf={"newerReport": ["visit_verification"]}),
    shipped(
        name="next",
        appliesToType=["visit"],
        appointmentDate="fields.visited_on",
        events=[NEXT],
    ),
    shipped(excludeMutedOrDead=False, tracing=TRACING),
    shipped(resolvedIf={"default": True, "newerReport": ["visit", ATTENDED]}, verifiedInCht=False),
    shipped(
        {"name": "check", "appointmentDate": None},
        resolvedIf={"all": ["visit", ATTENDED]},
        events=[SHORT, {**SHORT, "id": "again", "days": 3, "end": 28}],
        assignedTo={"roles": ["program_officer"]},
    ),
]

# A small world, in which everything meets: any id may become anything, and be deleted again.
CONTACTS = [f"contact-{number}" for number in range(8)]
REPORTS = [f"report-{number}" for number in range(8)]
OTHERS = ["org.couchdb.user:a", "org.couchdb.user:b", "task-1", "target-1"]
SHORTCODES = ["1001", "1002", "1003"]
# Of last week and of this one, to the millisecond; as text; and such as cannot be.
MOMENTS = [
    *(1794700800000, 1794787200000, 1794787200001, 1795046400000, 1795132800000),
    *("1794787200000", "2026-11-18T08:00:00Z"),
    *(1794787200, 1826323200000, "9999-12-31", "0001-01-01", None, "no"),
]
DAYS = ["2026-11-01", "2026-11-08", "1793491200000", "2019-02-21", "9999-12-31", "2026-13-01", ""]
TASKS = [f"{one}~verify~{TASK}" for one in REPORTS]

ids = st.sampled_from([*CONTACTS, *REPORTS, *OTHERS])
contacts = st.sampled_from([*CONTACTS, "nobody"])
references = st.sampled_from([*CONTACTS, *SHORTCODES, "nobody", "", None])
moments = st.sampled_from(MOMENTS)
days = st.sampled_from(DAYS)
# Few patients, days and senders, so that reports repeat each other and answers meet their tasks.
patients = st.sampled_from(CONTACTS[:2])
listed = st.sampled_from(REPORTS[:5])
repeated_days = st.sampled_from([*DAYS[:2], *DAYS[:2], *DAYS[:1], *DAYS])
senders = st.fixed_dictionaries({"_id": st.sampled_from([CONTACTS[3], *CONTACTS[3:5], "nobody"])})

people_and_places = st.fixed_dictionaries(
    {"type": st.sampled_from(["contact", "person", "clinic", "health_center"])},
    optional={
        "contact_type": st.sampled_from(["person", "chw_area", "site", "chw"]),
        "parent": st.fixed_dictionaries({"_id": contacts}),
        "contact": st.one_of(contacts, st.fixed_dictionaries({"_id": contacts})),
        "patient_id": st.sampled_from([*SHORTCODES, 1001]),
        "place_id": st.sampled_from(SHORTCODES),
        "name": st.sampled_from(["Grace", "Mercy"]),
        "muted": st.sampled_from(["2026-11-19", ""]),
        "date_of_birth": days,
        "date_of_death": st.just("2026-11-19"),
        "reported_date": moments,
    },
)
patients_documents = st.fixed_dictionaries(
    {"type": st.just("contact"), "contact_type": st.just("person")},
    optional={
        "parent": st.fixed_dictionaries({"_id": contacts}),
        "patient_id": st.sampled_from(SHORTCODES),
    },
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "patient_id": references,
        "patient_uuid": references,
        "place_id": references,
        "place_uuid": references,
        "inputs": st.fixed_dictionaries(
            {}, optional={"task_id": st.sampled_from(TASKS), "source_id": st.sampled_from(REPORTS)}
        ),
        "trace_details": st.fixed_dictionaries(
            {
                "trace_reasons": st.sampled_from(["art", "other"]),
                "missed_appointment_date": days,
            }
        ),
        "attended": st.sampled_from(["yes", "no"]),
        "visited_on": days,
        "appointment_date": days,
        "verification": st.fixed_dictionaries(
            {"outcome": st.sampled_from(["visited", "not_visited", "?"])}
        ),
        "round": st.sampled_from(["1", "2"]),
    },
)
reports = st.fixed_dictionaries(
    {
        "type": st.just("data_record"),
        "form": st.sampled_from(["trace", "trace", "visit", "visit_verification", VERIFICATION]),
        "fields": fields,
    },
    optional={
        "reported_date": moments,
        "patient_id": references,
        "patient_uuid": references,
        "deleted": st.just(True),
        "contact": st.fixed_dictionaries(
            {"_id": contacts, "parent": st.fixed_dictionaries({"_id": contacts})}
        ),
    },
)
# The list of the medical record system, which is sent again, and edited.
lists = st.fixed_dictionaries(
    {
        "type": st.just("data_record"),
        "form": st.just("trace"),
        "reported_date": moments,
        "fields": st.fixed_dictionaries(
            {
                "trace_details": st.fixed_dictionaries(
                    {"trace_reasons": st.just("art"), "missed_appointment_date": repeated_days}
                ),
                "patient_uuid": patients,
            },
            optional={"patient_id": st.sampled_from(SHORTCODES)},
        ),
    }
)
visits = st.fixed_dictionaries(
    {
        "type": st.just("data_record"),
        "form": st.sampled_from(["visit", "visit_verification"]),
        "reported_date": moments,
        "fields": st.fixed_dictionaries(
            {
                "patient_uuid": patients,
                "attended": st.sampled_from(["yes", "yes", "no"]),
                "visited_on": repeated_days,
                "inputs": st.fixed_dictionaries({"source_id": listed}),
            }
        ),
    }
)
verifications = st.fixed_dictionaries(
    {
        "type": st.just("data_record"),
        "form": st.just(VERIFICATION),
        "reported_date": moments,
        "contact": senders,
        "fields": st.fixed_dictionaries(
            {
                "patient_uuid": patients,
                "verification": st.fixed_dictionaries(
                    {
                        "outcome": st.sampled_from(["visited", "not_visited", "not_visited", ""]),
                        "reason": st.sampled_from(["", "moved"]),
                    }
                ),
                "round": st.sampled_from(["1", "2", "3"]),
                "task_id": st.sampled_from([*TASKS[:5], ""]),
            },
            optional={
                "appointment_date": repeated_days,
                "verified_by": st.sampled_from(["a", "b"]),
            },
        ),
    }
)
accounts = st.fixed_dictionaries(
    {
        "type": st.just("user-settings"),
        "name": st.sampled_from(["a", "b"]),
        "roles": st.sampled_from(
            [["mm-online", "site_supervisor"], ["mm-online", "program_officer"], ["chw"]]
        ),
        "facility_id": st.one_of(contacts, st.lists(contacts, max_size=2)),
    },
    optional={"inactive": st.just(True), "contact_id": st.sampled_from(CONTACTS[3:5])},
)
phones_documents = st.sampled_from(
    [
        {"type": "task", "user": "org.couchdb.user:a", "emission": {"_id": "e"}, "state": "Ready"},
        {"type": "target", "reporting_period": "2025-11", "targets": [{"id": "visits"}]},
        {"type": "something else"},
    ]
)
configurations = st.sampled_from([[], [{"id": "chw", "person": True}]]).map(
    lambda types: {"type": "settings", "settings": {"contact_types": types}}
)
# Ours: on the way to the CHT, or landed already.
answers = st.tuples(
    st.just("answer"),
    st.sampled_from(TASKS[:5]),
    st.sampled_from([1, 2]),
    st.sampled_from(["visited", "not_visited"]),
    repeated_days,
    st.booleans(),
)
events = st.one_of(
    st.tuples(st.just("save"), ids, st.one_of(people_and_places, reports)),
    st.tuples(st.just("save"), st.sampled_from(CONTACTS), people_and_places),
    st.tuples(st.just("save"), st.sampled_from(REPORTS), reports),
    st.tuples(st.just("save"), listed, lists),
    st.tuples(st.just("save"), listed, lists),
    st.tuples(st.just("save"), st.sampled_from(REPORTS[5:]), verifications),
    st.tuples(st.just("save"), st.sampled_from(REPORTS[5:]), st.one_of(visits, verifications)),
    st.tuples(st.just("save"), st.sampled_from(CONTACTS[:2]), patients_documents),
    st.tuples(st.just("save"), st.sampled_from(OTHERS[:2]), accounts),
    st.tuples(st.just("save"), ids, st.one_of(accounts, phones_documents)),
    answers,
    st.tuples(st.just("save"), st.just("settings"), configurations),
    st.tuples(st.just("delete"), ids),
)
# Two patients of one site, a supervisor and an officer; what happens may undo all of it.
SITE, AREA = CONTACTS[7], CONTACTS[6]
BEGINNING: dict[str, Any] = {
    SITE: {"type": "contact", "contact_type": "site"},
    AREA: {"type": "contact", "contact_type": "chw_area", "parent": {"_id": SITE}},
    **{
        one: {"type": "person", "parent": {"_id": AREA}, "patient_id": code}
        for one, code in zip(CONTACTS[:5], [*SHORTCODES, "1004", "1005"], strict=True)
    },
    **{
        f"org.couchdb.user:{name}": {
            "type": "user-settings",
            "name": name,
            "roles": ["mm-online", role],
            "facility_id": [SITE],
            "contact_id": contact,
        }
        for name, role, contact in [
            ("a", "site_supervisor", CONTACTS[3]),
            ("b", "program_officer", CONTACTS[4]),
        ]
    },
    **{
        one: {
            "type": "data_record",
            "form": "trace",
            "reported_date": moment,
            "fields": {
                "patient_uuid": CONTACTS[0],
                "trace_details": {"trace_reasons": "art", "missed_appointment_date": DAYS[0]},
            },
        }
        for one, moment in zip(REPORTS[:3], MOMENTS, strict=False)
    },
}
histories = st.lists(
    st.tuples(st.sampled_from(range(len(DEFINITIONS))), st.lists(events, min_size=8, max_size=30)),
    min_size=2,
    max_size=4,
)


def everything(programme: Programme) -> dict[str, list[str]]:
    """Every row that a reader of the live tier can see."""
    views = programme.connection.execute(
        "select schemaname || '.' || viewname from pg_views "
        "where schemaname in ('worklist_live', 'worklist_pii')"
    ).fetchall()
    return {view: programme.rows(view) for (view,) in views}


def answer(
    programme: Programme, task_id: str, round_: int, outcome: str, day: str, has_landed: bool
) -> None:
    """Given on the page, unless that round has been."""
    report_id = f"{task_id}~{round_}"
    report = outbox.report(report_id, uuid5(NAMESPACE_URL, report_id), task_id, round_)
    report["fields"]["verification"]["outcome"] = outcome
    report["fields"]["appointment_date"] = day
    known = "select from app.verification where task_id = %s and round = %s"
    if programme.connection.execute(known, [task_id, round_]).fetchone() is None:
        outbox.accept(programme.connection, report, outbox.ACCEPTED)
    if has_landed:
        programme.save(report)


@given(history=histories)
@settings(
    max_examples=3 * ROUNDS,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each try takes seconds
    suppress_health_check=list(HealthCheck),
)
def test_refreshing_as_it_came_gives_the_rows_of_a_full_rebuild(
    programme: Programme, history: list[tuple[int, list[tuple[Any, ...]]]]
) -> None:
    programme.empty()
    for document_id, document in BEGINNING.items():
        programme.save({"_id": document_id, **document})
    for variant, happened in history:
        programme.define(DEFINITIONS[variant])
        for event in happened:
            match event:
                case ("save", document_id, document):
                    programme.save({"_id": document_id, **document})
                case ("delete", document_id):
                    programme.delete(document_id)
                case ("answer", *given):
                    answer(programme, *given)
        programme.refresh()
    grown = everything(programme)
    programme.rebuild()
    for view, rebuilt in everything(programme).items():
        left_over, missing = set(grown[view]) - set(rebuilt), set(rebuilt) - set(grown[view])
        assert (view, left_over, missing) == (view, set(), set())
