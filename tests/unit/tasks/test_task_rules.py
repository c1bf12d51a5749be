"""What tasks.yml may say, and how errors in it are reported."""

from pathlib import Path

import pytest

from pipeline.errors import SettingsWrong
from pipeline.tasks import rules

SHIPPED = (Path(__file__).parents[3] / "dbt_project" / "tasks.yml").read_text()
SMALL = """\
timezone: Africa/Blantyre
tasks:
  - name: verify
    title: Verify
    appliesTo: reports
    appliesToType: [trace]
    events:
      - {days: 0, start: 0, end: 28}
    actions: [{form: answer}]
    assignedTo: {roles: [site_supervisor]}
"""


def _complaints(text: str) -> list[str]:
    with pytest.raises(SettingsWrong) as caught:
        rules.parse(text)
    return str(caught.value).splitlines()


def test_the_shipped_file_is_valid() -> None:
    programme = rules.parse(SHIPPED)
    assert [definition.name for definition in programme.tasks] == ["verify-missed-appointment"]
    assert programme.tasks[0].default_form == "missed_appointment_verification"


def test_what_is_left_out_means_what_it_means_in_the_cht() -> None:
    definition = rules.parse(SMALL).tasks[0]
    assert definition.resolved_if == rules.ResolvedIf(default=True)
    assert definition.exclude_muted_or_dead
    assert [row["event"] for row in rules.event_rows(definition)] == ["0"]


def test_the_default_form_is_that_of_the_first_report_action() -> None:
    text = SMALL.replace("{form: answer}", "{type: contact, form: person}, {form: answer}")
    rows = rules.resolver_rows(rules.parse(text).tasks[0])
    assert [(row["form"], row["is_default"]) for row in rows] == [("answer", True)]


def test_given_resolved_if_counts_the_default_only_when_it_is_named() -> None:
    text = SMALL + "    resolvedIf: {newerReport: [visit]}\n"
    rows = rules.resolver_rows(rules.parse(text).tasks[0])
    assert [(row["form"], row["is_default"]) for row in rows] == [("visit", False)]


def test_a_resolver_may_ask_for_more_than_a_form_alone_or_together_with_others() -> None:
    text = SMALL + (
        "    resolvedIf:\n"
        "      default: true\n"
        "      newerReport: [visit, {form: referral, if: '$.fields.attended == \"yes\"'}]\n"
        "      all:\n"
        "        - {form: call, source: fields.inputs.source_id}\n"
        "        - {form: seen, visit: fields.day}\n"
    )
    rows = rules.resolver_rows(rules.parse(text).tasks[0])
    assert [(row["alternative"], row["form"]) for row in rows] == [
        *[(0, "answer"), (1, "visit"), (2, "referral")],
        *[(3, "call"), (3, "seen")],
    ]
    assert rows[2]["condition"] == '$.fields.attended == "yes"'
    assert rows[3]["source_path"] == ["fields", "inputs", "source_id"]
    assert rows[4]["visit_path"] == ["fields", "day"]


def test_what_a_resolver_says_wrong_is_reported_with_its_line() -> None:
    text = SMALL + "    resolvedIf:\n      newerReport:\n        - {from: visit}\n"
    assert _complaints(text) == [
        "tasks.yml:13: task verify: resolvedIf.newerReport.0.form is missing; write a form's code",
        "tasks.yml:13: task verify: resolvedIf.newerReport.0.from is not a known key;"
        " did you mean form?",
    ]


@pytest.mark.parametrize("tracing", ["", "    tracing: {outcome: fields.found}\n"])
def test_what_tracing_leaves_out_is_the_follow_up_form_and_nobody_sent_to_the_dead(
    tracing: str,
) -> None:
    programme = rules.parse(SMALL + tracing)
    row = rules.definition_row(programme, programme.tasks[0])
    assert row["tracing_forms"] == ["trace_follow_up"]
    assert "died" in row["reasons_not_to_trace"]
    assert row["is_verified_in_cht"] is True


def test_a_key_in_the_wrong_place_is_not_suggested_in_place_of_itself() -> None:
    assert _complaints(SMALL + "    label: Urgent\n    modifyContent: none\n") == [
        "tasks.yml:11: task verify: label is a key that does not belong here; move it or leave it"
        " out",
        "tasks.yml:12: task verify: modifyContent is not a known key; the answer's form is always"
        " the same; leave it out",
    ]


