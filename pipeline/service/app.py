"""Builds the HTTP service from what it is given; reads no environment."""

import logging
from collections.abc import Sequence
from urllib.parse import quote

import psycopg
import sqlalchemy
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from pipeline.errors import Conflict, Refused, SettingsWrong, Unavailable
from pipeline.service import (
    api,
    monitoring,
    pages,
    problem_details,
    rendering,
    sign_in,
    to_trace,
    verification_form,
)
from pipeline.service.dependencies import Dependencies, SignedOut
from pipeline.service.language import Language
from pipeline.service.request_checks import RequestChecks
from pipeline.translatable import gettext_noop

_LOG = logging.getLogger(__name__)
_TEMPORARY = (
    Unavailable,
    SettingsWrong,  # what PostgreSQL or the CHT refuses since the start
    psycopg.OperationalError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
)
_NOT_NOW = gettext_noop("The service is not responding at the moment. Try again in a minute.")


def build(dependencies: Dependencies) -> FastAPI:
    app = FastAPI(
        title="CHT Worklist",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # URLs hold names
    )
    app.state.dependencies = dependencies
    for module in (api, pages, verification_form, to_trace, sign_in, monitoring):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=rendering.STATIC))
    app.add_middleware(RequestChecks)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=3)
    app.add_middleware(Language)
    _handle_errors(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    """Every error that a caller can act on has its status."""
    app.exception_handler(SignedOut)(_signed_out)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_error)
    for refusal in (Refused, Conflict):
        app.exception_handler(refusal)(_refused)
    for missing in (psycopg.errors.UndefinedTable, sqlalchemy.exc.ProgrammingError):
        app.exception_handler(missing)(_not_prepared)
    for temporary in _TEMPORARY:
        app.exception_handler(temporary)(_not_now)


def _refused(request: Request, error: Refused | Conflict) -> Response:
    problem = problem_details.of(error)
    if problem_details.is_api(request.url.path):
        return JSONResponse(problem, problem["status"], media_type=problem_details.MEDIA_TYPE)
    return problem_details.refusal(request.url.path, problem["status"], problem["detail"])


def _signed_out(request: Request, error: Exception) -> Response:
    if problem_details.is_api(request.url.path):
        return problem_details.problem(401, str(error))
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = f"{request.url.path}{query}" if request.method == "GET" else "/"
    address = "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='/')}"
    return RedirectResponse(address, 303)


def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Names the fields; repeats nothing of what was sent."""
    errors = [{"field": _field(one["loc"]), "detail": str(one["msg"])} for one in error.errors()]
    fields = ", ".join(dict.fromkeys(each["field"] for each in errors))
    detail = f"Invalid input: {fields}."
    return problem_details.refusal(request.url.path, 422, detail, errors=errors)


def _field(location: Sequence[str | int]) -> str:
    return next((part for part in reversed(location) if isinstance(part, str)), "")


def _http_error(request: Request, error: HTTPException) -> Response:
    return problem_details.refusal(
        request.url.path, error.status_code, str(error.detail), headers=error.headers
    )


def _not_prepared(request: Request, error: Exception) -> Response:
    """Before the first refresh there are no marts; any other wrong statement is our mistake."""
    if isinstance(getattr(error, "orig", error), psycopg.errors.UndefinedTable):
        return problem_details.refusal(
            request.url.path, 503, gettext_noop("CHT data is not ready yet.")
        )
    raise error


def _not_now(request: Request, error: Exception) -> Response:
    _LOG.warning("PostgreSQL or the CHT cannot be used at the moment: %s", type(error).__name__)
    return problem_details.refusal(request.url.path, 503, _NOT_NOW)
