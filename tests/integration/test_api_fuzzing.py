"""Whatever is sent to the API, it answers as its description says, and never with a 5xx."""

from itertools import product
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.service.dependencies import COOKIE
from pipeline.worklist import store
from tests.integration.signed_in_clients import PROGRAMME_ROLES, SITE, service, session

pytestmark = pytest.mark.one_server
API = "/api/v1"
USER = "supervisor_lisungwi"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def operations(app: FastAPI) -> list[Any]:
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", app)
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


def takes_anything(operation: Any) -> bool:
    return bool(list(operation.iter_parameters()) or list(operation.body))


def test_whatever_is_sent_it_answers_as_it_says(engine: Engine) -> None:
    """Each request also about a task that can be answered: made-up ones only ever meet 404."""
    app, token = service(engine), session(engine, USER)
    with engine.connect() as connection:
        viewer = store.viewer(connection, USER, PROGRAMME_ROLES)
        task_uuid = str(store.tasks(connection, viewer, limit=1)[0].task_uuid)
    for operation, mode in product(operations(app), GenerationMode):
        if mode is GenerationMode.NEGATIVE and not takes_anything(operation):
            continue

        @settings(max_examples=25, deadline=None, derandomize=True, database=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            case.validate_response(case.call(cookies={COOKIE: token}), checks=CHECKS)
            if "task_uuid" in (case.path_parameters or {}):
                case.path_parameters["task_uuid"] = task_uuid
                case.validate_response(case.call(cookies={COOKIE: token}), checks=CHECKS)

        ask()


def test_nothing_is_shown_without_a_session(engine: Engine) -> None:
    visitor = TestClient(service(engine), base_url=SITE)
    for operation in operations(service(engine)):
        path = operation.path.format(task_uuid=uuid4())
        answer = visitor.request(
            operation.method,
            path,
            headers={"Idempotency-Key": "key"},
            json=BODIES.get(operation.path.rpartition("/")[2]),
        )
        assert answer.status_code == 401, operation.label


BODIES: dict[str, Any] = {
    "verification": {"outcome": "visited"},
    "note": {"note": "later"},
    "verifications": {
        "verifications": [
            {"task_uuid": str(uuid4()), "idempotency_key": "key", "outcome": "visited"}
        ]
    },
}
