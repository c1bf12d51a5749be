"""`/api/v1/report`: creating a report, and searching for reports."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from testbed.simulated_cht.authentication import authenticated, may, simulation
from testbed.simulated_cht.database import Database
from testbed.simulated_cht.responses import ApiRefusal, from_api, insufficient_privileges
from testbed.simulated_cht.simulation import Simulation

REPORT = "data_record"
_KEYED = re.compile(r"[^\s:]+:.+")
_FEWEST_CHARACTERS = 3
_NOT_INDEXED = {"_id", "_rev", "type", "refid", "content"}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z")
_PLACES_AND_PEOPLE = {"contact", "district_hospital", "health_center", "clinic", "person"}


async def create(request: Request) -> Response:
    """The same body twice creates two reports."""
    account = authenticated(request)
    if not may(account, request, "can_create_records", "can_edit"):
        raise insufficient_privileges()
    if request.headers.get("content-type") != "application/json":
        raise ApiRefusal(400, "Content-Type must be application/json.")
    report = await _report(request)
    state = simulation(request)
    _, revision = state.medic.write(report)
    own = {"_id": report["_id"], "_rev": revision}
    return from_api({**{key: report[key] for key in report if key != "_id"}, **own})


async def _report(request: Request) -> dict[str, Any]:
    """The report to store; ApiRefusal with the API's reason if it is invalid."""
    try:
        given = msgspec.json.decode(await request.body())
    except msgspec.DecodeError as error:
        raise ApiRefusal(500, "Server error") from error
    _check(given)
    state = simulation(request)
    if state.medic.content(f"form:{given['form']}") is None:
        raise ApiRefusal(400, f"Invalid form value [{given['form']}].")
    contact = state.medic.content(given["contact"])
    if contact is None or contact.get("type") not in _PLACES_AND_PEOPLE:
        raise ApiRefusal(400, f"Contact [{given['contact']}] not found.")
    report = {
        **given,
        "contact": _lineage(contact),
        "reported_date": given.get("reported_date") or int(state.clock() * 1000),
        "type": REPORT,
        "_id": state.medic.new_id(),
    }
    return {key: value for key, value in report.items() if key not in ("patient", "place")}


def _check(given: Any) -> None:
    if not isinstance(given, dict):
        raise ApiRefusal(400, "Invalid input: must be an object.")
    for key in ("form", "contact"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise ApiRefusal(400, f"The [{key}] field must have a [string] value.")
    moment = given.get("reported_date")
    if moment and not isinstance(moment, int) and not _MOMENT.fullmatch(str(moment)):
        raise ApiRefusal(400, "Invalid reported_date.")
    for key in ("_id", "_rev"):
        if key in given:
            raise ApiRefusal(400, f"The [{key}] field must not be set.")
    if given.get("type", REPORT) != REPORT:
        raise ApiRefusal(400, 'Report type must be "data_record".')


def _lineage(contact: dict[str, Any]) -> dict[str, Any]:
    """`{_id, parent}` with all ancestors."""
    parent = contact.get("parent")
    return {"_id": contact["_id"], **({"parent": _lineage(parent)} if parent else {})}


async def uuids(request: Request) -> Response:
    """Ids of reports that contain exactly `key:value`, at the top level or in `fields`, or a word
    with this prefix; case-insensitive.
    """
    account = authenticated(request)
    if not may(account, request, "can_view_reports"):
        raise insufficient_privileges()
    freetext = request.query_params.get("freetext", "").strip().lower()
    is_keyed = _KEYED.fullmatch(freetext) is not None
    if len(freetext) < _FEWEST_CHARACTERS or (re.search(r"\s", freetext) and not is_keyed):
        raise ApiRefusal(400, f'Invalid freetext [{{"freetext":"{freetext}"}}].')
    return from_api({"data": _search(simulation(request), freetext, is_keyed), "cursor": None})


def _search(state: Simulation, freetext: str, is_keyed: bool) -> list[str]:
    wanted = freetext.partition(":")[2] if is_keyed else freetext
    return [
        document_id
        for document_id in _containing(state.medic, wanted)
        if _matches(state.medic.content(document_id) or {}, freetext, is_keyed)
    ]


def _containing(medic: Database, wanted: str) -> list[str]:
    """Ids of documents whose text contains it, so that few are parsed."""
    text = msgspec.json.encode(wanted)[1:-1]
    found = ((document_id, medic.find(document_id)) for document_id in medic.ids())
    return [document_id for document_id, one in found if one and text in one.body.lower()]


def _matches(document: dict[str, Any], freetext: str, is_keyed: bool) -> bool:
    if document.get("type") != REPORT or not document.get("form"):
        return False
    fields = document.get("fields")
    pairs = [*document.items(), *(fields.items() if isinstance(fields, dict) else ())]
    indexed = [
        (key.lower(), str(value).lower())
        for key, value in pairs
        if isinstance(value, str | int)
        and key.lower() not in _NOT_INDEXED
        and not key.lower().endswith("_date")
    ]
    if is_keyed:
        return freetext in {f"{key}:{value}" for key, value in indexed}
    return any(word.startswith(freetext) for _, value in indexed for word in value.split())
