"""An operator who has a cht-sync: the same `.env`, taken over or left to couch2pg."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import Address, connect
from tests.commands import Worklist, worklist_for
from tests.conftest import SimulatedCht
from tests.couch2pg import Couch2pg

# What of it is SQL of ours, test_adoption.py asks both servers for.
pytestmark = pytest.mark.one_server
UNANSWERED = 108


@pytest.fixture
def couch2pg(empty_database: Address, simulated_cht: SimulatedCht) -> Iterator[Couch2pg]:
    """With all of the recorded programme, but of no document the U+0000."""
    with (
        connect(empty_database, autocommit=True) as connection,
        ChtClient(simulated_cht.url, "worklist", "password") as client,
    ):
        couch2pg = Couch2pg(connection, f"{httpx.URL(simulated_cht.url).host}/medic")
        couch2pg.create_tables()
        couch2pg.copy(client)
        yield couch2pg


def seen(worklist: Worklist) -> int:
    tasks = worklist.must("tasks", "--user", "supervisor_matope", "--format", "json")
    return len(json.loads(tasks))


def visit(cht: SimulatedCht, worklist: Worklist) -> str:
    """The clinic types in late that the first patient of Matope's list had come."""
    shown = worklist.must("tasks", "--user", "supervisor_matope", "--format", "json")
    source = json.loads(shown)[0]["source_id"]
    with ChtClient(cht.url, "worklist", "password") as client:
        trace = dict(client.document("medic", source).content or {})
        document = {**trace, "_id": "late", "form": "visit_verification"}
        del document["_rev"]
        client.bulk_docs("medic", [{**document, "reported_date": 1795100000000}])
    return "late"


@pytest.mark.usefixtures("couch2pg")
def test_an_operator_takes_over_from_couch2pg(
    simulated_cht: SimulatedCht, empty_database: Address, home: Path
) -> None:
    worklist = worklist_for(empty_database, simulated_cht.url, home)
    worklist.must("migrate")
    night = worklist("nightly")
    assert night.returncode == 0, night.stderr
    assert "sync medic: 0 changes read" in night.stderr
    assert seen(worklist) == UNANSWERED
    visit(simulated_cht, worklist)
    worklist.must("migrate")
    worklist.must("nightly")
    assert seen(worklist) == UNANSWERED - 1


def test_an_operator_leaves_the_writing_to_couch2pg(
    couch2pg: Couch2pg,
    simulated_cht: SimulatedCht,
    empty_database: Address,
    home: Path,
) -> None:
    own = worklist_for(empty_database, simulated_cht.url, home)
    worklist = replace(own, environment={**own.environment, "WORKLIST_SYNC": "external"})
    worklist.must("migrate")
    worklist.must("nightly")
    assert seen(worklist) == UNANSWERED
    refused = worklist("sync", "--once")
    assert refused.returncode == 2
    assert "couch2pg copies the CHT's documents" in refused.stderr

    late = visit(simulated_cht, worklist)
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        couch2pg.store((late, dict(client.document("medic", late).content or {})))
    worklist.must("refresh")
    assert seen(worklist) == UNANSWERED - 1
    status = json.loads(worklist.must("status", "--json"))
    assert status["sync"][0]["documents"] == 996
