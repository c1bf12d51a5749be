"""Which command runs as which role, and what it says as another."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from pipeline.cli import main
from pipeline.database import Address, connect
from pipeline.grants import ROLES
from pipeline.tables import ANALYST, ANALYST_PII, SERVICE, SYNC
from tests.commands import Worklist, worklist_for
from tests.conftest import Account, AsRole, PostgresServer, SimulatedCht, account
from tests.waiting import LONG, wait_until

pytestmark = pytest.mark.one_server
# Each command with what it is tried with; other tests run those that have none, which go on
# without end or need no database.
CALLS: dict[str, Sequence[str]] = {
    "migrate": ("migrate",),
    "sync": ("sync --once", "sync reconcile", "sync retry"),
    "refresh": ("refresh",),
    "publish": ("publish",),
    "write-back": ("write-back --once", "write-back list", "write-back retry --all"),
    "nightly": ("nightly",),
    "tasks": ("tasks --user supervisor_matope", "tasks check", "tasks explain 48074"),
    "status": ("status",),
    "serve": (),
    "run": (),
    "simulate": (),
    "demo": (),
}
# Nothing of ours is read to judge a file, nor changed by who owns nothing.
FOR_ALL = {"tasks check"}
ALSO = {
    SERVICE: {
        *("migrate", "tasks --user supervisor_matope", "tasks explain 48074"),
        *("write-back --once", "write-back list", "write-back retry --all"),
    },
    ANALYST: set[str](),
    ANALYST_PII: set[str](),
}
EVERY = [call for calls in CALLS.values() for call in calls]

Calling = dict[str, Worklist]


@pytest.fixture
def worklist(
    recorded_database: Address, as_role: AsRole, simulated_cht: SimulatedCht, home: Path
) -> Calling:
    """The command as an account of each role calls it."""
    return {
        role: worklist_for(as_role(recorded_database, role), simulated_cht.url, home)
        for role in ROLES
    }


def test_every_command_is_tried() -> None:
    assert set(CALLS) == set(main.commands)


def test_the_role_of_the_sync_runs_every_command_but_the_page(worklist: Calling) -> None:
    for call in EVERY:
        worklist[SYNC].must(*call.split())


def test_the_role_of_the_sync_keeps_everything_fresh(
    worklist: Calling, recorded_database: Address
) -> None:
    running = worklist[SYNC].started("run")
    try:
        with connect(recorded_database, autocommit=True) as connection:
            published = "select from app.refresh_run where tier = 'published'"
            wait_until(lambda: connection.execute(published).rowcount > 1)
    finally:
        running.terminate()
        _, said = running.communicate(timeout=LONG)
    assert "permission" not in said


@pytest.mark.parametrize("role", [SERVICE, ANALYST, ANALYST_PII])
def test_another_role_is_refused_what_is_not_its_own_by_a_sentence(
    worklist: Calling, role: str
) -> None:
    for call in EVERY:
        done = worklist[role](*call.split())
        if call in FOR_ALL | ALSO[role]:
            assert done.returncode == 0, (call, done.stderr)
        else:
            assert done.returncode == 2, (call, done.stderr)
            assert "Traceback" not in done.stderr, (call, done.stderr)
            user = worklist[role].environment["POSTGRES_USER"]
            assert user in done.stderr.splitlines()[-1], (call, done.stderr)


@pytest.mark.parametrize("role", [SYNC, ANALYST, ANALYST_PII])
def test_only_the_role_of_the_service_serves(worklist: Calling, role: str) -> None:
    done = worklist[role]("serve")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_older_database_is_migrated_by_its_owner_only(
    worklist: Calling, recorded_database: Address
) -> None:
    with connect(recorded_database, autocommit=True) as connection:
        connection.execute("update app.alembic_version set version_num = '0001_landing'")
    done = worklist[SYNC]("migrate")
    assert done.returncode == 2
    assert f"run `worklist migrate` with the account {recorded_database.user}" in done.stderr


@pytest.fixture
def newcomer(postgres_server: PostgresServer) -> Iterator[Account]:
    with account(postgres_server.maintenance, ANALYST) as made:
        yield made


def test_what_an_administrator_has_to_run_is_printed_as_it_is(
    newcomer: Account, empty_database: Address, simulated_cht: SimulatedCht, home: Path
) -> None:
    """The roles are there on this server; to act as one of them is what the account lacks."""
    user, password = newcomer
    owner = replace(empty_database, user=user, password=password)
    with connect(empty_database, autocommit=True) as administrator:
        administrator.execute(
            sql.SQL("grant create on database {} to {}").format(
                sql.Identifier(owner.database), sql.Identifier(owner.user)
            )
        )
        done = worklist_for(owner, simulated_cht.url, home)("migrate")
        assert done.returncode == 0
        assert (
            f"have an administrator run these statements in the database {owner.database}"
            in done.stderr
        )
        administrator.execute(done.stdout.encode())
    again = worklist_for(owner, simulated_cht.url, home)("migrate")
    assert (again.stdout, again.returncode) == ("", 0)
