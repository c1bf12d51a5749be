"""What of the list is shown, as it stands in the address."""

from uuid import UUID

import pytest
from starlette.requests import Request

from pipeline.service.list_view import View

EVERYTHING = View(
    standing="expired",
    q="Banda",
    area="area",
    definition="verify-art",
    is_overdue=True,
    order="due",
    reason="moved",
    flag="no_due_date",
    after=UUID(int=1),
)


def read(query: str) -> View:
    told = query.removeprefix("?").encode()
    return View.read(Request({"type": "http", "query_string": told, "headers": []}))


@pytest.mark.parametrize("view", [View(), EVERYTHING, View(q="ü & =", definition="a b")])
def test_an_address_says_all_of_what_is_shown(view: View) -> None:
    assert read(view.query()) == view


def test_what_is_as_usual_and_what_makes_no_sense_stand_in_no_address() -> None:
    assert View().query() == ""
    assert read("standing=x&order=x&after=x&is_overdue=x&definition=%00") == View()


@pytest.mark.parametrize(
    "view",
    [
        View(q="a"),
        View(area="a"),
        View(definition="a"),
        View(is_overdue=True),
        View(reason="a"),
        View(flag="a"),
    ],
)
def test_whatever_narrows_the_list_can_be_taken_off_at_once(view: View) -> None:
    assert view.is_narrowed
    assert view.is_sorted_out == (not view.q)
    assert view.unnarrowed() == ""


def test_taking_off_what_narrows_leaves_the_tab_and_the_order() -> None:
    wide = View(standing="expired", order="due")
    assert not wide.is_narrowed
    assert read(EVERYTHING.unnarrowed()) == wide
