"""The way of the oracle's cases, on the plain ones; `make oracle` takes them all."""

from pathlib import Path

import pytest

from oracle.__main__ import RECORDED
from oracle.answers import answers
from oracle.cases import read
from oracle.comparing import compare
from oracle.places import SOURCE, Place
from pipeline.database import Address, engine, now
from pipeline.migrate import name_instance


@pytest.mark.one_server
def test_every_boundary_of_the_matrix_agrees(database: Address, home: Path) -> None:
    opened = engine(database)
    with opened.begin() as naming:
        name_instance(naming, "oracle", SOURCE, now(naming))
    opened.dispose()
    cases = [case for case in read(RECORDED) if "matrix" in case["tags"]]
    found = list(answers(Place(database, home), cases, lambda _text: None))
    assert len(found) == len(cases)
    for case, ours in found:
        assert all(verdict.agrees for verdict in compare(case, ours)), case["id"]
