"""What tasks.yml may say, and how it is told what is wrong."""

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


def test_given_resolved_if_counts_the_default_only_when_it_is_named() -> None:
    text = SMALL + "    resolvedIf: {newerReport: [visit]}\n"
    row = rules.definition_row(rules.parse(text), rules.parse(text).tasks[0])
    assert row["is_resolved_by_default"] is False
    assert row["newer_report_forms"] == ["visit"]


def test_every_error_is_told_at_once_with_its_line() -> None:
    text = SMALL.replace("title: Verify", "titel: Verify").replace("start: 0", "start: -1")
    assert _complaints(text) == [
        "tasks.yml:3: tasks.0.title is missing",
        "tasks.yml:8: tasks.0.events.0.start: input should be greater than or equal to 0",
        "tasks.yml:4: tasks.0.titel is not a key that is known here",
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Africa/Blantyre", "Malawi", "IANA name"),
        ("days: 0, ", "", "exactly one of `days` and `dueDate`"),
        ("    actions: [{form: answer}]\n", "", "needs a report action"),
        ("name: verify", "name: a~b", "string should match pattern"),
        ("appliesTo: reports", "appliesTo: contacts", "not supported yet"),
        ("timezone: Africa/Blantyre", "timezone: [", "cannot be read as YAML"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, complaint: str) -> None:
    assert complaint in "\n".join(_complaints(SMALL.replace(old, new)))


def test_several_events_need_names_of_their_own() -> None:
    text = SMALL.replace("28}\n", "28}\n      - {days: 7, start: 0, end: 28}\n")
    assert "each needs an `id`" in "\n".join(_complaints(text))


def test_two_tasks_cannot_share_a_name() -> None:
    task = SMALL[SMALL.index("  - name") :]
    assert "given to two tasks" in "\n".join(_complaints(SMALL + task))


def test_the_hash_follows_what_rows_depend_on_and_nothing_else() -> None:
    def hashed(text: str) -> str:
        programme = rules.parse(text)
        return programme.hash(programme.tasks[0])

    assert hashed(SMALL) == hashed(SMALL.replace("title: Verify", "title: Check"))
    assert hashed(SMALL) != hashed(SMALL.replace("end: 28", "end: 29"))
    assert hashed(SMALL) != hashed(SMALL.replace("Africa/Blantyre", "Africa/Nairobi"))
