"""A tasks.yml that PostgreSQL could not evaluate is told of before the night."""

import re
from pathlib import Path

import psycopg
import pytest

from pipeline.errors import SettingsWrong
from pipeline.tasks import run as defining

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
        defining.check(connection, text.replace("PREDICATE", predicate), "tasks.yml")
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
def test_a_predicate_that_cannot_be_evaluated_is_told_with_line_and_key(
    connection: psycopg.Connection, predicate: str, reason: str
) -> None:
    told = complaints(connection, predicate)
    assert told.startswith("tasks.yml:6: task verify: appliesIf is no predicate")
    assert reason in told
    assert "write a comparison" in told


def test_what_postgresql_sees_is_told_beside_everything_else(
    connection: psycopg.Connection,
) -> None:
    text = TEXT.replace("start: 0", "start: -1").replace("Africa/Blantyre", "Malawi")
    lines = complaints(connection, "'$.fields.visit'", text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "6", "8"]


def test_a_dollar_in_quotes_is_no_variable_and_moments_compare(
    connection: psycopg.Connection,
) -> None:
    predicate = '\'$.fields.price == "5 $" || $.due.datetime() < "2026-01-01".datetime()\''
    assert defining.check(connection, TEXT.replace("PREDICATE", predicate), "tasks.yml").tasks


def test_postgresql_can_evaluate_the_examples_of_the_implementers_page(
    connection: psycopg.Connection,
) -> None:
    for example in re.findall(r"```yaml\n(.*?)```", IMPLEMENTERS.read_text(), re.DOTALL):
        assert defining.check(connection, example, "implementers.md").tasks
