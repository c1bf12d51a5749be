"""The simulated CHT over HTTP: the API on one port and, where wanted, bare CouchDB on another."""

import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.asgi_server import address, listen, run
from testbed.invented_programme import programme
from testbed.simulated_cht import (
    api_routes,
    authentication,
    changes_routes,
    couchdb_routes,
    report_routes,
)
from testbed.simulated_cht.database import CouchRefusal
from testbed.simulated_cht.responses import (
    ApiRefusal,
    from_api,
    relayed,
    to_the_login_page,
    wants_json,
)
from testbed.simulated_cht.simulation import Simulation

REMEDY = "choose another with --port."
COUCHDB_ROUTES = [
    Route("/_session", authentication.session, methods=["GET", "POST", "DELETE"]),
    Route("/{database}/_changes", changes_routes.changes),
    Route("/{database}/_all_docs", couchdb_routes.all_docs, methods=["GET", "POST"]),
    Route("/{database}/_bulk_docs", couchdb_routes.bulk_docs, methods=["POST"]),
    Route("/{database}", couchdb_routes.database, methods=["GET", "PUT", "DELETE"]),
    Route("/{database}/", couchdb_routes.database, methods=["GET", "PUT", "DELETE"]),
    Route("/{database}/{document:path}", couchdb_routes.document, methods=["GET", "PUT", "DELETE"]),
]
API_ROUTES = [
    Route("/", api_routes.home),
    Route("/medic/login", api_routes.login_page, methods=["GET"]),
    Route("/medic/login", authentication.login, methods=["POST"]),
    Route("/medic/password-reset", api_routes.login_page),
    Route("/api/info", api_routes.info),
    Route("/api/v1/settings", api_routes.settings),
    Route("/api/v2/users/{name}", api_routes.user),
    Route("/api/v1/report", report_routes.create, methods=["POST"]),
    Route("/api/v1/report/uuid", report_routes.uuids, methods=["GET"]),
]


def serve(
    feed: Path | None,
    host: str,
    port: int,
    password: str,
    now: datetime,
    announce: Callable[[str], None],
    *,
    couchdb_port: int | None = None,
) -> None:
    """Simulates a CHT until a signal arrives, with the invented programme if there is no feed.

    A port of 0 is any free one; `announce` is told the address. SettingsWrong if the feed cannot be
    read or a port is taken.
    """
    simulation = Simulation(clock=_clock_from(now))
    if feed:
        simulation.load_feed(feed, password)
    else:
        simulation.load_documents(programme.documents(now), password)
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(listen(host, port, REMEDY))]
        announce(f"A simulated CHT answers at {address(listening[0])}")
        if couchdb_port is not None:
            listening.append(stack.enter_context(listen(host, couchdb_port, REMEDY)))
            announce(f"Its CouchDB answers at {address(listening[1])}")
        couchdb_ports = [each.getsockname()[1] for each in listening[1:]]
        run(api_and_couchdb(simulation, couchdb_ports), listening)


def build_app(simulation: Simulation, *, is_api: bool = True) -> Starlette:
    """The CHT's API, or the CouchDB behind it (`is_api=False`): same documents and users."""
    routes = (
        [*API_ROUTES, *COUCHDB_ROUTES]
        if is_api
        else [
            Route("/", couchdb_routes.root),
            *COUCHDB_ROUTES,
        ]
    )
    app = Starlette(
        routes=routes,
        exception_handlers={ApiRefusal: _refuse_as_api, CouchRefusal: _refuse_as_couchdb},
    )
    app.router.redirect_slashes = False
    app.state.simulation = simulation
    app.state.is_api = is_api
    return app


def api_and_couchdb(simulation: Simulation, couchdb_ports: list[int]) -> ASGIApp:
    """One application that answers as CouchDB on `couchdb_ports`, as the API elsewhere."""
    api, couchdb = build_app(simulation), build_app(simulation, is_api=False)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = couchdb if scope["server"][1] in couchdb_ports else api
        await chosen(scope, receive, send)

    return app


async def _refuse_as_api(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, ApiRefusal)  # noqa: S101 - tells the type checker
    if refusal.status in (401, 429):
        request.app.state.simulation.rate_limit.charge(authentication.rate_limit_keys(request))
    is_browser = refusal.status == 401 and request.headers.get("user-agent")
    if is_browser and not wants_json(request) and request.url.path != "/medic/login":
        return to_the_login_page(request)
    return from_api(refusal.payload, refusal.status)


async def _refuse_as_couchdb(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, CouchRefusal)  # noqa: S101
    return relayed(request, refusal.payload, refusal.status)


def _clock_from(now: datetime) -> Callable[[], float]:
    """Seconds since the epoch, of a simulation that starts at `now`."""
    ahead = now.timestamp() - time.monotonic()
    return lambda: ahead + time.monotonic()
