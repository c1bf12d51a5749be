"""Whatever happened in whatever order: refreshing as it came gives the rows of a full rebuild."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.programme import SHIPPED, Programme

# `make test-long` asks for more.
ROUNDS = int(os.environ.get("WORKLIST_TEST_ROUNDS", "5"))
TASK = "verify-missed-appointment"
DEFINITIONS = [
    SHIPPED,
    SHIPPED.replace("end: 28", "end: 3").replace("default: true", "default: false"),
    SHIPPED.replace("- name: verify-missed", "- name: check-missed").replace("[trace]", "[visit]"),
    SHIPPED.replace("excludeMutedOrDead: true", "excludeMutedOrDead: false"),
]

# A small world, in which everything meets: any id may become anything, and be deleted again.
CONTACTS = [f"contact-{number}" for number in range(8)]
REPORTS = [f"report-{number}" for number in range(8)]
OTHERS = ["org.couchdb.user:a", "org.couchdb.user:b", "task-1", "target-1"]
SHORTCODES = ["1001", "1002", "1003"]
MOMENTS = [1763500000000, 1763600000000, 1763600000001, 1765000000000, "1763600000000", None, "no"]

ids = st.sampled_from([*CONTACTS, *REPORTS, *OTHERS])
contacts = st.sampled_from([*CONTACTS, "nobody"])
references = st.sampled_from([*CONTACTS, *SHORTCODES, "nobody", "", None])
moments = st.sampled_from(MOMENTS)

people_and_places = st.fixed_dictionaries(
    {"type": st.sampled_from(["contact", "person", "clinic", "health_center"])},
    optional={
        "contact_type": st.sampled_from(["person", "chw_area", "site", "chw"]),
        "parent": st.fixed_dictionaries({"_id": contacts}),
        "contact": st.one_of(contacts, st.fixed_dictionaries({"_id": contacts})),
        "patient_id": st.sampled_from([*SHORTCODES, 1001]),
        "place_id": st.sampled_from(SHORTCODES),
        "name": st.sampled_from(["Grace", "Mercy"]),
        "muted": st.sampled_from(["2025-11-19", ""]),
        "date_of_death": st.just("2025-11-19"),
        "reported_date": moments,
    },
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "patient_id": references,
        "patient_uuid": references,
        "place_id": references,
        "inputs": st.fixed_dictionaries(
            {"task_id": st.sampled_from([f"{one}~verify~{TASK}" for one in REPORTS])}
        ),
        "trace_details": st.fixed_dictionaries(
            {
                "trace_reasons": st.sampled_from(["art", "other"]),
                "missed_appointment_date": st.sampled_from(["2025-11-01", "2025-13-01", ""]),
            }
        ),
        "verification": st.fixed_dictionaries(
            {"outcome": st.sampled_from(["visited", "not_visited", "?"])}
        ),
        "round": st.sampled_from(["1", "2"]),
    },
)
reports = st.fixed_dictionaries(
    {
        "type": st.just("data_record"),
        "form": st.sampled_from(
            ["trace", "trace", "visit", "visit_verification", "missed_appointment_verification"]
        ),
        "fields": fields,
    },
    optional={
        "reported_date": moments,
        "patient_id": references,
        "patient_uuid": references,
        "contact": st.fixed_dictionaries(
            {"_id": contacts, "parent": st.fixed_dictionaries({"_id": contacts})}
        ),
    },
)
accounts = st.fixed_dictionaries(
    {
        "type": st.just("user-settings"),
        "name": st.sampled_from(["a", "b"]),
        "roles": st.sampled_from([["mm-online", "site_supervisor"], ["chw"]]),
        "facility_id": st.one_of(contacts, st.lists(contacts, max_size=2)),
    },
    optional={"inactive": st.just(True)},
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
events = st.one_of(
    st.tuples(st.just("save"), ids, st.one_of(people_and_places, reports)),
    st.tuples(st.just("save"), st.sampled_from(CONTACTS), people_and_places),
    st.tuples(st.just("save"), st.sampled_from(REPORTS), reports),
    st.tuples(st.just("save"), ids, st.one_of(accounts, phones_documents)),
    st.tuples(st.just("save"), st.just("settings"), configurations),
    st.tuples(st.just("delete"), ids),
)
histories = st.lists(
    st.tuples(st.sampled_from(range(len(DEFINITIONS))), st.lists(events, min_size=5, max_size=40)),
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


@given(history=histories)
@settings(
    max_examples=ROUNDS,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each try takes seconds
    suppress_health_check=list(HealthCheck),
)
def test_refreshing_as_it_came_gives_the_rows_of_a_full_rebuild(
    programme: Programme, history: list[tuple[int, list[tuple[Any, ...]]]]
) -> None:
    programme.empty()
    for variant, happened in history:
        programme.define(DEFINITIONS[variant])
        for event in happened:
            match event:
                case ("save", document_id, document):
                    programme.save({"_id": document_id, **document})
                case ("delete", document_id):
                    programme.delete(document_id)
        programme.refresh()
    grown = everything(programme)
    programme.rebuild()
    for view, rebuilt in everything(programme).items():
        left_over, missing = set(grown[view]) - set(rebuilt), set(rebuilt) - set(grown[view])
        assert (view, left_over, missing) == (view, set(), set())
