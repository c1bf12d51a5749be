"""The way of the oracle's cases, on the plain ones; `make oracle` takes them all."""

from pathlib import Path

import pytest

from oracle.__main__ import RECORDED
from oracle.comparison import compare
from oracle.derived_tasks import answers
from oracle.deviations import ALL
from oracle.recorded_cases import read
from oracle.rules_engine import Judge
from oracle.temporary_database import SOURCE, TemporaryDatabase
from pipeline.database import Address, engine, now
from pipeline.migrate import name_instance
from tests.commands import home_of
from tests.integration import made_up_cases


@pytest.fixture
def oracle_database(database: Address, home: Path) -> TemporaryDatabase:
    opened = engine(database)
    with opened.begin() as naming:
        name_instance(naming, "oracle", SOURCE, now(naming))
    opened.dispose()
    return TemporaryDatabase(database, home_of(database, home))


@pytest.mark.one_server
def test_every_boundary_of_the_matrix_agrees(oracle_database: TemporaryDatabase) -> None:
    cases = [case for case in read(RECORDED) if "matrix" in case["tags"]]
    found = list(answers(oracle_database, cases, lambda _text: None))
    assert len(found) == len(cases)
    for case, ours in found:
        assert all(verdict.agrees for verdict in compare(case, ours)), case["id"]


@pytest.mark.one_server
def test_what_the_field_sends_is_derived_as_it_is_foreseen(
    oracle_database: TemporaryDatabase,
) -> None:
    made_up = list(made_up_cases.cases(seed=1, count=250))
    found = list(answers(oracle_database, made_up, lambda _text: None))
    assert len(found) == len(made_up)
    for case, ours in found:
        foreseen = Judge(case, ALL).rows()
        # what the engine says of withdrawn reports that were resolved is not what we say
        told = {key: ours.get(key) for key, row in foreseen.items() if not row.deleted}
        assert (case, told) == (case, {key: foreseen[key] for key in told})
