"""The CHT's own endpoints, as far as a worklist needs them."""

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from testbed.simulated_cht.accounts import PREFIX
from testbed.simulated_cht.authentication import may, simulation, who
from testbed.simulated_cht.couchdb_routes import root
from testbed.simulated_cht.monitoring import VERSION, monitoring_of
from testbed.simulated_cht.responses import (
    ApiRefusal,
    from_api,
    insufficient_privileges,
    wants_json,
)
from testbed.simulated_cht.simulation import Simulation, documents_of


async def home(request: Request) -> Response:
    """The web app; whoever asks for JSON gets CouchDB's greeting."""
    if wants_json(request):
        return await root(request)
    who(request)
    return HTMLResponse("<!doctype html><title>A simulated CHT</title><h1>A simulated CHT</h1>")


async def login_page(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
    return HTMLResponse("<!doctype html><title>Login</title><form id='form'></form>")


async def info(request: Request) -> Response:  # noqa: ARG001
    return from_api({"version": VERSION})


async def monitoring(request: Request) -> Response:
    return from_api(monitoring_of(simulation(request)))


async def settings(request: Request) -> Response:
    who(request)
    return from_api(simulation(request).settings)


async def user(request: Request) -> Response:
    """A user with place and contact in full: oneself, or others with `can_view_users`."""
    account, name = who(request), request.path_params["name"]
    if name != account.name and not may(account, request, "can_view_users"):
        raise insufficient_privileges()
    state = simulation(request)
    asked = state.accounts.find(name)
    if asked is None:
        raise ApiRefusal(404, f"Failed to find user with name [{name}] in the [users] database.")
    document = state.medic.content(PREFIX + name) or {}
    answer = {
        "id": PREFIX + name,
        "rev": asked.revision,
        "username": name,
        "fullname": document.get("fullname"),
        "place": documents_of(state.medic, list(asked.places)) if asked.places else None,
        "roles": asked.roles,
        "contact": next(iter(documents_of(state.medic, [asked.contact or ""])), None),
    }
    return from_api({key: value for key, value in answer.items() if value is not None})


async def targets(request: Request) -> Response:
    account = who(request)
    if not account.is_online:
        raise insufficient_privileges()
    query = request.query_params
    period = query.get("reporting_period", "")
    contacts = (query.get("contact_ids") or query.get("contact_id") or "").split(",")
    return from_api({"data": _targets(simulation(request), period, contacts), "cursor": None})


def _targets(state: Simulation, period: str, contacts: list[str]) -> list[msgspec.Raw]:
    beginnings = [f"target~{period}~{contact}~" for contact in contacts]
    ids = [state.medic.ids(beginning, beginning + "\uffff") for beginning in beginnings]
    return documents_of(state.medic, [id_ for found in ids for id_ in found])
