"""The CHT's own endpoints, as far as a worklist needs them."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from testbed.simulated_cht.accounts import PREFIX
from testbed.simulated_cht.authentication import authenticated, may, simulation
from testbed.simulated_cht.couchdb_routes import root
from testbed.simulated_cht.responses import (
    ApiRefusal,
    from_api,
    insufficient_privileges,
    wants_json,
)
from testbed.simulated_cht.simulation import documents_of

VERSION = "5.2.0"


async def home(request: Request) -> Response:
    """The web app, or CouchDB's greeting where JSON is requested."""
    if wants_json(request):
        return await root(request)
    authenticated(request)
    return HTMLResponse("<!doctype html><title>A simulated CHT</title><h1>A simulated CHT</h1>")


async def login_page(request: Request) -> Response:  # noqa: ARG001 - the shape of an endpoint
    return HTMLResponse("<!doctype html><title>Login</title><form id='form'></form>")


async def info(request: Request) -> Response:  # noqa: ARG001
    return from_api({"version": VERSION})


async def settings(request: Request) -> Response:
    authenticated(request)
    return from_api(simulation(request).settings)


async def user(request: Request) -> Response:
    """A user with place and contact in full: the caller, or others with `can_view_users`."""
    account, name = authenticated(request), request.path_params["name"]
    if name != account.name and not may(account, request, "can_view_users"):
        raise insufficient_privileges()
    state = simulation(request)
    found = state.accounts.find(name)
    if found is None:
        raise ApiRefusal(404, f"Failed to find user with name [{name}] in the [users] database.")
    document = state.medic.content(PREFIX + name) or {}
    answer = {
        "id": PREFIX + name,
        "rev": found.revision,
        "username": name,
        "fullname": document.get("fullname"),
        "place": documents_of(state.medic, list(found.places)) if found.places else None,
        "roles": found.roles,
        "contact": next(iter(documents_of(state.medic, [found.contact or ""])), None),
    }
    return from_api({key: value for key, value in answer.items() if value is not None})