def test_every_error_is_reported_at_once_with_line_key_and_what_to_write_instead() -> None:
    text = SMALL.replace("title: Verify", "titel: Verify").replace("start: 0", "start: -1")
    text = text.replace("Africa/Blantyre", "Malawi").replace("days: 0, ", "")
    assert _complaints(text) == [
        "tasks.yml:1: timezone Malawi is unknown; write an IANA name such as Africa/Blantyre",
        "tasks.yml:3: task verify: title is missing; write text, or a translation key of the CHT",
        "tasks.yml:4: task verify: titel is not a known key; did you mean title?",
        "tasks.yml:8: task verify: events.0.start: input should be greater than or equal to 0;"
        " write how many days before the due day the task opens, 0 or more",
        "tasks.yml:8: task verify: events.0 needs either days or dueDate",
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("    actions: [{form: answer}]\n", "", "3: task verify: resolvedIf asks for the default"),
        (
            "    actions",
            "    resolvedIf: {cleared: true}\n    actions",
            "which only scheduled_tasks can be",
        ),
        ("{form: answer}", "{type: report}, {form: answer}", "resolvedIf asks for the default"),
        ("{form: answer}", "{type: contact, form: answer}", "resolvedIf asks for the default"),
        ("    actions", "    resolvedIf: {}\n    actions", "never resolves the task"),
        ("name: verify", "name: a~b", "3: task a~b: name cannot be 'a~b'; write a name without"),
        ("appliesTo: reports", "appliesTo: people", "write reports, contacts or scheduled_tasks"),
        ("    title", "    contactLabel: $.fields.x\n    title", "a path without $ and brackets"),
        ("    title", "    title: A\n    title", "5: title is given twice, first in line"),
        ("[trace]", "[4]", "appliesToType.0 must be text, in quotes if necessary; write a list"),
        ("timezone: Africa/Blantyre", "timezone: [", "cannot be read as YAML"),
        (SMALL, "", "1: the file must have keys and values; write at least timezone and tasks"),
        (SMALL, "timezone: Africa/Blantyre\ntasks: []", "tasks must be a list that is not empty"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, complaint: str) -> None:
    assert complaint in "\n".join(_complaints(SMALL.replace(old, new)))


def test_several_events_need_names_of_their_own() -> None:
    text = SMALL.replace("28}\n", "28}\n      - {days: 7, start: 0, end: 28}\n")
    assert [line.partition(": task")[0] for line in _complaints(text)] == [
        "tasks.yml:8",
        "tasks.yml:9",
    ]


def test_two_tasks_cannot_share_a_name() -> None:
    task = SMALL[SMALL.index("  - name") :]
    (complaint,) = _complaints(SMALL + task)
    assert complaint == "tasks.yml:11: task verify: name is used by two tasks; choose another"


def test_a_contact_and_each_type_may_be_asked() -> None:
    text = SMALL.replace("reports", "contacts").replace("    appliesToType: [trace]\n", "")
    programme = rules.parse(text)
    row = rules.definition_row(programme, programme.tasks[0])
    assert (row["applies_to"], row["applies_to_type"]) == ("contacts", None)


def test_a_phones_limits_are_the_chts_unless_given() -> None:
    assert rules.programme_row(rules.parse(SMALL))["timely_past_days"] == 60
    given = rules.programme_row(rules.parse("timely: {pastDays: 90}\n" + SMALL))
    assert (given["timely_past_days"], given["timely_future_days"]) == (90, 180)


def test_the_hash_follows_what_rows_depend_on_and_nothing_else() -> None:
    def hashed(text: str) -> str:
        programme = rules.parse(text)
        return programme.hash(programme.tasks[0])

    assert hashed(SMALL) == hashed(SMALL.replace("title: Verify", "title: Check"))
    assert hashed(SMALL) != hashed(SMALL.replace("end: 28", "end: 29"))
    assert hashed(SMALL) != hashed(SMALL.replace("Africa/Blantyre", "Africa/Nairobi"))
