"""`worklist tasks check` finds what PostgreSQL cannot evaluate before the nightly run does."""

import re
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pipeline.database import Address, connect, now
from pipeline.errors import SettingsWrong
from pipeline.tasks import run as tasks_run
from tests.integration.recorded_programme import SHIPPED, Programme

DOCUMENTS = sql.Identifier("v1", "couchdb")
IMPLEMENTERS = Path(__file__).parents[2] / "docs" / "implementers.md"
TEXT = """\
timezone: Africa/Blantyre
tasks:
  - name: verify
    title: Verify
    appliesTo: reports
    appliesIf: PREDICATE
    events:
      - {days: 0, start: 0, end: 28}
    actions: [{form: answer}]
    assignedTo: {roles: [site_supervisor]}
"""


def complaints(connection: psycopg.Connection, predicate: str, text: str = TEXT) -> str:
    with pytest.raises(SettingsWrong) as caught:
        tasks_run.check(connection, text.replace("PREDICATE", predicate), "tasks.yml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        ("'$.fields.visit'", "single boolean result is expected"),
        ("'$.fields.visit = 1'", "syntax error"),
        ("'$.fields.visit like_regex \"(\"'", "invalid regular expression"),
        # nothing in an empty document leads to the variable
        ("'$.fields.visit == 1 && $.age > $limit'", 'variable $"limit" has no value'),
    ],
)
def test_a_predicate_that_cannot_be_evaluated_is_reported_with_line_and_key(
    connection: psycopg.Connection, predicate: str, reason: str
) -> None:
    told = complaints(connection, predicate)
    assert told.startswith("tasks.yml:6: task verify: appliesIf is not a predicate")
    assert reason in told
    assert "write a comparison" in told


def test_what_postgresql_sees_is_reported_with_everything_else(
    connection: psycopg.Connection,
) -> None:
    text = TEXT.replace("start: 0", "start: -1").replace("Africa/Blantyre", "Malawi")
    lines = complaints(connection, "'$.fields.visit'", text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "6", "8"]


def test_a_dollar_in_quotes_is_no_variable_and_moments_compare(
    connection: psycopg.Connection,
) -> None:
    predicate = '\'$.fields.price == "5 $" || $.due.datetime() < "2026-01-01".datetime()\''
    assert tasks_run.check(connection, TEXT.replace("PREDICATE", predicate), "tasks.yml").tasks


def test_postgresql_can_evaluate_the_examples_of_the_implementers_page(
    connection: psycopg.Connection,
) -> None:
    for example in re.findall(r"```yaml\n(.*?)```", IMPLEMENTERS.read_text(), re.DOTALL):
        assert tasks_run.check(connection, example, "implementers.md").tasks


def told(programme: Programme, text: str) -> list[str]:
    warnings = tasks_run.find_unknown_names(programme.connection, text, DOCUMENTS)
    assert warnings is not None
    return [f"{warning.line}: {warning.sentence}" for warning in warnings]


def test_events_and_resolvers_that_left_the_file_are_gone(connection: psycopg.Connection) -> None:
    event = "{days: 0, start: 0, end: 28}"
    one = TEXT.replace("    appliesIf: PREDICATE\n", "")
    two = one.replace(event, f"{event[:-1]}, id: first}}\n      - {event[:-1]}, id: second}}")
    two += "    resolvedIf: {default: true, newerReport: [visit]}\n"
    for text, events, forms in ((two, 2, 2), (one, 1, 1)):
        tasks_run.store_definitions(connection, text, "tasks.yml", now(connection))
        for table, count in (("task_event", events), ("task_resolver", forms)):
            rows = sql.SQL("select from app.{}").format(sql.Identifier(table))
            assert connection.execute(rows).rowcount == count, table


def test_the_names_of_the_shipped_file_are_known_to_the_recorded_cht(
    programme: Programme,
) -> None:
    assert told(programme, SHIPPED) == []


