"""Which part of the list is shown, as the URL describes it."""

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
def test_a_url_describes_the_whole_view(view: View) -> None:
    assert read(view.query()) == view


def test_defaults_and_invalid_values_are_left_out_of_the_url() -> None:
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
def test_all_filters_can_be_cleared_at_once(view: View) -> None:
    assert view.is_narrowed
    assert view.is_sorted_out == (not view.q)
    assert view.unnarrowed() == ""


def test_clearing_the_filters_keeps_the_tab_and_the_order() -> None:
    wide = View(standing="expired", order="due")
    assert not wide.is_narrowed
    assert read(EVERYTHING.unnarrowed()) == wide
