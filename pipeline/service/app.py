"""Builds the HTTP service from what it is given; reads no environment."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
import sqlalchemy
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from pipeline.cht.http import Unauthorized
from pipeline.cht.identity import Identity
from pipeline.database import Connections
from pipeline.database import clock as clock_of
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
    warming,
)
from pipeline.service.authentication import Entrance, Recognise, SignIn
from pipeline.service.dependencies import Collaborators, LastSync, SignedOut
from pipeline.service.language import Language
from pipeline.service.request_checks import Guard
from pipeline.service.waking import Wake, Waking

_LOG = logging.getLogger(__name__)
_PASSING = (
    Unavailable,
    SettingsWrong,  # PostgreSQL's or the CHT's, since we started
    psycopg.OperationalError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.TimeoutError,
)
_HOLD = timedelta(hours=12)
_NOT_NOW = "The service cannot answer at the moment. Try again in a minute."


def build(
    engine: sqlalchemy.Engine,
    sign_in_to_cht: SignIn,
    wake: Wake,
    programme_roles: Sequence[str],
    *,
    recognise: Recognise | None = None,
    cht_url: str | None = None,
    hold: timedelta = _HOLD,
    refusal_seconds: float = 1.0,
    last_sync: LastSync | None = None,
    new_id: Callable[[], UUID] = uuid4,
    new_token: Callable[[], str] = secrets.token_urlsafe,
    clock: Callable[[], float] = time.monotonic,
    moment: Callable[[], datetime] | None = None,
) -> FastAPI:
    """`sign_in_to_cht` takes name, password and the client's address; `last_sync` tells when.

    Without `recognise` the CHT's own sessions open nothing. The rest is as in Collaborators.
    """
    app = FastAPI(
        title="CHT Worklist",
        version="1",
        lifespan=_lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # addresses hold names
    )
    connections, moment = Connections(engine), moment or clock_of(engine)
    app.state.collaborators = Collaborators(
        connections=connections,
        entrance=Entrance(connections, sign_in_to_cht, recognise or _recognise_nobody, moment),
        moment=moment,
        clock=clock,
        hold=hold,
        refusal_seconds=refusal_seconds,
        cht_url=cht_url,
        waking=Waking(connections, wake),
        programme_roles=tuple(programme_roles),
        last_sync=last_sync,
        new_id=new_id,
        new_token=new_token,
    )
    for module in (api, pages, verification_form, to_trace, sign_in, monitoring):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=rendering.STATIC))
    app.add_middleware(Guard)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=3)
    app.add_middleware(Language)
    _translate_errors(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ours: Collaborators = app.state.collaborators
    await warming.warm(ours)
    waking = asyncio.create_task(ours.waking.follow())
    yield
    waking.cancel()


def _recognise_nobody(_cookie: str, _address: str) -> Identity:
    raise Unauthorized("Sessions of the CHT are not known here.")


def _translate_errors(app: FastAPI) -> None:
    """The door to HTTP: every error that a caller can act on has its status."""
    app.exception_handler(SignedOut)(_signed_out)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_error)
    for refusal in (Refused, Conflict):
        app.exception_handler(refusal)(_refused)
    for missing in (psycopg.errors.UndefinedTable, sqlalchemy.exc.ProgrammingError):
        app.exception_handler(missing)(_not_prepared)
    for passing in _PASSING:
        app.exception_handler(passing)(_not_now)


def _refused(request: Request, error: Refused | Conflict) -> Response:
    told = problem_details.of(error)
    if problem_details.is_api(request.url.path):
        return JSONResponse(told, told["status"], media_type=problem_details.MEDIA_TYPE)
    return problem_details.refusal(request.url.path, told["status"], told["detail"])


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
    detail = f"This cannot be meant: {fields}."
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
            request.url.path, 503, "The data have not been prepared yet."
        )
    raise error


def _not_now(request: Request, error: Exception) -> Response:
    _LOG.warning("Something that is needed does not answer: %s", type(error).__name__)
    return problem_details.refusal(request.url.path, 503, _NOT_NOW)
