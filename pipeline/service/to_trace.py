"""Patients whom CHWs are to look for: one sheet for each CHW, to hand over or print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pipeline.service import layout, rendering
from pipeline.service.dependencies import signed_in
from pipeline.service.list_view import View
from pipeline.worklist import store
from pipeline.worklist.records import ToTrace

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Sheet:
    """The patients that one CHW is to look for."""

    area_uuid: str | None
    area_name: str | None
    chw_name: str | None
    facility_name: str | None
    patients: Sequence[ToTrace]


@router.get("/to-trace")
def to_trace(request: Request, area: str = "") -> Response:
    with signed_in(request) as context:
        sheets = _sheets(store.to_trace(context.connection, context.viewer))
        progress = store.progress(context.connection, context.viewer)
        wanted = [sheet for sheet in sheets if not area or sheet.area_uuid == area]
        codes = {one.reason for sheet in wanted for one in sheet.patients if one.reason}
        page = rendering.page(
            "to_trace.html",
            **layout.values(context, progress, "to_trace", codes),
            view=View(),
            sheets=wanted,
            patient_count=sum(len(sheet.patients) for sheet in wanted),
            is_one=len(wanted) < len(sheets),
        )
    return HTMLResponse(page)


def _sheets(patients: Iterable[ToTrace]) -> list[Sheet]:
    """`patients` in the order of their areas."""
    groups = [list(group) for _, group in groupby(patients, key=lambda one: one.area_uuid)]
    return [
        Sheet(
            group[0].area_uuid,
            group[0].area_name,
            group[0].chw_name,
            group[0].facility_name,
            group,
        )
        for group in groups
    ]
