"""What an operator may get wrong, and the one sentence that says what to do."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.database import Address
from tests.commands import Worklist, worklist_for
from tests.conftest import SimulatedCht

# Any server will do: what of it is SQL, test_odd_postgresql.py asks both servers for.
pytestmark = pytest.mark.one_server


@pytest.fixture
def worklist(simulated_cht: SimulatedCht, database: Address, tmp_path: Path) -> Worklist:
    return worklist_for(database, simulated_cht.url, tmp_path)


def without_server(worklist: Worklist, folder: Path) -> Worklist:
    """As in a folder where there is no .env."""
    left_out = ("POSTGRES_", "WORKLIST_HOME")
    kept = {
        name: value for name, value in worklist.environment.items() if not name.startswith(left_out)
    }
    folder.mkdir(exist_ok=True)
    return Worklist(kept, folder)


def refused(worklist: Worklist, command: str) -> str:
    """The one sentence that the command says and ends with 2."""
    done = worklist(command)
    assert done.returncode == 2, done.stderr
    (sentence,) = done.stderr.splitlines()
    return sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"\.env cannot be read \(Is a directory\)"),
        (b"COUCHDB_USER=andr\xe9\n", "not in UTF-8"),
        ("COUCHDB_USER=medic\n".encode("utf-16"), "not in UTF-8"),
        ("COUCHDB_USER=medic\n".encode("utf-16-le"), "not in UTF-8"),
        (b"COUCHDB_USER=medic\nCOUCHDB_PASSWORD: secret\n", r"Line 2 of .*\.env is not NAME=VALUE"),
        ("\N{BYTE ORDER MARK}COUCHDB_PORT=none\r\n".encode(), "COUCHDB_PORT is 'none'"),
    ],
)
def test_a_file_of_settings_that_cannot_be_read_is_refused(
    worklist: Worklist, tmp_path: Path, content: bytes | None, said: str
) -> None:
    elsewhere = without_server(worklist, tmp_path / "elsewhere")
    kept = {name: value for name, value in elsewhere.environment.items() if "COUCHDB" not in name}
    path = elsewhere.folder / ".env"
    path.mkdir() if content is None else path.write_bytes(content)
    sentence = refused(Worklist(kept, elsewhere.folder), "status")
    assert re.search(said, sentence), sentence
    assert "secret" not in sentence


def test_no_command_but_migrate_makes_a_database_and_it_says_where(
    worklist: Worklist, tmp_path: Path
) -> None:
    elsewhere = without_server(worklist, tmp_path / "elsewhere")
    home = elsewhere.folder / ".worklist"
    for command in ("status", "sync", "nightly", "refresh", "serve", "write-back"):
        assert f"There is no database in {home}" in refused(elsewhere, command)
    elsewhere.must("tasks", "check")
    assert list(elsewhere.folder.iterdir()) == []

    made = elsewhere("migrate")
    assert (made.returncode, f"creating an embedded PostgreSQL in {home}" in made.stderr) == (
        0,
        True,
    )
    used = elsewhere("status")
    assert used.stderr == f"Using the embedded PostgreSQL in {home}.\n"
    assert f"database: embedded, in {home}\n" in used.stdout
    everywhere = {**elsewhere.environment, "WORKLIST_HOME": str(home)}
    assert Worklist(everywhere, tmp_path)("status").stderr == ""


@pytest.mark.parametrize(
    "changed",
    [{"POSTGRES_SCHEMA": "cht"}, {"POSTGRES_TABLE": "documents"}],
)
def test_another_landing_than_at_the_first_migration_is_refused_by_each_command(
    worklist: Worklist, changed: dict[str, str]
) -> None:
    mistaken = replace(worklist, environment={**worklist.environment, **changed})
    for command in ("migrate", "sync", "refresh", "status"):
        sentence = refused(mistaken, command)
        assert sentence.endswith(
            "set POSTGRES_SCHEMA=v1 and POSTGRES_TABLE=couchdb again, or use a new database."
        )
    worklist.must("sync")


def test_another_name_for_the_instance_is_not_taken_and_the_old_one_is_named(
    worklist: Worklist,
) -> None:
    assert worklist("migrate").stderr == "The database is up to date.\n"
    renamed = replace(worklist, environment={**worklist.environment, "WORKLIST_INSTANCE": "new"})
    done = renamed("migrate")
    assert done.returncode == 0
    assert "set WORKLIST_INSTANCE=recorded, or use another database" in done.stderr


def test_a_simulated_cht_takes_no_port_that_does_not_exist(worklist: Worklist) -> None:
    done = worklist("simulate", "--port", "65536")
    assert done.returncode == 2
    assert "'--port': 65536 is not in the range" in done.stderr


def test_a_file_of_tasks_that_cannot_be_read_is_named(worklist: Worklist, tmp_path: Path) -> None:
    done = worklist("tasks", "check", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tmp_path} cannot be read (Is a directory): name another file")


def test_a_misspelt_setting_is_warned_of(worklist: Worklist) -> None:
    slip = replace(worklist, environment={**worklist.environment, "WORKLIST_PROXY": "::1"})
    done = slip("status")
    assert done.returncode == 0
    assert "did you mean WORKLIST_PROXIES?" in done.stderr


def test_a_word_of_sql_cannot_name_the_landing(
    simulated_cht: SimulatedCht, empty_database: Address, tmp_path: Path
) -> None:
    named = worklist_for(empty_database, simulated_cht.url, tmp_path)
    named = replace(named, environment={**named.environment, "POSTGRES_SCHEMA": "order"})
    assert "POSTGRES_SCHEMA is 'order'" in refused(named, "migrate")


def test_status_tells_since_when_syncs_fail_until_one_succeeds(worklist: Worklist) -> None:
    worklist.must("sync")
    worklist.must("status")
    away = replace(
        worklist,
        environment={
            **worklist.environment,
            "COUCHDB_PORT": "1",
            "WORKLIST_PATIENCE": "0",
            "WORKLIST_NOW": "2026-11-21T06:00:00Z",
        },
    )
    assert away("sync").returncode == 1
    later = {**away.environment, "WORKLIST_NOW": "2026-11-21T09:00:00Z"}
    assert replace(away, environment=later)("sync").returncode == 1

    told = replace(away, environment=later)("status")
    assert told.returncode == 1
    assert "SYNC FAILS since 2026-11-21 06:00 UTC, last 0 seconds ago: " in told.stdout
    assert "cannot be reached" in told.stdout
    for_machines = replace(away, environment=later)("status", "--json")
    report = json.loads(for_machines.stdout)
    assert for_machines.returncode == 1
    assert report["sync"][0]["failing_since"] == "2026-11-21T06:00:00Z"
    assert [one.partition(":")[0] for one in report["needs_attention"]] == [
        "The sync of 127.0.0.1/medic fails"
    ]
    worklist.must("sync")
    assert "SYNC FAILS" not in worklist.must("status")


def test_a_source_that_was_a_slip_does_not_fail_for_ever(worklist: Worklist) -> None:
    slip = replace(worklist, environment={**worklist.environment, "COUCHDB_DBS": "medik"})
    assert slip("sync").returncode == 2
    assert "SYNC FAILS" in slip("status").stdout
    assert "medik" not in worklist.must("status")
