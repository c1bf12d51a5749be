"""Errors, for people as a page and for programs as problem details (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from pipeline.errors import Conflict, Refused
from pipeline.service import rendering
from pipeline.worklist import rules

MEDIA_TYPE = "application/problem+json"


def is_api(path: str) -> bool:
    return path.startswith("/api/")


def refusal(
    path: str,
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem for programs under /api, a page for everybody else."""
    if is_api(path):
        return problem(status, detail, errors=errors, headers=headers)
    page = rendering.page("problem.html", status=_status_with_text(status), detail=detail)
    return HTMLResponse(page, status, headers=dict(headers or {}))


def _status_with_text(status: int) -> int:
    """The nearest status that the page has a text for."""
    if status in (403, 404, 409, 422):
        return status
    return 400 if status < 500 else 503 if status == 503 else 500


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """`errors` name the fields that were wrong: `{"field": …, "detail": …}`."""
    content = _described(status, detail, errors=errors, **members)
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _described(
    status: int, detail: str, *, errors: Sequence[Mapping[str, str]] = (), **members: Any
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"errors": list(errors)} if errors else {}),
        **members,
    }


def of(error: Refused | Conflict) -> dict[str, Any]:
    """The problem details of a refused answer; `status` is its HTTP status."""
    match error:
        case rules.InvalidInput():
            errors = [{"field": error.field, "detail": str(error)}]
            return _described(422, f"Invalid input: {error.field}.", errors=errors)
        case rules.AlreadyVerified():
            current = error.standing
            return _described(
                409,
                str(error),
                verified_by=current.verified_by,
                verified_at=current.verified_at.isoformat() if current.verified_at else None,
                round=current.round,
                outcome=current.outcome,
            )
        case rules.UnknownTask():
            return _described(404, str(error))
        case Conflict():
            return _described(409, str(error))
    return _described(403, str(error))
