"""What machines ask: is it alive, can it answer, how much is waiting."""

from datetime import datetime

import sqlalchemy
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import JSONResponse, Response

from pipeline.database import now
from pipeline.service import dependencies, problem_details
from pipeline.worklist import health, reference_data

router = APIRouter(include_in_schema=False)


@router.get("/health")
def alive() -> Response:
    return JSONResponse({"status": "alive"})


@router.get("/ready")
def ready(request: Request) -> Response:
    with dependencies.of(request).engine.begin() as connection:
        missing = health.missing_marts(connection)
    if missing:
        return problem_details.problem(503, f"No refresh has built {', '.join(missing)} yet.")
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """For Prometheus; counts and ages only. All come from the database, so that it does not matter
    which worker answers.
    """
    registry = CollectorRegistry()
    given = dependencies.of(request)
    with given.engine.begin() as connection:
        last_sync = given.last_sync(connection) if given.last_sync else None
        _count(registry, connection)
        _measure_age(registry, "sync", last_sync, connection)
        _measure_age(registry, "refresh", reference_data.days(connection).as_of, connection)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _count(registry: CollectorRegistry, connection: sqlalchemy.Connection) -> None:
    open_tasks = Gauge("worklist_open_tasks", "Open tasks of the programme", registry=registry)
    open_tasks.set(health.open_task_count(connection))
    reports = Gauge("worklist_outbox_reports", "Verification reports", ["state"], registry=registry)
    for state, count in health.outbox_counts(connection).items():
        reports.labels(state).set(count)


def _measure_age(
    registry: CollectorRegistry,
    name: str,
    last: datetime | None,
    connection: sqlalchemy.Connection,
) -> None:
    """Left out where it never happened."""
    if last is not None:
        metric = f"worklist_seconds_since_{name}"
        age = Gauge(metric, f"Seconds since the last {name}", registry=registry)
        age.set(round((now(connection) - last).total_seconds()))
