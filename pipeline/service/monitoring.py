"""What machines ask: is it alive, can it answer, how much is waiting."""

from collections.abc import Iterator

import sqlalchemy
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pipeline.database import now
from pipeline.service import dependencies, problem_details
from pipeline.service.route import Route
from pipeline.worklist import health, programme

router = APIRouter(route_class=Route, include_in_schema=False)


@router.get("/health")
def alive() -> Response:
    return JSONResponse({"status": "alive"})


@router.get("/ready")
def ready(request: Request) -> Response:
    with dependencies.of(request).connections.lent() as connection:
        missing = health.missing_marts(connection)
    if missing:
        return problem_details.problem(503, f"No refresh has built {', '.join(missing)} yet.")
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """In the text format of Prometheus; counts and ages only."""
    ours = dependencies.of(request)
    with ours.connections.lent() as connection:
        text = "\n".join(_measures(connection, ours)) + "\n"
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _measures(connection: sqlalchemy.Connection, ours: dependencies.Collaborators) -> Iterator[str]:
    moment = now(connection)
    yield "# TYPE worklist_open_tasks gauge"
    yield f"worklist_open_tasks {health.open_task_count(connection)}"
    yield "# TYPE worklist_outbox_reports gauge"
    for state, count in sorted(health.outbox_counts(connection).items()):
        yield f'worklist_outbox_reports{{state="{state}"}} {count}'
    ages = {
        "sync": ours.last_sync(connection) if ours.last_sync else None,
        "refresh": programme.days(connection).as_of,
    }
    for name, last in ages.items():
        if last is not None:
            yield f"# TYPE worklist_seconds_since_{name} gauge"
            yield f"worklist_seconds_since_{name} {(moment - last).total_seconds():.0f}"