@pytest.mark.parametrize(
    ("right", "wrong", "warning"),
    [
        (
            "areaType: chw_area",
            "areaType: chw-area",
            "5: areaType names the contact type chw-area, which is not in the CHT's data; "
            "did you mean chw_area?",
        ),
        (
            "appliesToType: [trace]",
            "appliesToType: [trace, Trace]",
            "14: task verify-missed-appointment: appliesToType.1 names the form Trace, which "
            "is not in the CHT's data; did you mean trace?",
        ),
        (
            "newerReport: [visit_verification]",
            "newerReport: [delivery]",
            "21: task verify-missed-appointment: resolvedIf.newerReport.0 names the form "
            "delivery, which is not in the CHT's data",
        ),
        (
            "{form: missed_appointment_verification}",
            "{form: missed_apointment_verification}",
            "22: task verify-missed-appointment: actions.0.form names the form "
            "missed_apointment_verification, which is not in the CHT's data; "
            "did you mean missed_appointment_verification?",
        ),
        (
            "roles: [site_supervisor]",
            "roles: [site_supervisors]",
            "25: task verify-missed-appointment: assignedTo.roles.0 names the role "
            "site_supervisors, which is not in the CHT's data; did you mean site_supervisor?",
        ),
    ],
)
def test_a_name_that_is_not_in_the_chts_data_is_warned_of(
    programme: Programme, right: str, wrong: str, warning: str
) -> None:
    assert right in SHIPPED
    assert told(programme, SHIPPED.replace(right, wrong)) == [warning]


def test_contacts_are_asked_by_contact_type_and_a_form_is_none(programme: Programme) -> None:
    text = SHIPPED.replace("appliesTo: reports", "appliesTo: contacts")
    assert told(programme, text) == [
        "14: task verify-missed-appointment: appliesToType.0 names the contact type trace, which "
        "is not in the CHT's data"
    ]
    assert told(programme, text.replace("[trace]", "[household]")) == []


def test_a_name_is_known_by_the_settings_or_by_a_document_that_uses_it(
    programme: Programme,
) -> None:
    text = (
        SHIPPED.replace("chw_area", "ward")
        .replace("[trace]", "[P, A, B, sickness]")
        .replace("[site_supervisor]", "[nurse, matron]")
    )
    assert len(told(programme, text)) == 7
    settings = programme.document("settings")
    settings["settings"]["forms"] = {"P": {}}
    settings["settings"]["roles"]["nurse"] = {}
    programme.save(settings)
    programme.save({"_id": "a1", "type": "data_record", "form": "A"})
    programme.save({"_id": "form:B", "type": "form"})
    programme.save({"_id": "form:sick:ness", "type": "form", "internalId": "sickness"})
    programme.save({"_id": "w1", "type": "contact", "contact_type": "ward"})
    programme.save(
        {"_id": "org.couchdb.user:m", "type": "user-settings", "name": "m", "roles": ["matron"]}
    )
    assert told(programme, text) == []

    programme.delete("a1")
    programme.delete("form:B")
    assert [warning.split(" names ")[1] for warning in told(programme, text)] == [
        "the form A, which is not in the CHT's data",
        "the form B, which is not in the CHT's data",
    ]


def test_another_landed_database_knows_nothing(programme: Programme) -> None:
    programme.connection.execute(
        "insert into v1.couchdb (_id, source, doc) values ('x', 'other/medic', %s)",
        ['{"type": "data_record", "form": "elsewhere"}'],
    )
    assert len(told(programme, SHIPPED.replace("[trace]", "[elsewhere]"))) == 1


def test_without_landed_documents_nothing_is_compared(
    connection: psycopg.Connection, empty_database: Address
) -> None:
    assert tasks_run.find_unknown_names(connection, SHIPPED, DOCUMENTS) is None
    with connect(empty_database) as unmigrated:
        assert tasks_run.find_unknown_names(unmigrated, SHIPPED, DOCUMENTS) is None
        assert tasks_run.check(unmigrated, SHIPPED, "tasks.yml").tasks
