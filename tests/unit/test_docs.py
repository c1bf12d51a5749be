"""The documents keep up with what they describe."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from oracle.deviations import Deviation
from pipeline.cli import main
from pipeline.tasks import rules

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text()
OPERATORS = (PROJECT / "docs" / "operators.md").read_text()
ANALYSTS = (PROJECT / "docs" / "analysts.md").read_text()
_SETTING = r"(?:(?:COUCHDB|POSTGRES|WORKLIST)_[A-Z_]+|SSL_CERT_FILE)"
IMPLEMENTERS = (PROJECT / "docs" / "implementers.md").read_text()


def _settings_read() -> set[str]:
    text = (PROJECT / "pipeline" / "settings.py").read_text()
    return set(re.findall(rf'"({_SETTING})"', text))


def test_every_command_is_in_the_operators_page() -> None:
    for name in main.commands:
        assert f"`worklist {name}" in OPERATORS, name


def test_the_version_that_the_command_says_is_that_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    said = CliRunner().invoke(main, ["--version"], prog_name="worklist").output
    assert said == f"worklist {project['version']}\n"


def test_every_setting_is_in_the_readme_and_the_example_and_no_other() -> None:
    example = (PROJECT / ".env.example").read_text()
    table = README[README.index("## Settings") : README.index("## Read on")]
    assert set(re.findall(rf"\b{_SETTING}", table)) == _settings_read()
    assert set(re.findall(rf"^#?({_SETTING})=", example, re.MULTILINE)) == _settings_read()


def test_every_mart_is_in_the_readme_and_the_analysts_page() -> None:
    for path in (PROJECT / "dbt_project" / "models" / "published").glob("*.sql"):
        assert f"| `{path.stem}` |" in README, path.stem
        assert f"| `{path.stem}` |" in ANALYSTS, path.stem


def test_every_flag_and_standing_is_explained() -> None:
    sql = "".join(
        (PROJECT / "dbt_project" / path).read_text()
        for path in (
            "models/intermediate/int_task_state.sql",
            "models/intermediate/int_task_dated.sql",
            "models/intermediate/int_task_placed.sql",
            "models/intermediate/int_task_standing.sql",
            "models/tasks/task.sql",
        )
    )
    listed = ",".join(re.findall(r"(?:then|else) array\[([^\]]*)\]", sql))
    words = set(re.findall(r"(?:then|else) '(\w+)'", sql)) | set(re.findall(r"'(\w+)'", listed))
    explained = {word for word in words if word.islower()}
    assert {"unknown_patient", "no_due_date", "duplicate_open", "open", "muted"} <= explained
    for word in explained:
        assert f"`{word}`" in ANALYSTS, word


def test_every_key_of_tasks_yml_is_explained() -> None:
    for model in (
        *(rules.Programme, rules.Timely, rules.Definition, rules.Event, rules.DueDate),
        *(
            rules.Action,
            rules.ResolvedIf,
            rules.Resolver,
            rules.Tracing,
            rules.Priority,
            rules.AssignedTo,
        ),
    ):
        for field in model.model_fields.values():
            name = field.alias or ""
            assert f"`{name}`" in IMPLEMENTERS or f"{name}: " in IMPLEMENTERS, name


def test_the_examples_of_the_implementers_page_are_valid() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", IMPLEMENTERS, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert rules.parse(example).tasks


def test_every_deviation_of_the_oracle_is_explained() -> None:
    reasons = IMPLEMENTERS[IMPLEMENTERS.index("## Where we differ") :]
    for deviation in Deviation:
        label = deviation.label.removeprefix("quirk ")
        start = f"{label}. " if label.isdigit() else f"| {label} |"
        assert f"\n{start}" in reasons, deviation


def test_every_target_of_the_makefile_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) - {"its"} <= targets


@pytest.mark.parametrize(
    "path", sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]), ids=str
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_every_model_is_described_and_every_table_has_a_tested_key() -> None:
    models = PROJECT / "dbt_project" / "models"
    for path in models.rglob("*.sql"):
        (described,) = yaml.safe_load(path.with_suffix(".yml").read_text())["models"]
        assert described["name"] == path.stem
        assert "Grain: one row" in described["description"], path.stem
        if path.parent.name in {"base", "tasks", "live", "pii"}:
            tests = [*described.get("data_tests", [])]
            tests += [
                test for column in described["columns"] for test in column.get("data_tests", [])
            ]
            assert "unique" in tests or any("unique_together" in test for test in tests), path.stem
